"""`tmws patterns`: what agents have learned, and what became of it."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from tmws.app import App
from tmws.domain.agents import Administrator
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import Pattern
from tmws.domain.versions import Version
from tmws.faces.cli.pattern_files import export_file, import_file
from tmws.faces.cli.pattern_find import find
from tmws.faces.cli.pattern_stats import stats
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.recommendations import recommend
from tmws.faces.cli.running import operator, with_app


def moment(_: click.Context, __: click.Parameter, value: str | None) -> datetime | None:
    """Return a time as ISO 8601 writes it; UTC where no zone is said."""
    try:
        at = datetime.fromisoformat(value) if value else None
    except ValueError as error:
        raise click.BadParameter("give a time such as 2026-03-01T12:00:00Z") from error
    return at if at is None or at.tzinfo else at.replace(tzinfo=UTC)


@click.group()
def patterns() -> None:
    """Show what agents have learned, private patterns included: you own the store."""


patterns.add_command(stats)
patterns.add_command(find)
patterns.add_command(recommend)


@patterns.command("list")
@click.option("--category", help="Only this one.")
@click.option("--removed", is_flag=True, help="What was removed and can be restored.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@with_app
async def listed(
    app: App, printer: Printer, category: str | None, removed: bool, limit: int
) -> None:
    """List the newest patterns of all agents."""
    if removed:
        every = await app.removal.removed(_administrator())
        found = [each for each in every if category in {None, each.category}][:limit]
        empty = "Nothing is removed."
    else:
        found = await app.learning.newest(category=category, limit=limit)
        empty = "No patterns yet. Agents store them with the tool learn_pattern."
    printer.rows(
        ("id", "name", "category", "author", "level", "uses", "success_rate"),
        [_row(pattern) for pattern in found],
        empty=f"No {'removed ' * removed}pattern of category {category!r}." if category else empty,
    )


@patterns.command()
@click.argument("pattern_id")
@click.option("--version", type=click.IntRange(1), help="An earlier one.")
@click.option("--as-of", callback=moment, help="The newest at 2026-03-01T12:00:00Z or so.")
@with_app
async def show(
    app: App, printer: Printer, pattern_id: str, version: int | None, as_of: datetime | None
) -> None:
    """Show one pattern in full."""
    pattern, seen = await app.revisions.read(
        _administrator(), pattern_id, version=version, at=as_of
    )
    told = {**_row(pattern), "proven": pattern.usage.proven}
    printer.record({**told, **_version(seen), **seen.content.as_json()})


@patterns.command()
@click.argument("pattern_id")
@with_app
async def history(app: App, printer: Printer, pattern_id: str) -> None:
    """List the versions of a pattern, with the uses each had."""
    rows = [
        {**_version(seen), "name": seen.content.name}
        for seen in await app.revisions.history(_administrator(), pattern_id)
    ]
    columns = ("version", "author", "author_trust", "written_at", "successes", "failures", "name")
    printer.rows(columns, rows, empty="")


@patterns.command()
@click.argument("pattern_id")
@click.argument("old", required=False, type=click.IntRange(1))
@click.argument("new", required=False, type=click.IntRange(1))
@with_app
async def diff(
    app: App, printer: Printer, pattern_id: str, old: int | None, new: int | None
) -> None:
    """Show what changed between two versions, as a JSON Patch (RFC 6902)."""
    found = await app.revisions.compare(_administrator(), pattern_id, old=old, new=new)
    changes = [change.as_json() for change in found.changes]
    rows = [{"op": None, "path": None, "was": None, "value": None, **each} for each in changes]
    printer.say(f"version {found.old.number} to {found.new.number}, by {found.new.author}\n")
    printer.rows(
        ("op", "path", "was", "value"),
        changes if printer.as_json else rows,
        empty="They say the same.",
    )


@patterns.command()
@click.argument("pattern_id")
@with_app
async def remove(app: App, printer: Printer, pattern_id: str) -> None:
    """Hide a pattern from everybody; only you can restore it then."""
    await app.removal.remove(_administrator(), pattern_id)
    printer.record({"id": pattern_id, "done": "removed"})


@patterns.command()
@click.argument("pattern_id")
@with_app
async def restore(app: App, printer: Printer, pattern_id: str) -> None:
    """Show a removed pattern again."""
    await app.removal.restore(_administrator(), pattern_id)
    printer.record({"id": pattern_id, "done": "restored"})


@patterns.command()
@click.argument("pattern_id")
@click.confirmation_option(prompt="Erase all versions for good?")
@with_app
async def forget(app: App, printer: Printer, pattern_id: str) -> None:
    """Erase what a pattern says in all its versions, for good."""
    await app.removal.forget(_administrator(), pattern_id)
    printer.record({"id": pattern_id, "done": "forgotten"})


@patterns.command()
@click.option("--agent", "name", required=True, help="Whose acts.")
@click.option("--since", callback=moment, required=True, help="From 2026-03-01T12:00:00Z on.")
@click.option("--uses", "with_uses", is_flag=True, help="Reports too that no claim proves.")
@click.option("--yes", is_flag=True, help="Take it back; else it is only shown.")
@with_app
async def undo(
    app: App, printer: Printer, name: str, *, since: datetime, with_uses: bool, yes: bool
) -> None:
    """Show what an agent wrote since a time, and with --yes take it all back."""
    if since > datetime.now(UTC):
        raise InvalidInput(
            f"--since {since.isoformat()} lies ahead, so nothing was done since then. A time "
            "without a zone is UTC."
        )
    plan = await app.undo.plan(name, since, with_uses=with_uses)
    if yes and plan.steps:
        plan = await app.undo.apply(plan, by=_administrator())
    rows = [
        {
            "pattern": step.pattern_id,
            "name": step.name,
            "step": step.kind.value,
            "now": step.now,
            "then": step.then,
            "refused": step.refused,
            "done": yes and not step.refused,
        }
        for step in plan.steps
    ]
    columns = ("pattern", "name", "step", "now", "then", "refused", "done")
    printer.rows(columns, rows, empty="There is nothing to take back.")
    if rows and not yes:
        printer.say("\nNothing was changed. Add --yes to take it back.")


patterns.add_command(export_file)
patterns.add_command(import_file)


def _administrator() -> Administrator:
    return Administrator(operator())


def _row(pattern: Pattern) -> dict[str, object]:
    return {
        "id": pattern.id,
        "name": pattern.name,
        "category": pattern.category,
        "author": pattern.owner,
        "level": pattern.level.value,
        "namespace": pattern.namespace,
        "uses": pattern.usage.count,
        "success_rate": pattern.usage.success_rate,
        "confidence": pattern.usage.confidence,
        "origin": pattern.provenance.origin.value,
        "source": pattern.provenance.source,
        "created_at": pattern.created_at,
        "removed_at": pattern.removed_at,
    }


def _version(seen: Version) -> dict[str, object]:
    return {
        "version": seen.number,
        "author": seen.author,
        "author_trust": seen.author_trust,
        "written_at": seen.written_at,
        "successes": seen.successes,
        "partials": seen.partials,
        "failures": seen.failures,
    }
