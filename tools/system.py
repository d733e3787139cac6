"""The hospital as deployed on an emulator: built once, put there, and where to reach it."""

from __future__ import annotations

import fcntl
import hashlib
import io
import os
import shutil
import subprocess
import time
import zipfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import yaml

from tools.paths import BUILD, ROOT, SAM, TEST_LAYER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from botocore.config import Config

SOURCES = (
    *("template.yaml", "gateway.yaml", "samconfig.toml", "tools/artefact.py"),
    *("requirements/layer.lock", "requirements/documents.lock"),
)
SOURCE_TREES = ("functions", "layers", "statemachines")
# A rolled back stack keeps `sam deploy` waiting for an hour on LocalStack.
SAM_SECONDS = 300
READY_SECONDS = 120
GATEWAY = {"AWS::Serverless::Api", "AWS::Lambda::Permission"}
FINISHED = {"CREATE_COMPLETE", "UPDATE_COMPLETE"}
# Keys of nobody: whatever the operator's shell holds for AWS stays out of reach.
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


class DeployError(Exception):
    """The build or the deployment failed; the message ends with the tool's own last words."""


@dataclass(frozen=True)
class System:
    endpoint_url: str
    stage: str = "local"
    stack: str = "hms"
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def base_url(self) -> str:
        return f"{self.endpoint_url}{self._base_path}"

    @property
    def _base_path(self) -> str:
        return f"/restapis/{self.stack}/{self.stage}/_user_request_"

    def client(self, service: str, config: Config | None = None) -> Any:
        """A boto3 client of this emulator."""
        return boto3.client(
            service,  # type: ignore[call-overload]
            endpoint_url=self.endpoint_url,
            region_name=CREDENTIALS["AWS_DEFAULT_REGION"],
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=config,
        )

    def environment(self) -> dict[str, str]:
        """What a command line needs to talk to this emulator and to nothing else."""
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith("AWS_") or name == "AWS_CA_BUNDLE"
        }
        nowhere = {"AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "SAM_CLI_TELEMETRY": "0"}
        return kept | CREDENTIALS | nowhere | {"AWS_ENDPOINT_URL": self.endpoint_url, "SAM_CLI_POLL_DELAY": "0.5"}

    def deployed(self) -> bool:
        """Whether the stack is there and whole."""
        return self._status() in FINISHED

    def _status(self) -> str | None:
        client = self.client("cloudformation")
        try:
            stacks = client.describe_stacks(StackName=self.stack)["Stacks"]
        except client.exceptions.ClientError:
            return None
        return next((stack["StackStatus"] for stack in stacks if stack["StackStatus"] != "DELETE_COMPLETE"), None)

    def remove(self) -> None:
        """Deletes the stack if it is there; its tables and key stay behind, as the template asks."""
        if self._status() is None:
            return
        client = self.client("cloudformation")
        client.delete_stack(StackName=self.stack)
        client.get_waiter("stack_delete_complete").wait(
            StackName=self.stack, WaiterConfig={"Delay": 1, "MaxAttempts": 120}
        )

    def deploy(self) -> None:
        """Puts what was built there.

        Raises DeployError.
        """
        with _exclusive():
            self._deploy(BUILD / "template.yaml")

    def wait_until_ready(self) -> None:
        """Asks `/ready` until every domain answers.

        Raises DeployError after READY_SECONDS.
        """
        deadline = time.monotonic() + READY_SECONDS
        while (problem := self._problem()) and time.monotonic() < deadline:
            time.sleep(0.5)
        if problem:
            message = f"{self.base_url}/ready: {problem}"
            raise DeployError(message)

    def _problem(self) -> str:
        try:
            answer = httpx.get(f"{self.base_url}/ready", timeout=READY_SECONDS)
        except httpx.HTTPError as error:
            return type(error).__name__
        return "" if answer.is_success else answer.text

    def deploy_new_gateway(self) -> None:
        """Like `deploy`, with the gateway taken away first: data and everything else stay.

        MiniStack replaces an API whose routes changed by making the new one first, which the fixed id forbids.
        """
        with _exclusive():
            template = yaml.safe_load((BUILD / "template.yaml").read_text())
            resources = template["Resources"].items()
            template["Resources"] = {name: one for name, one in resources if one["Type"] not in GATEWAY}
            template.pop("Outputs", None)
            (BUILD / "without-gateway.yaml").write_text(yaml.safe_dump(template))
            self._deploy(BUILD / "without-gateway.yaml")
            self._deploy(BUILD / "template.yaml")

    def _deploy(self, template: Path) -> None:
        settings = {"Stage": self.stage, "BasePath": self._base_path, "PartialBatches": self._takes_partial_batches()}
        settings |= {"PublicUrl": self.base_url, "SimulatorSecret": self.stack} | dict(self.parameters)
        overrides = [f"{name}={value}" for name, value in settings.items()]
        config = ("--config-file", str(ROOT / "samconfig.toml"))
        place = (*config, "--template-file", str(template), "--stack-name", self.stack)
        _sam("deploy", *place, "--parameter-overrides", *overrides, environment=self.environment())
        self._verify_sender()

    def _verify_sender(self) -> None:
        """SES of an emulator believes at once what its owner would have to prove to AWS."""
        stack = self.client("cloudformation").describe_stacks(StackName=self.stack)["Stacks"][0]
        sender = {one["ParameterKey"]: one["ParameterValue"] for one in stack["Parameters"]}["SenderAddress"]
        self.client("ses").verify_email_identity(EmailAddress=sender)

    def _takes_partial_batches(self) -> str:
        """Whether the streams there do; MiniStack takes any answer for success and moves on."""
        try:
            answer = httpx.get(f"{self.endpoint_url}/_ministack/ready", timeout=READY_SECONDS)
        except httpx.HTTPError:
            return "true"
        return "false" if answer.is_success else "true"


def prune(system: System) -> int:
    """Deletes the versions of functions that no alias names any more; says how many."""
    client = system.client("lambda")
    stale = [pair for name in _functions(system) for pair in _stale(client, name)]
    for name, version in stale:
        # On a loaded machine the answer comes late, and the client's second try finds nothing left to delete.
        with suppress(client.exceptions.ResourceNotFoundException):
            client.delete_function(FunctionName=name, Qualifier=version)
    return len(stale)


def _functions(system: System) -> list[str]:
    resources = system.client("cloudformation").describe_stack_resources(StackName=system.stack)["StackResources"]
    return [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == "AWS::Lambda::Function"]


def _stale(client: Any, name: str) -> list[tuple[str, str]]:
    live = {alias["FunctionVersion"] for alias in client.list_aliases(FunctionName=name)["Aliases"]}
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    return [(name, one["Version"]) for one in versions if one["Version"] not in live | {"$LATEST"}]


def publish_test_layer(system: System, directory: Path = TEST_LAYER) -> str:
    """Puts the test-only layer there and returns its ARN, for the parameter `TestLayerArn`."""
    layer = system.client("lambda").publish_layer_version(
        LayerName=f"{system.stack}-testing", Content={"ZipFile": _zipped(directory)}, CompatibleRuntimes=["python3.13"]
    )
    arn: str = layer["LayerVersionArn"]
    return arn


def _zipped(directory: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in sorted(directory.rglob("*.py")):
            archive.write(path, f"python/{path.relative_to(directory)}")
    return buffer.getvalue()


def build() -> bool:
    """Builds the layers and functions unless they are up to date; says whether it had to.

    Raises DeployError.
    """
    with _exclusive():
        marker = BUILD.parent / "built"
        digest = sources_digest()
        if BUILD.exists() and built() == digest:
            return False
        marker.unlink(missing_ok=True)
        shutil.rmtree(BUILD, ignore_errors=True)
        _sam("build", environment=os.environ | {"SAM_CLI_TELEMETRY": "0"})
        marker.write_text(digest)
        return True


def built() -> str:
    """The digest of the sources that the present build was made from, empty without one."""
    marker = BUILD.parent / "built"
    return marker.read_text() if marker.exists() else ""


def sources_digest() -> str:
    """Names the state of everything that a build reads."""
    digest = hashlib.sha256()
    for path in _sources():
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _sources() -> list[Path]:
    trees = (path for tree in SOURCE_TREES for path in (ROOT / tree).rglob("*"))
    files = (ROOT / name for name in SOURCES)
    return sorted(path for path in [*trees, *files] if path.is_file() and "__pycache__" not in path.parts)


@contextmanager
def _exclusive() -> Iterator[None]:
    """One build or deployment at a time: they share the artefacts."""
    BUILD.parent.mkdir(exist_ok=True)
    with (BUILD.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _sam(verb: str, *arguments: str, environment: Mapping[str, str]) -> None:
    command: list[str | Path] = [SAM, verb, *arguments]
    log = BUILD.parent / f"{verb}.log"
    with log.open("w") as output:
        try:
            subprocess.run(
                command,
                cwd=ROOT,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=SAM_SECONDS,
                check=True,
            )
        except subprocess.SubprocessError as error:
            message = f"sam {verb} failed ({log})\n{_last_words(log.read_text())}"
            raise DeployError(message) from error


def _last_words(output: str) -> str:
    lines = output.splitlines()
    failures = [line for line in lines if "FAILED" in line]
    return "\n".join([*failures[:20], *lines[-15:]])
