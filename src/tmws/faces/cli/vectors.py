"""`tmws vectors`: how far models and index are, and what to do when they are not."""

from __future__ import annotations

import dataclasses
import sys

import click

from tmws.app import App
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import with_app

_NONE_KEPT = (
    "Vectors are searched exactly, straight from the database: there is no index that could "
    "differ from it."
)


@click.group()
def vectors() -> None:
    """Show, check and rebuild what vectors are found with."""


@vectors.command()
@with_app
async def status(app: App, printer: Printer) -> None:
    """Show what each model has read, and what the index holds of it."""
    await _show(app, printer)


@vectors.command()
@with_app
async def fill(app: App, printer: Printer) -> None:
    """Do now what a running server does beside its requests: read, switch, and feed the index."""
    await app.upkeep.fill()
    await _show(app, printer)
    await app.upkeep.require_filled()


async def _show(app: App, printer: Printer) -> None:
    states = [dataclasses.asdict(state) for state in await app.upkeep.status()]
    columns = ("kind", "namespace", "embedder", "role", "texts", "vectors", "indexed", "behind")
    printer.rows(columns, states, empty="No vectors yet.")
    trouble = await app.upkeep.trouble()
    if trouble:
        cause = f" ({trouble.__cause__})" if trouble.__cause__ else ""
        printer.say(f"{trouble.message}{cause}")


@vectors.command()
@with_app
async def rebuild(app: App, printer: Printer) -> None:
    """Have the index forget everything and take it over again, damaged or not."""
    if app.upkeep.keeps_an_index:
        await app.upkeep.rebuild()
    else:
        printer.say(_NONE_KEPT)
    states = await app.upkeep.status()
    printer.record({"indexed": sum(state.indexed or 0 for state in states)})


@vectors.command()
@click.option("--all", "whole", is_flag=True, help="Look for every vector, not for a sample.")
@with_app
async def check(app: App, printer: Printer, *, whole: bool) -> None:
    """Compare the index with exact search; exit 1 if it cannot be relied on."""
    if not app.upkeep.keeps_an_index:
        printer.rows((), [], empty=_NONE_KEPT)
        return
    compared = await app.upkeep.check(whole=whole)
    columns = ("kind", "namespace", "embedder", "asked", "recall", "strays", "holds")
    rows = [dataclasses.asdict(each) | {"holds": each.holds} for each in compared]
    printer.rows(columns, rows, empty="No vectors yet.")
    if not all(each.holds for each in compared):
        printer.say("Run: tmws vectors rebuild.")
        sys.exit(1)


@vectors.command()
@with_app
async def prune(app: App, printer: Printer) -> None:
    """Remove now what models left that serve no more; servers do so after a week."""
    printer.record({"vectors": await app.upkeep.prune()})
