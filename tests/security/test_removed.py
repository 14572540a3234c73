"""What was removed or forgotten, and what the administrator sees: beside the table of access."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.integration.services import Installation, agent, learned
from tests.security.test_access import outcome
from tmws.app import App
from tmws.domain.agents import Administrator, Reader, Role
from tmws.domain.errors import NotFound
from tmws.domain.patterns import Pattern
from tmws.storage import tables

ANN = Administrator("ann")
LEVELS = ("private", "shared", "public", "system")


async def test_only_what_is_removed_and_not_forgotten_can_be_restored(
    app: App, installation: Installation
) -> None:
    owner = await agent(app, "owner", role=Role.ADMIN)
    await agent(app, "friend")
    made: dict[tuple[str, str], Pattern] = {}
    for state in ("living", "removed", "forgotten", "removed and forgotten"):
        for level in LEVELS:
            names = ("friend",) if level == "shared" else ()
            what = await learned(app, owner, f"{state} {level}", level=level, shared_with=names)
            if "removed" in state:
                await app.removal.remove(owner, what.id)
            if "forgotten" in state:
                await app.removal.forget(owner, what.id)
            made[state, level] = what
            installation.clock.advance(1)
    removed = [made["removed", level].id for level in reversed(LEVELS)]
    readers: tuple[Reader, ...] = (owner, ANN)
    for who in readers:
        assert [each.id for each in await app.removal.removed(who)] == removed
        for (state, _), what in made.items():
            if state != "removed":
                assert await outcome(app.removal.restore(who, what.id)) == "absent", state
    for level, by in zip(LEVELS, (*readers, *readers), strict=True):
        restored = await app.removal.restore(by, made["removed", level].id)
        assert restored == await app.learning.get(owner, restored.id)


async def test_the_administrator_reads_all_that_is_kept_and_nothing_forgotten(app: App) -> None:
    owner, stranger = (
        await agent(app, "owner", role=Role.ADMIN),
        await agent(app, "stranger", "far"),
    )
    await agent(app, "friend")
    for author, level in [(owner, each) for each in LEVELS] + [(stranger, "private")]:
        names = ("friend",) if level == "shared" else ()
        what = await learned(app, author, level, level=level, shared_with=names)
        assert len(await app.revisions.history(ANN, what.id)) == 1
        await app.removal.remove(ANN, what.id)
        assert await outcome(app.removal.remove(ANN, what.id)) == "absent"
        assert len(await app.revisions.history(ANN, what.id)) == 1
        assert await outcome(app.revisions.history(author, what.id)) == "absent"
        await app.removal.restore(ANN, what.id)
        await app.removal.forget(ANN, what.id)
        assert await outcome(app.revisions.history(ANN, what.id)) == "absent"


async def test_who_was_an_admin_restores_nothing_of_the_systems(
    app: App, installation: Installation
) -> None:
    owner = await agent(app, "owner", role=Role.ADMIN)
    what = await learned(app, owner, level="system")
    await app.removal.remove(owner, what.id)
    async with installation.database() as database, database.write() as tx:
        await tx.execute(tables.agents.update().values(role=Role.AGENT.value))
    demoted = replace(owner, role=Role.AGENT)
    assert await app.removal.removed(demoted) == []
    assert await outcome(app.removal.restore(demoted, what.id)) == "absent"
    with pytest.raises(NotFound, match="is yours to restore"):  # names no administrator's command
        await app.removal.restore(demoted, what.id)
