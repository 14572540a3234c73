"""`tmws patterns find`: what an agent would be shown, with its scores."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.errors import NotFound
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import acting, agent_option, with_app
from tmws.services.learning import MOST_RESULTS, FoundPattern, PatternQuery


@click.command("find")
@click.argument("query", required=False)
@click.option("--similar-to", metavar="ID", help="A pattern, in place of a query.")
@click.option("--limit", default=10, show_default=True, type=click.IntRange(1, MOST_RESULTS))
@agent_option
@with_app
async def find(
    app: App,
    printer: Printer,
    query: str | None,
    *,
    similar_to: str | None,
    limit: int,
    name: str | None,
) -> None:
    """Find patterns by QUERY as one agent would, the best first, and say why."""
    agent = await acting(app, name)
    try:
        found = await app.learning.find(
            agent, PatternQuery(query, similar_to=similar_to, limit=limit)
        )
    except NotFound as error:  # its way out is a tool
        raise NotFound(
            f"No pattern {(similar_to or '')[:40]!r} is visible to {agent.name!r}. "
            "See: tmws patterns list."
        ) from error
    printer.rows(
        ("id", "name", "score", "why", "uses", "confidence"),
        [_row(item) for item in found.items],
        empty="Nothing that fits.",
    )


def _row(item: FoundPattern) -> dict[str, object]:
    parts = item.parts or {}
    return {
        "id": item.pattern.id,
        "name": item.pattern.name,
        "score": item.score,
        "why": " + ".join(f"{way} {part:.2f}" for way, part in parts.items()) or None,
        "uses": item.pattern.usage.count,
        "confidence": item.pattern.usage.confidence,
    }
