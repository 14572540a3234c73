"""Notes: kept in an agent's words, recalled by time or by text."""

from __future__ import annotations

import pytest

from tests.integration.services import Installation, agent
from tests.integration.test_learning import forged
from tmws.app import App
from tmws.domain.agents import AccessLevel, Role
from tmws.domain.errors import InvalidInput, PermissionDenied
from tmws.domain.memories import MemoryDraft, MemoryKind
from tmws.services.memory import MemoryQuery
from tmws.testing.clock import START


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
