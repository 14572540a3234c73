"""`tmws patterns recommend`: what an agent would be recommended, and every reason for it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import click

from tmws.app import App
from tmws.domain.situations import MOST_RECOMMENDED, Situation
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import acting, agent_option, with_app
from tmws.services.recommendation import Recommended


@click.command()
@click.argument("task")
@click.option("--error", default="", help="What went wrong so far, as it was printed.")
@click.option("--file", "files", multiple=True, help="Name of a file it is about; repeatable.")
@click.option("--namespace", help="Look into this one only.")
@click.option("--limit", default=3, show_default=True, type=click.IntRange(1, MOST_RECOMMENDED))
@agent_option
@with_app
async def recommend(
    app: App,
    printer: Printer,
    task: str,
    *,
    error: str,
    files: tuple[str, ...],
    namespace: str | None,
    limit: int,
    name: str | None,
) -> None:
    """Show what an agent would be recommended for TASK, and why.

    Nothing is tried out and nothing withheld, and no outcome can be reported on it.
    """
    agent = await acting(app, name)
    situation = Situation(task, error, files, limit=limit, namespace=namespace)
    found = await app.recommendation.look(agent, situation)
    printer.rows(
        ("name", "score", "why", "success_bound", "nearest", "against"),
        [_record(each) if printer.as_json else _line(each) for each in found.items],
        empty="Nothing fits. Agents store what worked with the tool learn_pattern.",
    )
    if found.degraded:
        printer.say(f"\n{found.degraded}")


def _record(each: Recommended) -> dict[str, Any]:
    return {
        "id": each.pattern.id,
        "name": each.pattern.name,
        "owner": each.pattern.owner,
        "score": each.score,
        "why": each.parts,
        "success_bound": each.bound,
        "nearest": [asdict(use) for use in each.nearest],
        "against": each.against,
    }


def _line(each: Recommended) -> dict[str, str]:
    return {
        "name": each.pattern.name,
        "score": f"{each.score:.3f}",
        "why": " ".join(f"{part.value} {value:+.3f}" for part, value in each.parts.items()),
        "success_bound": f"{each.bound:.2f}",
        "nearest": ", ".join(
            f"{use.good:g} at {use.similarity:.1f}{' proven' if use.proven else ''}"
            for use in each.nearest
        )
        or "-",
        "against": "; ".join(each.against) or "-",
    }
