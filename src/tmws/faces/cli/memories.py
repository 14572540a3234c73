"""`tmws memories`: notes that agents kept, and the way to be rid of one."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.agents import Administrator
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import acting, operator, with_app


@click.group()
def memories() -> None:
    """Show notes of agents, private ones included: you own the store."""


@memories.command("list")
@click.option("--agent", "name", help="Only what this agent wrote.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@with_app
async def listed(app: App, printer: Printer, name: str | None, limit: int) -> None:
    """List the newest notes of all agents."""
    owner_id = (await acting(app, name)).id if name is not None else None
    found = await app.memory.notes(owner_id=owner_id, limit=limit)
    printer.rows(
        ("id", "agent", "level", "created_at", "text"),
        [
            {
                "id": note.id,
                "agent": note.owner,
                "namespace": note.namespace,
                "level": note.level.value,
                "created_at": note.created_at,
                "text": note.text,
                "tags": list(note.tags),
            }
            for note in found
        ],
        empty="No notes. Agents keep them with the tool remember.",
    )


@memories.command()
@click.argument("memory_id")
@click.confirmation_option(prompt="Erase the note for good?")
@with_app
async def forget(app: App, printer: Printer, memory_id: str) -> None:
    """Erase a note for good, in whoever's name it was kept."""
    await app.memory.forget(Administrator(operator()), memory_id)
    printer.record({"id": memory_id, "done": "forgotten"})
