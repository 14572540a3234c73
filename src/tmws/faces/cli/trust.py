"""`tmws trust`: how far each agent can be relied on."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.errors import NotFound
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import with_app
from tmws.services.trust import TrustView


@click.group()
def trust() -> None:
    """Show trust scores; only verdicts move them."""


@trust.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List every agent's score, most relied on first."""
    views = sorted(await app.trust.every(), key=lambda view: (-view.score.low, view.agent))
    printer.rows(
        ("agent", "score", "low", "high", "supported", "refuted", "inconclusive"),
        [_row(view) for view in views],
        empty="No agents yet. Create one: tmws agents create NAME.",
    )


@trust.command()
@click.argument("agent")
@with_app
async def show(app: App, printer: Printer, agent: str) -> None:
    """Show one agent's score and where it comes from."""
    for view in await app.trust.every():
        if view.agent == agent:
            printer.record({**_row(view), "explanation": view.score.explanation()})
            return
    raise NotFound(f"No agent is named {agent[:64]!r}. See: tmws agents list.")


def _row(view: TrustView) -> dict[str, object]:
    score = view.score
    return {
        "agent": view.agent,
        "score": score.score,
        "low": score.low,
        "high": score.high,
        "supported": score.supported,
        "refuted": score.refuted,
        "inconclusive": score.inconclusive,
    }
