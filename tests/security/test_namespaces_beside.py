"""A thing in a namespace that is not one's own is found for what opens it, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from tests.integration.services import Installation, agent, learned
from tests.security.relations import CANARY, ids
from tmws.app import App
from tmws.domain.agents import Agent, Role
from tmws.services.learning import PatternQuery
from tmws.storage.catalogue import open_to
from tmws.storage.prepared import at_once


async def found(app: App, who: Agent) -> set[str]:
    return ids(await app.learning.find(who, PatternQuery(CANARY)))


async def test_who_wrote_nothing_finds_what_is_open_at_home(app: App) -> None:
    writer, reader = await agent(app, "writer", "home"), await agent(app, "reader", "home")
    opened = await learned(app, writer, CANARY, level="public")
    assert await found(app, reader) == {opened.id}


async def test_what_is_for_all_is_found_from_everywhere(app: App) -> None:
    admin = await agent(app, "chief", "far", role=Role.ADMIN)
    for_all = await learned(app, admin, CANARY, level="system")
    assert await found(app, await agent(app, "stranger", "home")) == {for_all.id}


async def test_a_grant_alone_leads_into_a_foreign_namespace(app: App) -> None:
    owner, friend = await agent(app, "owner", "far"), await agent(app, "friend", "home")
    stranger = await agent(app, "stranger", "home")
    shared = await learned(app, owner, CANARY, level="shared", shared_with=("friend",))
    assert await found(app, friend) == {shared.id}
    assert await found(app, stranger) == set()


async def test_what_one_left_behind_is_found_where_one_is_no_member_any_more(app: App) -> None:
    mover, other = await agent(app, "mover", "old", "home"), await agent(app, "other", "home")
    left = await learned(app, mover, CANARY, namespace="old")
    assert await found(app, replace(mover, namespaces=("home",))) == {left.id}
    assert await found(app, other) == set()


async def test_whom_a_pattern_is_shared_with_is_told_to_its_owner_alone(app: App) -> None:
    owner, friend = await agent(app, "owner", "home"), await agent(app, "friend", "home")
    await agent(app, "third", "home")
    shared = await learned(app, owner, level="shared", shared_with=("friend", "third"))
    assert await app.sharing.shared_with(owner, shared.id) == ("friend", "third")
    assert await app.sharing.shared_with(friend, shared.id) == ()


async def test_what_is_shared_with_others_bends_no_score(app: App) -> None:
    """Whoever was granted one shared thing must not weigh words by the others."""
    owner, friend = await agent(app, "owner", "home"), await agent(app, "friend", "home")
    await agent(app, "third", "home")
    for name, summary in (("one", "alpha"), ("two", "omega")):
        await learned(app, owner, name, summary=summary, level="shared", shared_with=("friend",))

    async def scores() -> list[tuple[str, float | None]]:
        page = await app.learning.find(friend, PatternQuery("alpha omega"))
        return [(item.pattern.name, item.score) for item in page.items]

    before = await scores()
    for number in range(8):
        name, words = f"hidden {number}", "alpha " * 5
        await learned(app, owner, name, summary=words, level="shared", shared_with=("third",))
    assert await scores() == before


async def test_no_namespace_is_looked_into_that_holds_nothing_for_the_caller(
    app: App, installation: Installation
) -> None:
    """What is decided anew in each is decided early too: a stranger's costs nobody a look."""
    owner, friend = await agent(app, "owner", "far"), await agent(app, "friend", "home", "empty")
    other = await agent(app, "other", "third")
    chief = await agent(app, "chief", "hall", role=Role.ADMIN)
    for name, level in (("hidden", "private"), ("open", "public")):
        await learned(app, owner, name, level=level)
        await learned(app, other, name, level=level)
    await learned(app, friend, "mine")
    await learned(app, friend, "else", namespace="empty")

    async def looked_into(who: Agent) -> set[str]:
        async with installation.database() as database, database.read() as connection:
            return set((await at_once(connection, partial(open_to, caller=who))).revisions)

    home = {"home", "empty"}
    assert await looked_into(friend) == home
    assert await looked_into(replace(friend, namespaces=("home",))) == home
    shared = await learned(app, owner, "shared", level="shared", shared_with=("other",))
    assert await looked_into(friend) == home
    await app.sharing.change(owner, shared.id, grant=["friend"])
    assert await looked_into(friend) == home | {"far"}
    await learned(app, chief, "for all", level="system")
    assert await looked_into(friend) == home | {"far", "hall"}
    assert await looked_into(other) == {"third", "far", "hall"}
