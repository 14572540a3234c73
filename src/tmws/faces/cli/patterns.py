"""`tmws patterns`: what agents have learned."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import with_app


@click.group()
def patterns() -> None:
    """Show what agents have learned."""


@patterns.command("list")
@click.option("--category", help="Only this one.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@with_app
async def listed(app: App, printer: Printer, category: str | None, limit: int) -> None:
    """List the newest patterns of all agents, private ones included: you own the store."""
    rows = [
        {
            "id": pattern.id,
            "name": pattern.name,
            "category": pattern.category,
            "author": pattern.owner,
            "level": pattern.level.value,
            "namespace": pattern.namespace,
            "uses": pattern.usage.count,
            "success_rate": pattern.usage.success_rate,
            "confidence": pattern.usage.confidence,
            "created_at": pattern.created_at,
        }
        for pattern in await app.learning.newest(category=category, limit=limit)
    ]
    printer.rows(
        ("id", "name", "category", "author", "level", "uses", "success_rate"),
        rows,
        empty="No patterns yet. Agents store them with the tool learn_pattern.",
    )
