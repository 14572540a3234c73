"""`tmws levels`: what verdicts have to reach before they count."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.claims import Level
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app

_LEVELS = click.Choice([level.value for level in Level if level is not Level.OBSERVED])


@click.group()
def levels() -> None:
    """Say what verdicts have to reach, for each namespace."""


@levels.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the least level of every namespace."""
    usual = f"{app.settings.least_level} (TMWS_LEAST_LEVEL)"
    printer.rows(
        ("namespace", "least_level"),
        [
            {"namespace": name, "least_level": level.value if level else usual}
            for name, level in (await app.levels.every()).items()
        ],
        empty="No namespaces yet.",
    )


@levels.command("set")
@click.argument("namespace")
@click.argument("level", type=_LEVELS)
@with_app
async def required(app: App, printer: Printer, namespace: str, level: str) -> None:
    """Let verdicts in NAMESPACE hold only if they reach LEVEL."""
    await app.levels.require(namespace, Level(level), by=operator())
    printer.record({"namespace": namespace, "least_level": level})


@levels.command()
@click.argument("namespace")
@with_app
async def unset(app: App, printer: Printer, namespace: str) -> None:
    """Let TMWS_LEAST_LEVEL hold in NAMESPACE again."""
    await app.levels.require(namespace, None, by=operator())
    printer.record({"namespace": namespace, "least_level": app.settings.least_level})
