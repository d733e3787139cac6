"""A contract may say more, never less or otherwise."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from tools import contracts
from tools.compatibility import breaking
from tools.contracts import BreakingChange

OLD: dict[str, Any] = {
    "type": "object",
    "properties": {
        "type": {"const": "things.made.v1"},
        "data": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "made_at": {"type": "string", "format": "date-time"},
                "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "state": {"$ref": "#/$defs/State"},
                "parts": {"type": "array", "items": {"$ref": "#/$defs/Part"}},
                "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
            },
            "required": ["name", "made_at", "note", "state", "parts"],
        },
    },
    "required": ["type", "data"],
    "$defs": {
        "State": {"type": "string", "enum": ["NEW", "OLD"]},
        "Part": {
            "type": "object",
            "properties": {
                "weight": {"type": "integer"},
                "inner": {"anyOf": [{"$ref": "#/$defs/Part"}, {"type": "null"}]},
            },
            "required": ["weight"],
        },
    },
}


def changed(place: str, value: Any = None) -> dict[str, Any]:
    """The contract with another value at a place like `data.name`; without a value the place is gone."""
    new = copy.deepcopy(OLD)
    *path, last = place.split("/")
    node: Any = new
    for key in path:
        node = node[int(key)] if key.isdigit() else node[key]
    if value is None:
        del node[last]
    else:
        node[last] = value
    return new


NULLABLE = {"anyOf": [{"type": "string"}, {"type": "null"}]}
DATA = "properties/data"
FIELDS = f"{DATA}/properties"


def test_a_contract_keeps_itself() -> None:
    assert breaking(OLD, OLD) == []


@pytest.mark.parametrize(
    "new",
    [
        pytest.param(changed(f"{FIELDS}/colour", {"type": "string"}), id="new field"),
        pytest.param(changed("$defs/Part/properties/colour", {"type": "string"}), id="new field within a part"),
        pytest.param(changed("properties/traceparent", {"type": "string"}), id="new field of the envelope"),
        pytest.param(changed("$defs/State/enum", ["NEW"]), id="fewer values"),
        pytest.param(changed(f"{FIELDS}/note", {"type": "string"}), id="no longer null"),
        pytest.param(
            changed(f"{DATA}/required", ["name", "made_at", "note", "state", "parts", "pair"]), id="always there"
        ),
        pytest.param(changed(f"{FIELDS}/name", {"type": "string", "description": "What it is called"}), id="described"),
        pytest.param(changed(f"{FIELDS}/name", {"type": "string", "maxLength": 10}), id="shorter"),
        pytest.param(changed(f"{FIELDS}/state", {"type": "string", "enum": ["OLD"]}), id="a definition written out"),
    ],
)
def test_saying_more_or_being_stricter_breaks_nobody(new: dict[str, Any]) -> None:
    assert breaking(OLD, new) == []


@pytest.mark.parametrize(
    ("new", "told"),
    [
        (changed(f"{FIELDS}/name"), "event.data.name is gone"),
        (changed("$defs/Part/properties/weight"), "event.data.parts[].weight is gone"),
        (changed("properties/data"), "event.data is gone"),
        (changed(f"{FIELDS}/name", {"type": "integer"}), "event.data.name: type was 'string', is 'integer'"),
        (changed(f"{FIELDS}/name", {}), "event.data.name: type was 'string', is None"),
        (changed(f"{FIELDS}/made_at/format", "date"), "event.data.made_at: format was 'date-time', is 'date'"),
        (changed("properties/type/const", "things.lost.v1"), "event.type: const was 'things.made.v1', is"),
        (changed(f"{DATA}/required", ["name"]), "event.data.made_at may be missing, which it was not"),
        (changed(f"{FIELDS}/name", NULLABLE), "event.data.name: type was 'string', is 'null'"),
        (changed(f"{FIELDS}/note/anyOf", [{"type": "integer"}]), "event.data.note may be integer, which it was not"),
        (changed("$defs/State/enum", ["NEW", "OLD", "LOST"]), "event.data.state may be LOST, which it was not"),
        (changed("$defs/State/enum"), "event.data.state may be anything, which it was not"),
        (changed(f"{FIELDS}/parts", {"type": "array"}), "event.data.parts[]: type was 'object', is None"),
        (changed(f"{FIELDS}/pair/prefixItems", [{"type": "string"}]), "event.data.pair[1]: type was"),
    ],
)  # fmt: skip
def test_saying_less_or_otherwise_is_told_with_its_place(new: dict[str, Any], told: str) -> None:
    assert any(fault.startswith(told) for fault in breaking(OLD, new))


@pytest.mark.parametrize("fact", contracts.facts(), ids=lambda fact: fact.type)
def test_every_contract_keeps_itself_and_notices_each_field_it_loses(fact: Any) -> None:
    contract = contracts.contract(fact)

    assert breaking(contract, contract) == []
    for name in contract["properties"]["data"]["properties"]:
        poorer = copy.deepcopy(contract)
        del poorer["properties"]["data"]["properties"][name]
        assert breaking(contract, poorer) == [f"event.data.{name} is gone"]


@pytest.fixture
def published(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(contracts, "FOLDER", tmp_path)
    contracts.write()
    return tmp_path


def test_contracts_are_not_overwritten_by_breaking_ones(published: Any) -> None:
    path = published / f"{contracts.facts()[0].type}.json"
    richer = json.loads(path.read_text())
    richer["properties"]["data"]["properties"]["colour"] = {"type": "string"}
    path.write_text(json.dumps(richer))

    with pytest.raises(BreakingChange, match=r"event\.data\.colour is gone(.|\n)*\.v2"):
        contracts.write()

    assert json.loads(path.read_text()) == richer


def test_a_contract_is_not_withdrawn_in_silence(published: Any) -> None:
    (published / "things.made.v1.json").write_text(json.dumps(OLD))

    with pytest.raises(BreakingChange, match=r"things\.made\.v1: is not published any more"):
        contracts.write()

    assert (published / "things.made.v1.json").exists()


def test_a_richer_contract_is_written(published: Any) -> None:
    path = published / f"{contracts.facts()[0].type}.json"
    whole = path.read_text()
    poorer = json.loads(whole)
    del poorer["properties"]["data"]["properties"]["version"]
    path.write_text(json.dumps(poorer))

    contracts.write()

    assert path.read_text() == whole
