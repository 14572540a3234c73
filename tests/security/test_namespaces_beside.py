"""A thing in a namespace that is not one's own is found for what opens it, and for nothing else."""

from __future__ import annotations

from dataclasses import replace

from tests.integration.services import agent, learned
from tests.security.test_access import CANARY, ids
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.services.learning import PatternQuery


async def found(app: App, who: Agent) -> set[str]:
    return ids(await app.learning.find(who, PatternQuery(CANARY)))


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
