"""One agent does not fill the day of others, and time gives back what it wrote."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.quotas_seen import FEW, alice, rows, spent, written
from tests.integration.services import (
    Installation,
    agent,
    claim,
    learned,
    silent,
    timed_out,
    verified,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import LimitExceeded
from tmws.domain.memories import MemoryDraft
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.services.receipts import MOST_OF_AN_AGENT, Tried
from tmws.storage.tables import receipts, trials

__all__ = ["alice"]


class TestWrites:
    async def test_fifty_writers_at_the_edge_write_what_fits_and_time_gives_it_back(
        self, installation: Installation
    ) -> None:
        opened = installation.open(agent_daily_writes=FEW)
        async with opened as app, installation.open(agent_daily_writes=FEW) as other:
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            await spent(installation, alice, FEW - 20)
            done = await asyncio.gather(
                *(
                    learned(place, alice, f"at the edge {number}")
                    for number, place in enumerate([app, other] * 25)
                ),
                return_exceptions=True,
            )
            refused = [each for each in done if isinstance(each, BaseException)]
            assert all(isinstance(each, LimitExceeded) for each in refused), refused
            assert len(refused) == 30
            assert await written(app) == FEW
            await learned(app, bob)
            assert isinstance(refused[0], LimitExceeded)
            installation.clock.advance(refused[0].retry_after_seconds or 0.0)
            await learned(app, alice, "after the wait")
            with pytest.raises(LimitExceeded):
                await learned(app, alice, "too soon")
            installation.clock.advance(86_400)
            assert await written(app) == 0

    async def test_every_act_that_leaves_a_row_for_good_is_counted(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_daily_writes=FEW) as app:
            await app.workspaces.add("shop", installation.workspace(), by="test")
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            one, two = [
                await learned(app, alice, name, level="shared", shared_with=("bob",))
                for name in ("retry", "wait")
            ]
            installation.sandbox.will(timed_out())
            open_claim = (await verified(app, bob, exit_code=3)).claim.id
            found = await app.learning.find(alice, PatternQuery("retry"))
            assert found.receipt_id is not None

            def acts(of: str, status: int) -> list[Callable[[], Awaitable[object]]]:
                return [
                    lambda: app.outcomes.report(alice, OutcomeReport(of, UseOutcome.SUCCESS)),
                    lambda: app.reliance.ask(alice, open_claim, stake=0.1, least=0.01),
                    lambda: app.sharing.change(alice, of, revoke=("bob",)),
                    lambda: app.revisions.revise(alice, of, Revision(summary="new"), version=1),
                    lambda: app.verification.verify(
                        alice, claim(exit_code=status), progress=silent
                    ),
                    lambda: app.memory.remember(alice, MemoryDraft("a note")),
                    lambda: app.removal.remove(alice, of),
                    lambda: app.removal.forget(alice, of),
                ]

            every = acts(one.id, 0)
            every.insert(-1, lambda: app.removal.restore(alice, one.id))
            before = await written(app)
            for done, act in enumerate(every, start=before + 1):
                await act()
                assert await written(app) == done
            # The same claim again is answered from what is there, and costs nothing.
            await app.verification.verify(alice, claim(), progress=silent)
            assert await written(app) == before + len(every)
            # One use of each pattern that was shown: what was forgotten meanwhile counts, too.
            await app.outcomes.credit(alice, CreditReport(found.receipt_id, UseOutcome.SUCCESS))
            shown = len(found.items)
            assert await written(app) == before + len(every) + shown
            # And one of each pattern that a claim applied, which its verdict may count.
            applied = claim(exit_code=1, applied=(two.id,))
            await app.verification.verify(alice, applied, progress=silent)
            assert await written(app) == before + len(every) + shown + 2
            await spent(installation, alice, FEW)
            entries = (await app.audit.verify()).size
            for act in acts(two.id, 4):
                with pytest.raises(LimitExceeded, match="Retry after"):
                    await act()
            assert (await app.audit.verify()).size == entries

    async def test_learning_and_forgetting_in_turn_comes_to_an_end(
        self, installation: Installation
    ) -> None:
        async with installation.open(agent_daily_writes=FEW) as app:
            alice = await agent(app, "alice")
            await spent(installation, alice, FEW - 5)

            async def loop() -> None:
                for _ in range(FEW):
                    made = await learned(app, alice)
                    await app.removal.forget(alice, made.id)

            with pytest.raises(LimitExceeded, match="Retry after"):
                await loop()


async def shown(app: App, place: Installation, who: Agent, pattern_id: str) -> None:
    """Show a pattern in a loop, each time as a trial."""
    for number in range(MOST_OF_AN_AGENT + 20):
        place.clock.advance(0.0001)  # in all less than it takes until a write is given back
        app.receipts.issue(who, "again", {pattern_id: 1.0}, Tried(pattern_id, shown=True))
        if number % 100 == 0:
            await app.receipts.settle()
    await app.receipts.settle()


async def test_a_loop_that_only_searches_leaves_a_thousand_receipts_and_trials_a_day(
    app: App, installation: Installation, alice: Agent
) -> None:
    made = await learned(app, alice)
    used = await written(app)
    await shown(app, installation, alice, made.id)
    assert await rows(installation, receipts) == MOST_OF_AN_AGENT
    assert await rows(installation, trials) == MOST_OF_AN_AGENT
    assert await written(app) == used
    installation.clock.advance(86_400)
    await shown(app, installation, alice, made.id)
    assert await rows(installation, receipts) == MOST_OF_AN_AGENT
    assert await rows(installation, trials) == 2 * MOST_OF_AN_AGENT
