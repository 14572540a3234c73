"""`tmws tools`: switching a tool off and on while servers run."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app


@click.group()
def tools() -> None:
    """Switch tools off and on, in every running server at once."""


@tools.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List all tools and whether they are on."""
    rows = [
        {"tool": state.tool, "enabled": state.enabled, "reason": state.reason}
        for state in await app.tools.every()
    ]
    printer.rows(("tool", "enabled", "reason"), rows, empty="")


@tools.command()
@click.argument("name")
@click.option("--reason", required=True, help="Told to whoever calls the tool meanwhile.")
@with_app
async def disable(app: App, printer: Printer, name: str, reason: str) -> None:
    """Refuse every call of the tool NAME from now on, until it is enabled."""
    await app.tools.disable(name, reason=reason, by=operator())
    printer.record({"tool": name, "enabled": False, "reason": reason})


@tools.command()
@click.argument("name")
@click.option("--reason", default="back to normal", show_default=True, help="For the ledger.")
@with_app
async def enable(app: App, printer: Printer, name: str, reason: str) -> None:
    """Accept calls of the tool NAME again."""
    changed = await app.tools.enable(name, reason=reason, by=operator())
    printer.record({"tool": name, "enabled": True, "changed": changed})
