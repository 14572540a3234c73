"""An agent erases its own notes, and nothing else that is remembered."""

from __future__ import annotations

import asyncio

import pytest
from mcp import Client

from tests.answers import text_of
from tests.callers import always
from tests.integration.ledger_seen import entries
from tests.integration.services import Installation, agent, verified
from tests.integration.trust_seen import ledger_size
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied, ToolDisabled
from tmws.domain.memories import MemoryDraft, MemoryKind
from tmws.faces.mcp.server import McpServer
from tmws.faces.mcp.tools import REGISTRY
from tmws.services.memory import MemoryQuery


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice")


async def recalled(app: App, caller: Agent, query: str | None = None) -> set[str]:
    found = await app.memory.recall(caller, MemoryQuery(query))
    return {each.memory.text for each in found.items}


async def test_its_author_erases_a_note_by_the_tool_that_erases_patterns(
    app: App, installation: Installation, alice: Agent
) -> None:
    await app.memory.remember(alice, MemoryDraft("sourdough rises"))
    size = [used.stored_bytes for used in await app.quotas.usage()]
    note = await app.memory.remember(alice, MemoryDraft("sourdough of my neighbour, in secret"))
    async with Client(McpServer(app, always(alice), REGISTRY)) as client:
        asked = {"pattern_id": note.id, "act": "forget"}
        for act in ("remove", "restore"):
            refused = await client.call_tool("remove_pattern", {**asked, "act": act})
            assert "only erased for good: act 'forget'" in text_of(refused)
        done = await client.call_tool("remove_pattern", asked)
        assert done.structured_content == {"id": note.id, "done": "forget"}
        again = await client.call_tool("remove_pattern", asked)
        assert text_of(again).startswith("NOT_FOUND: No memory")
    for query in (None, "sourdough"):
        assert await recalled(app, alice, query) == {"sourdough rises"}
    assert [used.stored_bytes for used in await app.quotas.usage()] == size
    told = {"memory": note.id, "by": alice.id}
    assert await entries(installation, "memory_forgotten") == [told]
    assert (await app.audit.verify()).holds


async def test_a_note_of_another_is_not_erased_and_a_hidden_one_is_not_there(
    app: App, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    shown = await app.memory.remember(bob, MemoryDraft("shown", level=AccessLevel.PUBLIC))
    hidden = await app.memory.remember(bob, MemoryDraft("hidden"))
    before = await ledger_size(app)
    with pytest.raises(PermissionDenied, match=r"is bob's\. Only its author"):
        await app.memory.forget(alice, shown.id)
    said = set()
    for key in (hidden.id, "memory_" + "0" * 26):
        with pytest.raises(NotFound) as refused:
            await app.memory.forget(alice, key)
        said.add(refused.value.message.replace(key, "…"))
    assert said == {"No memory '…' is visible to you. Find one with recall."}
    assert await recalled(app, bob) == {"hidden", "shown"}
    assert await ledger_size(app) == before


async def test_evidence_of_its_own_verdict_stays(
    app: App, installation: Installation, alice: Agent
) -> None:
    """The attack: be rid of what says that one was wrong."""
    await app.workspaces.add("shop", installation.workspace(), by="test")
    await verified(app, alice)
    [found] = (await app.memory.recall(alice, MemoryQuery())).items
    assert found.memory.kind is MemoryKind.EVIDENCE
    with pytest.raises(InvalidInput, match="evidence of a verdict and stays"):
        await app.memory.forget(alice, found.memory.id)
    assert (await app.memory.recall(alice, MemoryQuery())).items == (found,)


async def test_who_may_write_nothing_more_erases_nothing(app: App, alice: Agent) -> None:
    note = await app.memory.remember(alice, MemoryDraft("mine"))
    await app.tools.disable("remove_pattern", reason="x", by="ann")
    with pytest.raises(ToolDisabled):
        await app.memory.forget(alice, note.id)
    await app.tools.enable("remove_pattern", reason="x", by="ann")
    await app.agents.disable("alice", reason="x", by="ann")
    with pytest.raises(PermissionDenied, match="'alice' was disabled"):
        await app.memory.forget(alice, note.id)
    assert await recalled(app, alice) == {"mine"}


async def test_a_note_that_is_erased_by_two_at_once_is_erased_once(
    installation: Installation,
) -> None:
    async with installation.open() as one, installation.open() as other:
        alice = await agent(one, "alice")
        note = await one.memory.remember(alice, MemoryDraft("mine"))
        done = await asyncio.gather(
            *(each.memory.forget(alice, note.id) for each in (one, other) * 2),
            return_exceptions=True,
        )
        assert sorted(type(each).__name__ for each in done) == ["NoneType", *["NotFound"] * 3]
        assert len(await entries(installation, "memory_forgotten")) == 1
        assert [used.stored_bytes for used in await one.quotas.usage()] == [0]
