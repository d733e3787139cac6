"""The template as written and as SAM expands it."""

from __future__ import annotations

import copy
import os
from functools import cache
from typing import TYPE_CHECKING, Any
from unittest import mock

import yaml
from cfnlint.decode import decode
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator

from tools.paths import GATEWAY, ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

type Resource = dict[str, Any]

ARTEFACTS = {
    "AWS::Serverless::Function": "CodeUri",
    "AWS::Serverless::LayerVersion": "ContentUri",
    "AWS::Serverless::StateMachine": "DefinitionUri",
}


@cache
def template() -> dict[str, Any]:
    parsed, problems = decode(str(ROOT / "template.yaml"))
    assert not problems, problems
    assert parsed is not None
    plain: dict[str, Any] = _plain(parsed)
    return plain


@cache
def expanded() -> dict[str, Resource]:
    """The resources that CloudFormation gets, by logical id."""
    source = copy.deepcopy(template())
    for resource in source["Resources"].values():
        if place := ARTEFACTS.get(resource["Type"]):
            resource["Properties"][place] = "s3://bucket/key"
    # CloudFormation includes the innermost first.
    source["Resources"]["Gateway"]["Properties"]["DefinitionBody"] = yaml.safe_load(GATEWAY.read_text())
    with mock.patch.dict(os.environ, AWS_DEFAULT_REGION="us-east-1"):
        result: dict[str, Resource] = Translator({}, Parser()).translate(source, {})["Resources"]
    return result


def of_type(kind: str) -> dict[str, Resource]:
    return {name: resource["Properties"] for name, resource in expanded().items() if resource["Type"] == kind}


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of every role, with the role's logical id."""
    for name, role in of_type("AWS::IAM::Role").items():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield name, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _plain(node: Any) -> Any:
    """Without the positions that cfn-lint keeps beside each value."""
    if isinstance(node, dict):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(item) for item in node]
    return str(node) if isinstance(node, str) else node
