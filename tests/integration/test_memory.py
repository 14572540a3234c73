"""Notes: kept in an agent's words, recalled by time or by text."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, verified
from tests.integration.test_learning import forged
from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.agents import AccessLevel, Administrator, Role
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied
from tmws.domain.memories import MemoryDraft, MemoryKind
from tmws.services.memory import MemoryQuery
from tmws.storage import tables
from tmws.testing.clock import START

ANN = Administrator("ann")


async def test_a_note_is_recalled_as_it_was_kept(app: App) -> None:
    alice = await agent(app, "alice", "home", "work")
    draft = MemoryDraft(" two\nlines ", ("b", "a"), AccessLevel.PUBLIC, "work")
    kept = await app.memory.remember(alice, draft)
    assert (kept.text, kept.tags, kept.namespace) == ("two\nlines", ("a", "b"), "work")
    assert (kept.kind, kept.claim_id, kept.created_at) == (MemoryKind.NOTE, None, START)
    [item] = (await app.memory.recall(alice, MemoryQuery())).items
    assert (item.memory, item.score, item.parts) == (kept, None, None)
    [found] = (await app.memory.recall(alice, MemoryQuery("lines"))).items
    assert found.memory == kept
    assert found.score is not None


async def test_a_tag_finds_its_note(app: App) -> None:
    alice = await agent(app, "alice")
    await app.memory.remember(alice, MemoryDraft("words", tags=("sourdough",)))
    [found] = (await app.memory.recall(alice, MemoryQuery("sourdough"))).items
    assert "words" in (found.parts or {})


@pytest.mark.parametrize("text", [None, "note"])
async def test_pages_go_on_without_a_gap_or_a_repeat(
    app: App, installation: Installation, text: str | None
) -> None:
    alice = await agent(app, "alice")
    for number in range(5):
        await app.memory.remember(alice, MemoryDraft(f"note {number}"))
        installation.clock.advance(1)
    seen: list[str] = []
    cursor = None
    while True:
        page = await app.memory.recall(alice, MemoryQuery(text, limit=2, cursor=cursor))
        seen += [item.memory.text for item in page.items]
        if (cursor := page.next_cursor) is None:
            break
    assert sorted(seen) == [f"note {number}" for number in range(5)]
    assert text is not None or seen == sorted(seen, reverse=True)


async def test_notes_that_hardly_fit_are_not_told_beside_one_that_does(app: App) -> None:
    alice = await agent(app, "alice")
    notes = [
        "The password of the staging database is changed every Monday.",
        "The password of the wireless network hangs in the kitchen.",
        *(f"Note {number} on what the team did this week." for number in range(30)),
    ]
    for note in notes:
        await app.memory.remember(alice, MemoryDraft(note))
    found = await app.memory.recall(alice, MemoryQuery("staging database password"))
    assert [item.memory.text for item in found.items] == notes[:2]
    assert found.next_cursor is None


@pytest.mark.parametrize("limit", [0, 51])
async def test_a_page_of_another_size_is_refused(app: App, limit: int) -> None:
    with pytest.raises(InvalidInput, match="give 1 to 50"):
        await app.memory.recall(await agent(app, "alice"), MemoryQuery(limit=limit))


async def test_a_cursor_of_another_query_is_refused(app: App) -> None:
    alice = await agent(app, "alice")
    for number in range(2):
        await app.memory.remember(alice, MemoryDraft(f"note {number}"))
    by_time = (await app.memory.recall(alice, MemoryQuery(limit=1))).next_cursor
    by_score = (await app.memory.recall(alice, MemoryQuery("note", limit=1))).next_cursor
    for query in (
        MemoryQuery("note", cursor=by_time),
        MemoryQuery(cursor=by_score),
        MemoryQuery(kind=MemoryKind.NOTE, cursor=by_time),
        MemoryQuery("note", cursor="nonsense"),
        MemoryQuery("note", cursor=forged(by_score, -1)),
    ):
        with pytest.raises(InvalidInput, match="cursor"):
            await app.memory.recall(alice, query)


async def test_only_an_admin_remembers_for_the_system(app: App) -> None:
    draft = MemoryDraft("x", level=AccessLevel.SYSTEM)
    with pytest.raises(PermissionDenied):
        await app.memory.remember(await agent(app, "alice"), draft)
    chief = await agent(app, "chief", role=Role.ADMIN)
    assert (await app.memory.remember(chief, draft)).level is AccessLevel.SYSTEM


async def test_a_forgotten_note_is_found_by_nobody_and_leaves_no_word_behind(
    app: App, installation: Installation
) -> None:
    """The attack: an agent keeps a note for all to read that they had better not."""
    alice, mallory = await agent(app, "alice"), await agent(app, "mallory")
    kept = await app.memory.remember(
        alice, MemoryDraft("sourdough rises", level=AccessLevel.PUBLIC)
    )
    secret = "quetzalcoatlus"
    draft = MemoryDraft(f"sourdough {secret}", tags=(secret,), level=AccessLevel.PUBLIC)
    bad = await app.memory.remember(mallory, draft)
    async with installation.open() as other:
        assert len((await other.memory.recall(alice, MemoryQuery("sourdough"))).items) == 2
        await app.memory.forget(ANN, bad.id)
        for server in (app, other):
            for query in (MemoryQuery("sourdough"), MemoryQuery()):
                found = await server.memory.recall(alice, query)
                assert [item.memory for item in found.items] == [kept]
    assert await app.memory.notes(owner_id=mallory.id, limit=9) == []
    assert await app.memory.notes(owner_id=None, limit=9) == [kept]
    assert (await app.audit.verify()).holds
    async with installation.database() as database, database.read() as connection:
        for table in tables.metadata.tables.values():
            for row in await connection.execute(sa.select(table)):
                assert secret not in repr(row), table.name
    if database.dialect == "sqlite":
        files = list(Path(installation.url.removeprefix("sqlite:///")).parent.glob("tmws.db*"))
        assert files
        for path in files:
            assert secret.encode() not in path.read_bytes(), path


async def test_what_is_no_note_is_not_forgotten(app: App, installation: Installation) -> None:
    alice = await agent(app, "alice")
    await app.workspaces.add("shop", installation.workspace(), by="test")
    await verified(app, alice)
    [evidence] = (await app.memory.recall(alice, MemoryQuery())).items
    before = (await app.audit.verify()).size
    with pytest.raises(InvalidInput, match="evidence of a verdict and stays"):
        await app.memory.forget(ANN, evidence.memory.id)
    with pytest.raises(NotFound, match="tmws memories list"):
        await app.memory.forget(ANN, "memory_none")
    assert [evidence] == list((await app.memory.recall(alice, MemoryQuery())).items)
    assert (await app.audit.verify()).size == before


def test_the_commands_show_and_erase_notes(tmp_path: Path) -> None:
    async def keep() -> str:
        async with open_app(Settings(data_dir=tmp_path)) as app:
            return (await app.memory.remember(await app.agents.local(), MemoryDraft("mine"))).id

    kept = asyncio.run(keep())
    assert [
        each["text"] for each in tmws("memories", "list", "--json", data=tmp_path).document()
    ] == ["mine"]
    assert tmws("memories", "forget", kept, "--yes", data=tmp_path).status == 0
    assert tmws("memories", "forget", kept, "--yes", data=tmp_path).status == 3
