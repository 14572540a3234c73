"""`tmws held`: questions about a workspace that agents never see."""

from __future__ import annotations

from typing import BinaryIO

import click

from tmws.app import App
from tmws.faces.cli.kept import show
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app


@click.group()
def held() -> None:
    """Keep questions whose answers decide at level independent."""


@held.command()
@click.argument("name")
@click.option("--workspace", required=True, help="Whose code is asked.")
@click.option("--file", required=True, type=click.File("rb"), help="JSON; - reads it from stdin.")
@with_app
async def add(app: App, printer: Printer, name: str, *, workspace: str, file: BinaryIO) -> None:
    """Keep the cases of a file under NAME; agents may have it asked, and never read it.

    A file looks like {"call": "app:add", "cases": [{"arguments": [1, 2], "returns": 3}]} or
    {"script": "cli.py", "cases": [{"words": ["-v"], "stdin": "1", "stdout": "2\\n"}]}.
    """
    kept = await app.held_checks.add(
        name, workspace, file.read(), source=f"file {file.name}", by=operator()
    )
    printer.record({"name": name, "workspace": workspace, "sha256": kept.digest})


@held.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the held checks."""
    show(
        printer,
        await app.held_checks.every(),
        empty="No held checks yet. Keep one: tmws held add NAME --workspace W --file cases.json.",
    )


@held.command()
@click.argument("name")
@with_app
async def remove(app: App, printer: Printer, name: str) -> None:
    """Ask NAME no longer; verdicts that rest on it stay."""
    await app.held_checks.remove(name, by=operator())
    printer.record({"name": name, "removed": True})
