"""The published contracts are what the code publishes, and every consumer takes the producer's example."""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING

import pytest
from jsonschema import Draft202012Validator

from hms.events import Event
from hms.store import DynamoTable
from tests.support.memory import MemoryTable
from tests.support.template import of_type
from tools import contracts
from tools.paths import ROOT

if TYPE_CHECKING:
    from hms.events import Fact
    from hms.inbox import Inbox

FACTS = [pytest.param(fact, id=fact.type) for fact in contracts.facts()]
# A domain hears others; its own events only where they are work that it gives itself.
OWN_WORK = {"notifications.requested.v1"}
INBOXES = sorted(path.parent.name for path in ROOT.glob("functions/*/inbox.py"))


@cache
def inbox_of(domain: str) -> Inbox:
    inbox: Inbox = import_module(f"{domain}.inbox").inbox
    return inbox


SUBSCRIPTIONS = [
    pytest.param(domain, kind, id=f"{domain}-{kind}") for domain in INBOXES for kind in inbox_of(domain).types
]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryTable:
    """Every table of this process, in memory."""
    table = MemoryTable()
    for name in ("get", "get_many", "query", "commit"):
        method = getattr(table, name)
        monkeypatch.setattr(DynamoTable, name, lambda _self, asked, method=method: method(asked))
    return table


def test_the_committed_contracts_are_the_generated_ones() -> None:
    committed = {path.name: path.read_text() for path in contracts.FOLDER.glob("*.json")}

    assert committed == contracts.files(), "run `make openapi`"


@pytest.mark.parametrize("fact", FACTS)
def test_the_example_of_a_contract_meets_it(fact: type[Fact]) -> None:
    contract = contracts.contract(fact)

    Draft202012Validator.check_schema(contract)
    for example in contract["examples"]:
        Draft202012Validator(contract, format_checker=Draft202012Validator.FORMAT_CHECKER).validate(example)


@pytest.mark.parametrize("fact", FACTS)
def test_a_type_names_its_domain_what_happened_and_a_version(fact: type[Fact]) -> None:
    domain, happened, version = fact.type.split(".")

    assert fact.__module__.startswith(f"{domain}.")
    assert happened
    assert version.removeprefix("v").isdigit()


@pytest.mark.parametrize(("domain", "kind"), SUBSCRIPTIONS)
def test_a_consumer_asks_only_for_what_is_published(domain: str, kind: str) -> None:
    assert (contracts.FOLDER / f"{kind}.json").exists()
    assert not kind.startswith(f"{domain}.") or kind in OWN_WORK


@pytest.mark.parametrize("domain", INBOXES)
def test_the_filters_of_a_domains_queues_are_what_its_inbox_consumes(domain: str) -> None:
    asked = [kind for queue in queues_of(domain) for kind in filter_of(queue)]

    assert sorted(asked) == sorted(inbox_of(domain).types)


def queues_of(domain: str) -> list[str]:
    """The queues that the domain's inbox function reads."""
    mappings = of_type("AWS::Lambda::EventSourceMapping").values()
    inbox = {"Ref": f"{domain.capitalize()}Inbox"}
    return [one["EventSourceArn"]["Fn::GetAtt"][0] for one in mappings if one["FunctionName"] == inbox]


def filter_of(queue: str) -> list[str]:
    subscriptions = of_type("AWS::SNS::Subscription").values()
    endpoint = {"Fn::GetAtt": [queue, "Arn"]}
    heard = [one for one in subscriptions if one["Endpoint"] == endpoint and one["TopicArn"] == {"Ref": "Events"}]
    return [kind for one in heard for kind in one["FilterPolicy"]["type"]]


@pytest.mark.parametrize(("domain", "kind"), SUBSCRIPTIONS)
def test_a_consumer_takes_the_example_of_the_producer_twice(domain: str, kind: str, memory: MemoryTable) -> None:
    """Where it has heard of the people before: they are the same in all examples."""
    people = [one for one in inbox_of(domain).types if one.endswith(".registered.v1")]
    batch = {
        "Records": [{"messageId": str(number), "body": _body(one)} for number, one in enumerate([*people, kind, kind])]
    }

    assert inbox_of(domain).handler(batch) == {"batchItemFailures": []}


def _body(kind: str) -> str:
    return json.dumps(json.loads((contracts.FOLDER / f"{kind}.json").read_text())["examples"][0])


def test_an_event_republished_has_the_same_id() -> None:
    for fact in contracts.facts():
        assert contracts.example(fact).id == contracts.example(fact).id
        assert Event.model_validate_json(contracts.example(fact).model_dump_json()) == contracts.example(fact)


def test_an_event_that_nobody_publishes_has_no_example() -> None:
    with pytest.raises(ValueError, match=r"no domain publishes wards\.opened\.v1"):
        contracts.example_of("wards.opened.v1")
