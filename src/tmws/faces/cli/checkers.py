"""`tmws checkers`: modules that compute the numbers that claims are about."""

from __future__ import annotations

from typing import BinaryIO

import click

from tmws.app import App
from tmws.domain.checkers import MOST_MODULE_BYTES
from tmws.faces.cli import probing
from tmws.faces.cli.kept import show
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app


@click.group()
def checkers() -> None:
    """Let WebAssembly modules compute numbers that claims are about."""


@checkers.command()
@click.argument("name")
@click.argument("file", type=click.File("rb"))
@click.option("--workspace", required=True, help="Whose claims may name it.")
@with_app
async def add(app: App, printer: Printer, name: str, *, file: BinaryIO, workspace: str) -> None:
    """Register the module FILE (.wasm, at most 2 MiB) under NAME.

    It exports memory, allocate (i32 length) -> i32 address, and metric (i32 address, i32
    length) -> f64, i64 or i32, and imports nothing. Agents claim by `checker NAME FILE >= 0.9`.
    """

    async def told(words: str) -> None:
        printer.say(f"{words[0].upper()}{words[1:]} ...")

    module = file.read(MOST_MODULE_BYTES + 1)
    source = f"file {file.name}"
    kept = await app.checkers.add(
        name, workspace, module, source=source, by=operator(), progress=told
    )
    printer.record({"name": name, "workspace": workspace, "sha256": kept.digest})


@checkers.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the checkers."""
    show(
        printer,
        await app.checkers.every(),
        empty="No checkers yet. Register one: tmws checkers add NAME FILE.wasm --workspace W.",
    )


@checkers.command()
@click.argument("name")
@with_app
async def remove(app: App, printer: Printer, name: str) -> None:
    """Compute by NAME no longer; verdicts that rest on it stay."""
    await app.checkers.remove(name, by=operator())
    printer.record({"name": name, "removed": True})


@checkers.command()
@with_app
async def test(app: App, printer: Printer) -> None:
    """Try what a module must not be able to do; exit 7 if anything was possible."""
    probing.show(
        printer,
        await app.checkers.test(),
        holder="The engine does not hold a module in",
        so="No checker runs.",
    )
