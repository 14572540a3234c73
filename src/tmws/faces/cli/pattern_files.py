"""`tmws patterns export` and `import`: patterns in files, in the name of one agent."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import click

from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.batches import BatchRefused, Problem
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import LARGEST_DATA_BYTES
from tmws.exchange import lines, markdown, memory_server
from tmws.exchange.found import Found, Unreadable
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import acting, agent_option, with_app
from tmws.ports import Progress
from tmws.services.transfer import Arrival

LARGEST_FILE_BYTES = 64 * 1024 * 1024
LARGEST_NOTE_BYTES = LARGEST_DATA_BYTES
MOST_FILES = 10_000
NOT_WRITTEN = frozenset({".git", ".venv", "node_modules", "site-packages", "venv"})
"""Folders of a project that hold other people's files by the thousand."""
_MOST_NAMED = 10


@click.command("export")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@agent_option
@with_app
async def export_file(app: App, printer: Printer, file: Path, name: str | None) -> None:
    """Write all that an agent may read to FILE, as JSON Lines."""
    agent = await acting(app, name)
    count = 0
    beside = file.with_name(f".{file.name}.part")
    try:
        with beside.open("w", encoding="utf-8") as written:
            print(lines.header(agent.name), file=written)
            async for each in app.transfer.export(agent):
                print(lines.line_of(each.pattern, each.versions, each.shared_with), file=written)
                count += 1
        beside.replace(file)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}.") from error
    finally:
        beside.unlink(missing_ok=True)
    printer.record({"file": str(file), "patterns": count, "agent": agent.name})


@click.command("import")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@agent_option
@click.option("--namespace", help="Where they go; else where the file says, or home.")
@click.option("--level", type=click.Choice(["private", "public", "system"]), help="For all.")
@click.option("--dry-run", is_flag=True, help="Show what would come in, and store nothing.")
@with_app
async def import_file(
    app: App,
    printer: Printer,
    source: Path,
    *,
    name: str | None,
    namespace: str | None,
    level: str | None,
    dry_run: bool,
) -> None:
    """Take patterns in from SOURCE, all of them or none.

    SOURCE is an export, the JSONL file of the MCP memory server, or a folder of Markdown:
    agent definitions, skills, rules. What is there already is shown, not merged: items of a
    taken name are left out, those that say nearly the same are stored.
    """
    agent = await acting(app, name)
    read = list(_found(source, agent))
    found = [_placed(each, namespace, level) for each in read if isinstance(each, Found)]
    unreadable = [each for each in read if isinstance(each, Unreadable)]
    items = [each.incoming for each in found]
    if unreadable and not found and not dry_run:
        _show(printer, found, unreadable, Arrival({}, (), ()))
        raise InvalidInput(f"Nothing in {str(source)[:200]!r} is a pattern. Nothing was stored.")
    try:
        if dry_run:
            arrival = await app.transfer.examine(agent, items)
        else:
            arrival = await app.transfer.take(agent, items, progress=_say(printer))
    except BatchRefused as refused:
        _show(printer, found, unreadable, Arrival({}, (), refused.problems))
        raise
    _show(printer, found, unreadable, arrival)


def _show(
    printer: Printer, found: list[Found], unreadable: list[Unreadable], arrival: Arrival
) -> None:
    duplicates = {each.index: each for each in arrival.duplicates}
    problems: dict[int, Problem] = {each.index: each for each in arrival.problems}
    rows: list[dict[str, object]] = []
    for index, each in enumerate(found):
        twin, problem = duplicates.get(index), problems.get(index)
        rows.append(
            {
                "item": index,
                "where": each.where,
                "name": each.incoming.draft.name,
                "id": arrival.ids.get(index),
                "like": twin.like if twin else None,
                "similarity": twin.similarity if twin else None,
                "same_name": twin.same_name if twin else None,
                "problem": problem.message if problem else None,
                "unknown_agents": [name[:64] for name in arrival.unknown.get(index, ())],
            }
        )
    rows += [
        {**dict.fromkeys(("item", "name", "id", "like", "similarity", "same_name")),
         "where": each.where, "problem": each.message, "unknown_agents": []}
        for each in unreadable
    ]  # fmt: skip
    printer.rows(
        ("item", "where", "name", "id", "like", "similarity", "same_name", "problem"),
        rows,
        empty="There is no pattern in it.",
    )
    if strangers := sorted({name[:64] for names in arrival.unknown.values() for name in names}):
        more = f" and {len(strangers) - _MOST_NAMED} more" if len(strangers) > _MOST_NAMED else ""
        printer.say(
            f"\nNot known here, so not among their readers: {', '.join(strangers[:_MOST_NAMED])}"
            f"{more}. What was shared with nobody else is its owner's alone to read, who may "
            "grant it to others with the tool share_pattern."
        )


