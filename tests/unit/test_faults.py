"""The test-only layer: faults strike where they are told to, and nowhere else."""

from __future__ import annotations

import importlib.util
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, ReadTimeoutError

from tools.paths import TEST_LAYER

if TYPE_CHECKING:
    from types import ModuleType

BEFORE, AFTER = "dynamodb.TransactWriteItems#1:before", "dynamodb.TransactWriteItems#1:after"


class Died(BaseException):
    pass


@pytest.fixture
def layer(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A copy of its own: `hms.seam` is not to find it."""
    spec = importlib.util.spec_from_file_location("layer_under_test", TEST_LAYER / "hms_testing.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(__import__("sys").modules, "layer_under_test", module)
    spec.loader.exec_module(module)

    def die(_code: int) -> None:
        raise Died

    monkeypatch.setattr("os._exit", die)
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda *_arguments: "done")
    return module


class Client:
    class meta:  # noqa: N801  (as botocore has it)
        class service_model:  # noqa: N801
            service_name = "sns"


def called() -> Any:
    return BaseClient._make_api_call(Client(), "Publish", {})  # type: ignore[attr-defined]


def test_without_faults_nothing_happens(layer: ModuleType) -> None:
    layer.begin({"headers": None})

    layer.reached("after-commit")
    assert called() == "done"


def test_a_point_named_alone_is_where_the_process_ends(layer: ModuleType) -> None:
    layer.begin({"headers": {"X-Test-Fault": "after-commit"}})

    layer.reached("before-commit")
    with pytest.raises(Died):
        layer.reached("after-commit")


@pytest.mark.parametrize(
    ("fault", "raised"),
    [
        ("die@sns.Publish#2:before", Died),
        ("die@sns.*#2:after", Died),
        ("lose@sns.Publish#2:after", ReadTimeoutError),
        ("throttle@*#2:before", ClientError),
    ],
)
def test_calls_are_points_by_their_number(layer: ModuleType, fault: str, raised: type[BaseException]) -> None:
    layer.begin({"Records": [], "x-test-fault": fault})

    assert called() == "done"
    with pytest.raises(raised):
        called()
    assert called() == "done"


def test_a_consumers_faults_come_from_its_environment(layer: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HMS_FAULTS", "lose@nothing throttle@sns.Publish*")
    layer.begin({"Records": []})

    with pytest.raises(ClientError) as refused:
        called()
    assert refused.value.response["Error"]["Code"] == "ThrottlingException"


def test_the_next_request_starts_anew(layer: ModuleType) -> None:
    layer.begin({"headers": {"X-Test-Fault": "die@sns.Publish#1:before"}})
    layer.begin({"headers": {}})

    assert called() == "done"


def test_a_fault_strikes_as_often_as_it_is_told_to(layer: ModuleType) -> None:
    strikes: Counter[bool] = Counter()
    for _ in range(1000):
        layer.begin({"x-test-fault": "die@*~0.3"})
        try:
            layer.reached("anywhere")
        except Died:
            strikes[True] += 1

    assert 200 < strikes[True] < 400


def test_points_are_enumerated_from_what_is_logged(layer: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    layer.begin({"x-test-fault": "trace@*"})

    layer.reached("before-commit")
    called()

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    points = ["before-commit", "sns.Publish#1:before", "sns.Publish#1:after"]
    assert lines == [{"level": "TEST", "fault": "trace", "point": point} for point in points]
