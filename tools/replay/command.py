"""`hms replay …`: dead letters, and events told again."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, TextColumn
from rich.table import Table

from tools.progress import console
from tools.replay.plain import plain

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tools.replay.letters import Letter, Queue
    from tools.replay.place import Place

app = typer.Typer(
    help="List, show and redrive dead letters; publish events again. Safe to repeat: effects are unique.",
    no_args_is_help=True,
)

_STACK = "a stack on AWS, with your own credentials, e.g. hms-prod; without it the hospital on this machine"
StackOption = Annotated[str, typer.Option("--stack", help=_STACK)]
EndpointOption = Annotated[str, typer.Option("--endpoint-url", help="an emulator, e.g. http://localhost:4567")]
QueueArgument = Annotated[str, typer.Argument(help="as `hms replay list` names it, e.g. PatientsDeadLetters")]
MessageOption = Annotated[str, typer.Option("--message", help="only this one")]


@app.command("list")
def list_queues(stack: StackOption = "", endpoint_url: EndpointOption = "") -> None:
    """Every queue of failures: how much is in it, and how old the oldest is."""
    from tools.replay import letters

    table = Table("queue", "messages", "oldest", box=None, pad_edge=False)
    with _place(stack, endpoint_url) as place:
        for queue in letters.queues(place):
            table.add_row(queue.name, str(queue.messages), _oldest(place, queue))
    console.print(table)


@app.command()
def show(
    queue: QueueArgument,
    message: MessageOption = "",
    limit: Annotated[int, typer.Option(help="at most so many", min=1)] = 20,
    stack: StackOption = "",
    endpoint_url: EndpointOption = "",
) -> None:
    """What lies there, as JSON lines: ids whole, personal data masked. Nothing is taken away."""
    from tools.replay import letters

    with _place(stack, endpoint_url) as place:
        found = letters.queue_named(place, queue)
        with letters.held(place, found) as held:
            for _, letter in zip(range(limit), _wanted(held, message), strict=False):
                _print(json.dumps(letter.shown(), ensure_ascii=False))


@app.command()
def redrive(
    queue: QueueArgument,
    message: MessageOption = "",
    stack: StackOption = "",
    endpoint_url: EndpointOption = "",
) -> None:
    """Send what lies there on its way again, then take it away. May be interrupted and repeated."""
    from tools.replay import letters
    from tools.replay.redrive import redrive as send_again

    sent, left = 0, dict[str, str]()
    with _place(stack, endpoint_url) as place:
        found = letters.queue_named(place, queue)
        with letters.held(place, found) as held, _bar(queue, 1 if message else found.messages) as advance:
            for letter in _wanted(held, message):
                problem = send_again(place, found, letter)
                left |= {letter.message_id: problem} if problem else {}
                sent += not problem
                advance(1)
    _told(sent, left, message)


@app.command()
def drop(
    queue: QueueArgument,
    message: Annotated[str, typer.Option("--message", help="the one to take away for good")],
    stack: StackOption = "",
    endpoint_url: EndpointOption = "",
) -> None:
    """Take one message away for good. Its event, if it names one, stays in its owner's table."""
    from tools.replay import letters

    with _place(stack, endpoint_url) as place:
        found = letters.queue_named(place, queue)
        with letters.held(place, found) as held:
            dropped = list(_wanted(held, message))
            for letter in dropped:
                letters.remove(place, found, letter)
    _told(len(dropped), {}, message)


@app.command()
def republish(
    domain: Annotated[str, typer.Argument(help="whose events, e.g. appointments")],
    *,
    aggregate: Annotated[str, typer.Option(help="all events of this patient, doctor, visit …")] = "",
    since: Annotated[str, typer.Option("--from", help="RFC 3339, e.g. 2026-11-21T06:30:00Z")] = "",
    until: Annotated[str, typer.Option("--to", help="RFC 3339; now where it is left out")] = "",
    stack: StackOption = "",
    endpoint_url: EndpointOption = "",
) -> None:
    """Publish events again, from their owner's table: of one aggregate, or of a time."""
    from tools.replay.republish import republish_aggregate, republish_span
    from tools.replay.rows import Span, Wanted
    from tools.replay.sending import to_topic

    if bool(aggregate) == bool(since):
        raise typer.BadParameter("say --aggregate or --from")
    with _place(stack, endpoint_url) as place:
        if aggregate:
            sent = republish_aggregate(place, domain, aggregate, to_topic(place))
        else:
            span = Span(_instant(since, "--from"), _instant(until, "--to") if until else datetime.now(UTC))
            with _bar(domain, None) as advance:
                sent = republish_span(place, domain, Wanted(span), to_topic(place), advance)
    console.print(f"{sent:,} events published")


def rebuild(domain: str, stack: str, endpoint_url: str) -> None:
    from tools.replay.rebuild import Model

    with _place(stack, endpoint_url) as place:
        model = Model(place, domain)
        with _bar(f"{domain}: copies dropped", None) as advance:
            dropped = model.drop(advance)
        with _bar(f"{domain}: events told again", None) as advance:
            sent = model.tell_again(advance)
    console.print(f"{dropped:,} copies dropped, {sent:,} events on their way")


def _wanted(held: Iterator[Letter], message: str) -> Iterator[Letter]:
    return (letter for letter in held if message in ("", letter.message_id))


def _told(done: int, left: dict[str, str], message: str) -> None:
    for message_id, problem in left.items():
        _print(f"{message_id} stays: {problem}")
    if message and not done and not left:
        _print(f"there is no message {message}")
    console.print(f"{done:,} done, {len(left):,} left")
    if left or (message and not done):
        raise typer.Exit(1)


def _print(line: str) -> None:
    console.print(plain(line), markup=False, soft_wrap=True)


def _oldest(place: Place, queue: Queue) -> str:
    from tools.replay import letters

    if not queue.messages:
        return ""
    with letters.held(place, queue) as held:
        sent = [letter.sent_at for _, letter in zip(range(100), held, strict=False)]
    return _age(datetime.now(UTC) - min(sent)) if sent else ""


def _age(age: timedelta) -> str:
    minutes, hours = int(age.total_seconds() // 60), int(age.total_seconds() // 3600)
    return f"{hours // 24} d {hours % 24} h" if hours >= 48 else f"{hours} h {minutes % 60} min"


def _instant(text: str, option: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{option} is no RFC 3339 instant") from error
    if instant.tzinfo is None:
        raise typer.BadParameter(f"{option} needs an offset or Z")
    return instant


@contextmanager
def _bar(title: str, total: int | None) -> Iterator[Callable[[int], None]]:
    counted = (BarColumn(), MofNCompleteColumn()) if total is not None else (TextColumn("{task.completed:,.0f}"),)
    columns: tuple[ProgressColumn, ...] = (TextColumn("{task.description}"), *counted)
    with Progress(*columns, console=console) as progress:
        bar = progress.add_task(title, total=total)
        yield lambda events: progress.advance(bar, events)


@contextmanager
def _place(stack: str, endpoint_url: str) -> Iterator[Place]:
    from tools.replay.place import place

    with closing(place(stack, endpoint_url)) as found:
        yield found