def _say(printer: Printer) -> Progress:
    async def say(message: str) -> None:
        printer.say(message)

    return say


def _placed(found: Found, namespace: str | None, level: str | None) -> Found:
    draft = found.incoming.draft
    if namespace is not None:
        draft = replace(draft, namespace=namespace)
    if level is not None:
        draft = replace(draft, level=AccessLevel(level), shared_with=())
    return Found(found.where, replace(found.incoming, draft=draft))


def _found(source: Path, importer: Agent) -> Iterator[Found | Unreadable]:
    if source.is_dir():
        yield from _in_folder(source)
        return
    text = _text(source, LARGEST_FILE_BYTES)
    if isinstance(text, Unreadable):
        raise InvalidInput(f"{source}: {text.message}")
    rows = text.split("\n")
    if markdown.is_one(source):
        yield from markdown.read(iter([(source.name, text)]), source=source.name)
    elif rows and lines.is_ours(rows[0]):
        yield from lines.read(rows, importer=importer)
    else:
        yield from memory_server.read(rows, source=source.name)


def _in_folder(folder: Path) -> Iterator[Found | Unreadable]:
    paths, passed = _notes(folder)
    if len(paths) > MOST_FILES:
        raise InvalidInput(f"{folder} holds {len(paths)} files; the limit is {MOST_FILES}.")
    texts = [
        (path.relative_to(folder).as_posix(), _text(path, LARGEST_NOTE_BYTES)) for path in paths
    ]
    readable = ((where, text) for where, text in texts if isinstance(text, str))
    yield from markdown.read(readable, source=folder.name)
    yield from (replace(text, where=where) for where, text in texts if isinstance(text, Unreadable))
    yield from passed


def _notes(folder: Path) -> tuple[list[Path], list[Unreadable]]:
    """Return the Markdown files below a folder, and the folders that were not looked into."""
    found: list[Path] = []
    passed: list[Unreadable] = []

    def left(place: Path, why: str) -> None:
        passed.append(Unreadable(place.relative_to(folder).as_posix(), why))

    def unread(error: OSError) -> None:
        left(Path(error.filename), str(error.strerror))

    for place, folders, names in os.walk(folder, onerror=unread):
        for name in NOT_WRITTEN & {*folders}:
            left(Path(place, name), "holds what was installed or recorded, no patterns")
            folders.remove(name)
        found += [Path(place, name) for name in names if markdown.is_one(Path(name))]
    return sorted(filter(_may_be_a_note, found)), sorted(passed, key=lambda each: each.where)


def _may_be_a_note(path: Path) -> bool:
    try:
        return path.is_file() and not path.is_symlink()
    except OSError:
        return True  # why it cannot be looked at is told when it cannot be read


def _text(path: Path, largest: int) -> str | Unreadable:
    """Return what a file says, a mark at its beginning left out; at most so much is read."""
    try:
        with path.open("rb") as file:
            content = file.read(largest + 1)
    except OSError as error:
        return Unreadable(path.name, str(error.strerror))
    if len(content) > largest:
        return Unreadable(path.name, f"it has more than {largest} bytes, which is the limit")
    try:
        return content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError:
        return Unreadable(path.name, "it is not UTF-8")
