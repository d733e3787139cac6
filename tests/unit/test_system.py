"""What is done to a deployed system from outside."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from tools.system import prune


class Gone(Exception):
    pass


def test_a_version_that_is_gone_already_does_not_stop_the_pruning() -> None:
    deleted: list[str] = []

    def delete(FunctionName: str, Qualifier: str) -> None:  # noqa: N803  (the names of the AWS API)
        deleted.append(f"{FunctionName}:{Qualifier}")
        if Qualifier == "1":
            raise Gone

    resource = {"ResourceType": "AWS::Lambda::Function", "PhysicalResourceId": "hms-api"}
    aws: Any = SimpleNamespace(
        exceptions=SimpleNamespace(ResourceNotFoundException=Gone),
        describe_stack_resources=lambda **_asked: {"StackResources": [resource]},
        list_aliases=lambda **_asked: {"Aliases": [{"FunctionVersion": "3"}]},
        list_versions_by_function=lambda **_asked: {"Versions": [{"Version": one} for one in ("$LATEST", *"123")]},
        delete_function=delete,
    )
    system: Any = SimpleNamespace(stack="hms", client=lambda _service: aws)

    prune(system)

    assert deleted == ["hms-api:1", "hms-api:2"]
