"""A deployed stack to work on: on this machine, on some emulator, or on AWS."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from tools.system import System

if TYPE_CHECKING:
    from collections.abc import Callable

LOCAL_STACK = "hms"


class ReplayError(Exception):
    """What was asked for is not there; the message says what is."""


class NoOwner(ReplayError):
    """The stack has nobody whose event it could be."""


class Place:
    """`connect` makes a boto3 client of a service there."""

    def __init__(self, stack: str, connect: Callable[[str], Any]) -> None:
        self.stack = stack
        self._connect = connect
        self._clients: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        """One for each service."""
        if service not in self._clients:
            self._clients[service] = self._connect(service)
        return self._clients[service]

    def resource(self, logical_id: str) -> str:
        """The physical id of a resource. Raises ReplayError where the stack has none of that name."""
        if logical_id not in self._resources:
            raise ReplayError(f"the stack {self.stack} has no {logical_id}")
        return self._resources[logical_id][1]

    def of_type(self, kind: str) -> dict[str, str]:
        """Physical ids by logical id."""
        return {name: physical for name, (type_, physical) in sorted(self._resources.items()) if type_ == kind}

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    @cached_property
    def _resources(self) -> dict[str, tuple[str, str]]:
        client = self.client("cloudformation")
        try:
            pages = list(client.get_paginator("list_stack_resources").paginate(StackName=self.stack))
        except client.exceptions.ClientError as error:
            raise ReplayError(f"there is no stack {self.stack}: {error}") from error
        found = [one for page in pages for one in page["StackResourceSummaries"]]
        return {one["LogicalResourceId"]: (one["ResourceType"], one.get("PhysicalResourceId", "")) for one in found}


def place(stack: str, endpoint_url: str) -> Place:
    """The emulator at a URL, else the stack of that name on AWS, else the hospital on this machine."""
    from tools import runner

    if endpoint_url or not stack:
        system = System(endpoint_url, stack=stack or LOCAL_STACK) if endpoint_url else runner.running_system()
        return of_system(system)
    from boto3.session import Session

    session: Any = Session()
    return Place(stack, session.client)


def of_system(system: System) -> Place:
    return Place(system.stack, system.client)
