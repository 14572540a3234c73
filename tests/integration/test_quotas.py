"""One agent does not fill the disk of others; what it forgets it gets back."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.answers import text_of
from tests.integration.command import tmws
from tests.integration.mcp_serving import Store, over_stdio
from tests.integration.quotas_seen import ANN, FEW, LONG, MIB, alice, drafts, kept, spent, written
from tests.integration.services import Installation, agent, learned, silent
from tmws.app import App
from tmws.domain.agents import Agent, Role
from tmws.domain.batches import Incoming
from tmws.domain.errors import Conflict, LimitExceeded, NotFound
from tmws.domain.memories import MemoryDraft
from tmws.domain.quotas import ROW_BYTES
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.outcomes import OutcomeReport
from tmws.storage import quotas
from tmws.storage.prepared import Execute, Prepared, Values, at_once
from tmws.storage.tables import patterns
from tmws.testing.clock import START

__all__ = ["alice"]


async def counted_anew(place: Installation) -> dict[str, int]:
    """Return what each agent keeps as the newest migration would count it."""
    async with place.database() as database, database.read() as connection:
        sums: dict[str, int] = {}
        for pattern_id in list(await connection.scalars(sa.select(patterns.c.id))):
            found = await quotas.weigh(connection, pattern_id)
            assert found is not None
            sums.setdefault(found.owner_id, 0)
            sums[found.owner_id] += found.stored_bytes * found.counts
    return sums


async def filled(app: App, who: Agent) -> int:
    """Store patterns until nothing fits in; return how many that are."""
    for count in itertools.count():
        try:
            await learned(app, who, f"long {count}", data=LONG)
        except LimitExceeded:
            return count
    raise AssertionError


class TestStorage:
    async def test_fifty_writers_at_the_edge_store_what_fits_and_not_one_more(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app, installation.open(agent_mib=1) as other:
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            stored = await asyncio.gather(
                *(
                    learned(place, alice, f"long {number}", data=LONG)
                    for number, place in enumerate([app, other] * 25)
                ),
                return_exceptions=True,
            )
            refused = [each for each in stored if isinstance(each, BaseException)]
            assert all(isinstance(each, LimitExceeded) for each in refused), refused
            size = await kept(app) // (50 - len(refused))
            assert 50 - len(refused) == MIB // size
            await learned(app, bob, data=LONG)  # nobody else is hindered

    async def test_a_batch_fits_in_whole_or_not_at_all_and_a_retry_counts_once(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app:
            alice = await agent(app, "alice")
            many = drafts(10, data=LONG)
            first = await app.batches.learn(alice, many, key="once", progress=silent)
            used = await kept(app), await written(app)
            again = await app.batches.learn(alice, many, key="once", progress=silent)
            assert again.repeated
            assert again.ids == first.ids
            assert (await kept(app), await written(app)) == used
            more = drafts(7, "more", data=LONG)
            with pytest.raises(LimitExceeded, match="Not stored"):
                await app.batches.check(alice, more)
            with pytest.raises(LimitExceeded, match=r"438\.\d KiB.* of 1\.0 MiB"):
                await app.batches.learn(alice, more, key="twice", progress=silent)
            assert (await kept(app), await written(app)) == used
            await app.batches.learn(alice, more[:6], key="twice", progress=silent)

    async def test_forgetting_gives_back_all_versions_and_removing_none(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app:
            alice = await agent(app, "alice")
            assert await kept(app) == 0
            made = await learned(app, alice, data=LONG)

            async def loop() -> None:
                for version in itertools.count(1):
                    change = Revision(data={**LONG, "number": version})
                    await app.revisions.revise(alice, made.id, change, version=version)

            with pytest.raises(LimitExceeded):
                await loop()
            assert (await app.learning.get(alice, made.id)).version == 16
            full = await kept(app)
            assert full == (await counted_anew(installation))[alice.id]
            await app.removal.remove(alice, made.id)
            assert await kept(app) == full
            with pytest.raises(LimitExceeded):
                await learned(app, alice, "other", data=LONG)
            await app.removal.restore(alice, made.id)
            assert await kept(app) == full
            await app.removal.forget(alice, made.id)
            assert await kept(app) == (await counted_anew(installation))[alice.id] == 0
            await learned(app, alice, "other", data=LONG)

    async def test_notes_count_until_the_administrator_forgets_them(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app:
            alice = await agent(app, "alice")
            note = await app.memory.remember(alice, MemoryDraft("é" * 8000))
            assert await kept(app) == ROW_BYTES + 16_000

            async def loop() -> None:
                for _ in range(60):
                    await app.memory.remember(alice, MemoryDraft("é" * 16_000))

            with pytest.raises(LimitExceeded, match="notes"):
                await loop()
            await app.memory.forget(ANN, note.id)
            await app.memory.remember(alice, MemoryDraft("é" * 8000))

    async def test_what_the_administrator_takes_away_is_given_back(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app:
            alice = await agent(app, "alice")
            first = await learned(app, alice, "mine", data=LONG)
            size = await kept(app)
            await app.removal.remove(ANN, first.id)
            assert await kept(app) == 0
            await app.removal.restore(ANN, first.id)
            assert await kept(app) == size
            await app.removal.remove(ANN, first.id)
            await app.removal.forget(ANN, first.id)
            assert await kept(app) == 0
            with pytest.raises(NotFound):
                await app.removal.forget(alice, first.id)
            assert await kept(app) == 0

    async def test_what_its_owner_removes_is_kept_whatever_the_administrator_took_before(
        self, app: App, alice: Agent, installation: Installation
    ) -> None:
        mine, other = [await learned(app, alice, name, data=LONG) for name in ("mine", "other")]
        both = await kept(app)
        await app.removal.remove(ANN, mine.id)
        installation.clock.advance(1)
        await app.removal.restore(ANN, mine.id)
        await app.removal.remove(alice, mine.id)
        assert (await counted_anew(installation))[alice.id] == await kept(app) == both
        await app.removal.remove(ANN, other.id)  # in the very same moment
        assert (await counted_anew(installation))[alice.id] == await kept(app) == both // 2
        await app.removal.forget(alice, mine.id)
        assert await kept(app) == 0

    async def test_a_loop_is_undone_and_the_agent_goes_on(self, installation: Installation) -> None:
        async with installation.open(agent_mib=1, agent_daily_writes=FEW) as app:
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            await spent(installation, bob, 100)
            mine = await learned(app, alice, "mine")
            installation.clock.advance(60)
            since = installation.clock.now()
            change = Revision(data={"said": "in the loop"})
            await app.revisions.revise(alice, mine.id, change, version=1)
            await filled(app, alice)
            plan = await app.undo.plan("alice", since, with_uses=True)
            await app.undo.apply(plan, by=ANN)
            assert await kept(app) == (await counted_anew(installation))[alice.id] < 4 * ROW_BYTES
            assert (await written(app), await written(app, "bob")) == (0, 100)
            await learned(app, alice, "long 0", data=LONG)

    async def test_linked_names_share_and_count_for_themselves_once_unlinked(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app, installation.open(agent_mib=1) as other:
            names = [await agent(app, name) for name in ("alice", "alter", "alias")]
            for who in names[1:]:
                await app.corrections.link(who.name, "alice", reason="one", by="ann")
            stored = await asyncio.gather(
                *(
                    learned(place, who, f"long {number}", data=LONG)
                    for number in range(8)
                    for place, who in zip((app, other, app), names, strict=True)
                ),
                return_exceptions=True,
            )
            fit = [each for each in stored if not isinstance(each, BaseException)]
            assert len(fit) == MIB // (
                sum([await kept(app, who.name) for who in names]) // len(fit)
            )
            for who in names:
                with pytest.raises(LimitExceeded):
                    await learned(app, who, "more", data=LONG)
            for who in names[1:]:
                await app.corrections.unlink(who.name, reason="two", by="ann")
            for who in names:
                await learned(app, who, "more", data=LONG)

    async def test_an_import_is_counted_and_never_refused(self, installation: Installation) -> None:
        async with installation.open(agent_mib=1, agent_daily_writes=FEW) as app:
            alice = await agent(app, "alice")
            await spent(installation, alice, FEW)
            many = [Incoming(each) for each in drafts(20, data=LONG)]
            assert (await app.transfer.examine(alice, many)).problems == ()
            assert len((await app.transfer.take(alice, many, progress=silent)).ids) == 20
            assert await kept(app) > MIB
            installation.clock.advance(86_400)
            assert await written(app) == 0
            with pytest.raises(LimitExceeded, match="Not stored"):
                await learned(app, alice, "one more")

    async def test_who_revises_what_all_read_is_bounded_by_writes_and_its_owner_keeps_it(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_mib=1) as app:
            owner = await agent(app, "owner", role=Role.ADMIN)
            other = await agent(app, "other", role=Role.ADMIN)
            made = await learned(app, owner, level="system")
            await app.revisions.revise(other, made.id, Revision(data=LONG), version=1)
            assert await kept(app, "other") == 0
            assert await kept(app, "owner") == (await counted_anew(installation))[owner.id] > 60_000
            assert await written(app, "other") == 1

    async def test_whatever_is_refused_for_another_reason_takes_nothing(
        self, app: App, alice: Agent
    ) -> None:
        await learned(app, alice)
        used = await kept(app), await written(app)
        with pytest.raises(Conflict):
            await learned(app, alice)
        with pytest.raises(NotFound):
            await app.removal.forget(alice, "pattern_none")
        with pytest.raises(NotFound):
            await app.outcomes.report(alice, OutcomeReport("pattern_none", UseOutcome.SUCCESS))
        assert (await kept(app), await written(app)) == used


async def test_what_is_counted_is_found_by_its_key_and_nothing_is_walked(
    sqlite_url: str, tmp_path: Path
) -> None:
    """However much an agent keeps: it is one row, and one more for each linked name."""
    place = Installation(sqlite_url, tmp_path)
    asked: list[Prepared] = []
    plans = []
    async with place.open() as app, place.database() as database:
        alice = await agent(app, "alice")
        await learned(app, alice)

        def ask(run: Execute) -> None:
            def noted(prepared: Prepared, values: Values) -> Sequence[Any]:
                asked.append(prepared)
                return run(prepared, values)

            found = quotas.lock(noted, alice.id, at=START)
            quotas.keep(noted, alice.id, found.own, at=START)
            quotas.together(noted, alice.id, at=START)

        async with database.write() as connection:
            await at_once(connection, ask)
            for each in asked:
                explained = f"EXPLAIN QUERY PLAN {each.on_sqlite}"
                found = await connection.exec_driver_sql(explained, (None,) * len(each.order))
                plans += [row.detail for row in found]
    assert len(asked) == 5
    assert not [plan for plan in plans if "SCAN" in plan or "TEMP B-TREE" in plan], plans


def test_an_agent_is_told_and_an_administrator_sees_who_uses_how_much(tmp_path: Path) -> None:
    store = Store(tmp_path)

    async def fill() -> str:
        env = {"TMWS_AGENT_MIB": "1", "TMWS_AGENT_DAILY_WRITES": str(FEW)}
        async with over_stdio(store, "legacy", env=env) as client:
            for number in range(20):
                draft = {"name": f"long {number}", "category": "build", "data": LONG}
                result = await client.call_tool("learn_pattern", draft)
                if result.is_error:
                    return text_of(result)
        raise AssertionError

    told = asyncio.run(fill())
    assert told.startswith("LIMIT_EXCEEDED: Not stored: it takes 62.6 KiB, and you keep ")
    assert "of 1.0 MiB" in told
    assert "Forget" in told
    assert told.endswith("ask the administrator: tmws agents quota.")
    few = {"TMWS_AGENT_DAILY_WRITES": str(FEW)}
    [row] = tmws("agents", "usage", "--json", data=tmp_path, **few).document()
    assert (row["of_mib"], row["exception"]) == (2048, False)
    assert row["of_a_day"] == FEW
    assert row["kept_mib"] == pytest.approx(16 * 62.6 / 1024, rel=0.01)
    assert row["written"] in {15, 16}  # the first may be given back by now
