"""Agents in every relation to patterns of every level, and what each of them may read."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from datetime import timedelta

import pytest

from tests.integration.services import Installation, agent, learned
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.errors import TmwsError
from tmws.domain.patterns import Pattern
from tmws.services.learning import FoundPatterns
from tmws.services.receipts import Tried
from tmws.testing.clock import START

LATER = START + timedelta(days=9)
CANARY = "xylophone-quetzal"
RELATIONS = ("owner", "grantee", "member", "outsider", "admin", "grantee elsewhere")


# Who reads what. An admin of the installation is no reader of other agents' things.
READABLE: dict[str, set[str]] = {
    "private": {"owner"},
    "shared": {"owner", "grantee", "grantee elsewhere"},
    "public": {"owner", "grantee", "member", "admin"},
    "system": set(RELATIONS),
}


TABLE = [
    (level, relation, relation in readers)
    for level, readers in READABLE.items()
    for relation in RELATIONS
]


@dataclass(frozen=True, slots=True)
class World:
    """One pattern of each level, and one agent of each relation to all of them."""

    app: App
    patterns: dict[str, Pattern]
    agents: dict[str, Agent]


@pytest.fixture
async def world(app: App, installation: Installation) -> World:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    agents = {
        # An admin owns them all: only admins write the level `system`.
        "owner": await agent(app, "owner", "team", role=Role.ADMIN),
        "grantee": await agent(app, "grantee", "team"),
        "member": await agent(app, "member", "team"),
        "outsider": await agent(app, "outsider", "elsewhere"),
        "admin": await agent(app, "chief", "team", role=Role.ADMIN),
        "grantee elsewhere": await agent(app, "friend", "elsewhere"),
    }
    made = {}
    for level in AccessLevel:
        shared = ("grantee", "friend") if level is AccessLevel.SHARED else ()
        made[level.value] = await learned(
            app,
            agents["owner"],
            f"{level.value} {CANARY}",
            level=level.value,
            summary=f"about {CANARY}",
            tags=("canary",),
            shared_with=shared,
        )
        installation.clock.advance(1)
    # Who was granted one shared thing has not been granted the others.
    others = ("chief", "member", "outsider")
    await learned(app, agents["owner"], "another", level="shared", shared_with=others)
    tried = agents["member"]
    for each in made.values():
        app.receipts.issue(tried, CANARY, {each.id: 1.0}, Tried(each.id, shown=True))
    await app.receipts.settle()
    return World(app, made, agents)


def ids(found: FoundPatterns) -> set[str]:
    return {item.pattern.id for item in found.items}


async def refusal(act: Awaitable[object], hide: str) -> tuple[type, str]:
    with pytest.raises(TmwsError) as refused:
        await act
    return type(refused.value), refused.value.message.replace(hide, "…")


ABSENT = "pattern_" + "0" * 26
