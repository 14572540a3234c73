"""One agent may keep and write another amount than all others, as an administrator says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import tmws
from tests.integration.ledger_seen import entries
from tests.integration.quotas_seen import FEW, LONG
from tests.integration.services import Installation, agent, learned
from tests.integration.trust_seen import ledger_size
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import InvalidInput, LimitExceeded, NotFound
from tmws.domain.memories import MemoryDraft
from tmws.domain.quotas import NOTHING_ELSE, Allowed
from tmws.services.quotas import Usage


@pytest.fixture
async def small(installation: Installation) -> AsyncIterator[App]:
    """An app where all may keep 1 MiB and write seldom."""
    async with installation.open(agent_mib=1, agent_daily_writes=FEW) as app:
        yield app


async def filled(app: App, who: Agent, name: str = "long", *, most: int = 60) -> int:
    """Return how many long patterns an agent can keep."""
    for number in range(most):
        try:
            await learned(app, who, f"{name} {number}", data=LONG)
        except LimitExceeded:
            return number
    return most


async def of(app: App, name: str) -> Usage:
    [found] = [each for each in await app.quotas.usage() if each.agent == name]
    return found


async def test_one_keeps_more_at_once_and_everywhere_and_others_do_not(
    small: App, installation: Installation
) -> None:
    alice, bob = await agent(small, "alice"), await agent(small, "bob")
    await small.memory.remember(bob, MemoryDraft("an account of his own"))
    assert await filled(small, alice) == 16
    async with installation.open() as office:
        assert await office.agents.allow("alice", Allowed(mib=2), reason="books", by="ann")
    assert await filled(small, alice, "more") == 16
    assert await filled(small, bob) == 16
    bounds = (await of(small, "alice")).quota, (await of(small, "bob")).quota
    assert [each.stored_bytes for each in bounds] == [2 * 2**20, 2**20]
    assert {each.daily_writes for each in bounds} == {FEW}
    assert await small.agents.allow("alice", NOTHING_ELSE, reason="done", by="ann")
    with pytest.raises(LimitExceeded, match=r"of 1\.0 MiB.*tmws agents quota"):
        await small.memory.remember(alice, MemoryDraft("x"))
    assert [
        (told["mib"], told["daily_writes"], told["reason"], told["by"])
        for told in await entries(installation, "quota_set")
    ] == [(2, None, "books", "ann"), (None, None, "done", "ann")]
    assert (await small.audit.verify()).holds


async def test_one_writes_more_often_and_what_it_wrote_counts_by_its_own_day(small: App) -> None:
    alice = await agent(small, "alice")
    await small.agents.allow("alice", Allowed(daily_writes=2 * FEW), reason="busy", by="ann")
    for number in range(4):
        await small.memory.remember(alice, MemoryDraft(f"note {number}"))
    seen = await of(small, "alice")
    assert (seen.written, seen.quota.daily_writes) == (4, 2 * FEW)
    await small.agents.allow("alice", NOTHING_ELSE, reason="calm", by="ann")
    assert (await of(small, "alice")).written == 2  # the same share of its day


async def test_an_agent_gets_round_a_smaller_quota_under_no_other_name(small: App) -> None:
    """The attack: go on as somebody that nobody bounded."""
    alice, other = await agent(small, "alice"), await agent(small, "other")
    await small.agents.allow("other", Allowed(mib=3), reason="keeps books", by="ann")
    await small.corrections.link("other", "alice", reason="one owner", by="ann")
    assert (await of(small, "alice")).quota == (await of(small, "other")).quota
    assert await filled(small, alice) == 49
    await small.agents.allow("alice", Allowed(mib=1), reason="a loop", by="ann")
    for who in (alice, other):
        with pytest.raises(LimitExceeded, match=r"of 1\.0 MiB"):
            await small.memory.remember(who, MemoryDraft("x"))
    assert {each.quota.stored_bytes for each in await small.quotas.usage()} == {2**20}


async def test_what_is_so_already_or_cannot_be_is_not_recorded(small: App) -> None:
    await agent(small, "alice")
    before = await ledger_size(small)
    assert not await small.agents.allow("alice", NOTHING_ELSE, reason="x", by="ann")
    refused: list[tuple[str, Allowed, str, type[Exception]]] = [
        ("nobody", Allowed(mib=2), "x", NotFound),
        ("alice", Allowed(mib=0), "x", InvalidInput),
        ("alice", Allowed(mib=2), " ", InvalidInput),
    ]
    for name, allowed, reason, error in refused:
        with pytest.raises(error):
            await small.agents.allow(name, allowed, reason=reason, by="ann")
    assert await ledger_size(small) == before
    assert await small.agents.allow("alice", Allowed(2, FEW), reason="x", by="ann")
    assert not await small.agents.allow("alice", Allowed(2, FEW), reason="again", by="ann")
    assert await ledger_size(small) == before + 1


async def test_who_allows_the_same_at_the_same_time_is_one_event(
    installation: Installation,
) -> None:
    async with installation.open() as one, installation.open() as other:
        await agent(one, "alice")
        done = await asyncio.gather(
            *(
                each.agents.allow("alice", Allowed(mib=2), reason="x", by="ann")
                for each in (one, other) * 3
            )
        )
        assert sum(done) == 1
        assert await ledger_size(one) == 2


def test_the_command_sets_and_shows_it(tmp_path: Path) -> None:
    def quota(*words: str) -> Any:
        return tmws("agents", "quota", "alice", *words, "--reason", "r", "--json", data=tmp_path)

    tmws("agents", "create", "alice", data=tmp_path)
    given = quota("--mib", "4096", "--daily-writes", "1000").document()
    listed = tmws("agents", "usage", "--json", data=tmp_path).document()
    unclear = [quota(), quota("--default", "--mib", "1"), quota("--mib", "0")]
    taken = quota("--default").document()

    row = {"name": "alice", "kept_mib": 0.0, "written": 0}
    assert given == {**row, "of_mib": 4096, "of_a_day": 1000, "exception": True, "changed": True}
    assert listed == [{name: value for name, value in given.items() if name != "changed"}]
    assert [each.status for each in unclear] == [2, 2, 2]
    assert taken == {
        **row,
        "of_mib": 2048,
        "of_a_day": 500_000,
        "exception": False,
        "changed": True,
    }
