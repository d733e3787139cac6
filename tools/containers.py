"""Functions in containers: `sam local invoke` of what was built, on the data of a deployed system."""

from __future__ import annotations

import json
import socket
import subprocess
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import yaml

from tools.paths import BUILD, ROOT, SAM

if TYPE_CHECKING:
    from tools.system import System

TEMPLATE = BUILD / "sam-local.yaml"
ENVIRONMENT = BUILD / "sam-local.json"
# The first invocation makes the image, with the layers in it.
INVOKE_SECONDS = 300
_BRIDGE = ("docker", "network", "inspect", "bridge", "--format", "{{(index .IPAM.Config 0).Gateway}}")


class ContainerError(Exception):
    """Docker is not as needed, or a function did not answer; the message ends with the tool's own last words."""


@dataclass(frozen=True)
class Containers:
    """The functions of a system whose endpoint is reached from this machine and from containers alike."""

    system: System

    @cached_property
    def variables(self) -> dict[str, dict[str, str]]:
        """The environment of each deployed function, by its logical id: what `!Ref` has become."""
        resources = self.system.client("cloudformation").describe_stack_resources(StackName=self.system.stack)
        client = self.system.client("lambda")
        return {
            one["LogicalResourceId"]: client.get_function_configuration(FunctionName=one["PhysicalResourceId"])[
                "Environment"
            ]["Variables"]
            for one in resources["StackResources"]
            if one["ResourceType"] == "AWS::Lambda::Function"
        }

    def prepare(self) -> None:
        """Writes what `sam local invoke` takes: a template that declares every variable, since it sets no others."""
        template = yaml.safe_load((BUILD / "template.yaml").read_text())
        template["Globals"]["Function"]["Environment"]["Variables"]["AWS_ENDPOINT_URL"] = self.system.endpoint_url
        TEMPLATE.write_text(yaml.safe_dump(template))
        ENVIRONMENT.write_text(json.dumps(self.variables, indent=1) + "\n")

    def invoke(self, function: str, event: dict[str, Any]) -> Any:
        """What the function answers.

        Raises ContainerError.
        """
        files = ("--template-file", TEMPLATE, "--env-vars", ENVIRONMENT, "--event", "-")
        try:
            ended = subprocess.run(
                [SAM, "local", "invoke", function, *files],
                cwd=ROOT,
                env=self.system.environment(),
                input=json.dumps(event),
                capture_output=True,
                text=True,
                timeout=INVOKE_SECONDS,
                check=True,
            )
            return json.loads(ended.stdout)
        except subprocess.TimeoutExpired as error:
            raise ContainerError(f"{function} did not answer within {INVOKE_SECONDS} s") from error
        except subprocess.CalledProcessError as error:
            raise ContainerError(f"sam local invoke {function} failed\n{_last_words(error.stderr)}") from error
        except ValueError as error:
            raise ContainerError(f"{function} answered no JSON\n{_last_words(ended.stderr)}") from error


def bridge() -> str:
    """The address of this machine that containers reach.

    Raises ContainerError without Docker, and where Docker runs on a machine of its own.
    """
    try:
        asked = subprocess.run(_BRIDGE, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        words = _last_words(getattr(error, "stderr", "") or str(error))
        raise ContainerError(f"Docker is needed, and does not answer\n{words}") from error
    address = asked.stdout.strip()
    if not _is_here(address):
        message = (
            f"Docker's bridge ({address}) is not on this machine; give an emulator that both reach, --endpoint-url"
        )
        raise ContainerError(message)
    return address


def _is_here(address: str) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            return False
    return True


def _last_words(output: str) -> str:
    return "\n".join(output.splitlines()[-15:])
