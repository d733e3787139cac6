"""`hms`: the operator's command line. A command loads its module when it is called."""

from __future__ import annotations

import sys
from pathlib import Path  # noqa: TC003  (typer reads the annotations)
from typing import Annotated

import typer

from tools.replay.command import EndpointOption, StackOption
from tools.replay.command import app as replay

app = typer.Typer(name="hms", help="Runs, fills and proves the hospital.", no_args_is_help=True, add_completion=False)


app.add_typer(replay, name="replay")


@app.command()
def up() -> None:
    """Start the hospital on this machine, or update it in place, and leave it running."""
    from tools import runner

    runner.up()


@app.command()
def down() -> None:
    """Stop it and keep its data."""
    from tools import runner

    runner.down()


@app.command()
def reset() -> None:
    """Stop it and forget its data."""
    from tools import runner

    runner.reset()


@app.command()
def status() -> None:
    """Say whether it is running, and where."""
    from tools import runner

    if not runner.status():
        raise typer.Exit(1)


@app.command()
def logs(
    function: Annotated[str, typer.Argument(help="part of a function's name, e.g. patients or relay")] = "",
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="go on until interrupted")] = False,
) -> None:
    """Show what the functions logged."""
    from tools import logs

    logs.show(function, follow=follow)


@app.command()
def build() -> None:
    """Build the layers and functions unless they are up to date."""
    from tools import system

    typer.echo("built" if system.build() else "up to date")


@app.command()
def deploy(
    endpoint_url: Annotated[str, typer.Argument(help="an emulator that is already up, e.g. http://localhost:4566")],
) -> None:
    """Build and deploy to an emulator that is already up."""
    from tools.system import System, build

    build()
    system = System(endpoint_url)
    system.deploy()
    typer.echo(system.base_url)


@app.command()
def seed() -> None:
    """Fill the hospital that runs on this machine with demo people; again changes nothing."""
    from tools import runner, seed

    seed.seed(runner.running_system())


@app.command()
def outbox(address: Annotated[str, typer.Argument(help="only those to this e-mail address or number")] = "") -> None:
    """Show the e-mails and text messages that the hospital on this machine has sent; they went to nobody."""
    from tools import outbox, runner

    outbox.show(runner.running_system(), address)


@app.command("import")
def import_folder(
    folder: Annotated[Path, typer.Argument(exists=True, file_okay=False, help="with the older system's CSV files")],
) -> None:
    """Take in the people, visits, bills and payments of an older system; what is wrong goes into quarantine."""
    from tools import runner
    from tools.importing import command

    command.run(folder, runner.running_system())


@app.command()
def rebuild(
    domain: Annotated[str, typer.Argument(help="whose copies of other domains, e.g. appointments")],
    stack: StackOption = "",
    endpoint_url: EndpointOption = "",
) -> None:
    """Drop what a domain has copied from others and have it told again by its owners. It answers meanwhile."""
    from tools.replay import command

    command.rebuild(domain, stack, endpoint_url)


@app.command()
def prove(
    promises: Annotated[list[str] | None, typer.Argument(help="e.g. P1 P2; all where none is named")] = None,
    *,
    small: Annotated[bool, typer.Option("--small", help="the size that the test suite runs")] = False,
) -> None:
    """Prove the promises; with ENDPOINT_URL on the emulator there, else on one of its own."""
    from tools.proofs import run

    wanted = [name.upper() for name in promises or run.names()]
    if not set(wanted) <= set(run.names()):
        raise typer.BadParameter(f"there are proofs of {', '.join(run.names())}")
    if not run.prove(wanted, full=not small):
        raise typer.Exit(1)


@app.command("invoke-samples")
def invoke_samples(
    *,
    endpoint_url: Annotated[
        str, typer.Option(help="an emulator that containers reach too; else one is started on Docker's bridge")
    ] = "",
) -> None:
    """Run every function in its container with `sam local invoke` and check what it answers to its sample."""
    from tools import invoke

    if not invoke.samples_on(endpoint_url):
        raise typer.Exit(1)


@app.command()
def imports() -> None:
    """Check the import contracts over every domain."""
    from tools import imports

    raise typer.Exit(imports.check())


@app.command()
def template() -> None:
    """Check the template with SAM and cfn-lint."""
    from tools import template

    raise typer.Exit(template.check())


@app.command()
def gateway() -> None:
    """Write gateway.yaml from the routes of the code."""
    from tools import gateway

    gateway.write()


@app.command()
def openapi() -> None:
    """Write gateway.yaml, openapi.json, asyncapi.json, the event contracts and the samples from the code."""
    from tools import asyncapi, contracts, gateway, openapi, samples

    try:
        contracts.write()
    except contracts.BreakingChange as problem:
        typer.secho(f"hms: {problem}", err=True, fg="red")
        raise typer.Exit(1) from None
    for face in (gateway, openapi, asyncapi, samples):
        face.write()


@app.command()
def docs() -> None:
    """Write the documents that come from the code."""
    from tools import flows, permissions

    for document in (flows, permissions):
        document.write()


@app.command()
def bench() -> None:
    """Measure the speed promises as ratios against the usual stack."""
    from tools.bench import run

    if not run.bench():
        raise typer.Exit(1)


def main() -> None:
    from tools.containers import ContainerError
    from tools.emulator import EmulatorError
    from tools.importing.stopped import ImportStopped
    from tools.replay.place import ReplayError
    from tools.system import DeployError

    try:
        app(prog_name="hms")
    except (EmulatorError, ContainerError, DeployError, ImportStopped, ReplayError) as error:
        typer.secho(f"hms: {error}", err=True, fg="red")
        sys.exit(1)


if __name__ == "__main__":
    main()
