"""Outcomes: counted once, credited where they belong, right however many report at once."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, learned, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import Conflict, InvalidInput, NotFound, TmwsError
from tmws.domain.usage import Usage, UseOutcome
from tmws.services.counting import count_again
from tmws.services.learning import FoundPatterns, PatternQuery
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.services.receipts import LIFE, MOST_OF_AN_AGENT
from tmws.storage.tables import receipts, use_vectors, uses
from tmws.storage.uses import of_pattern

WRITERS = 50
GOOD = UseOutcome.SUCCESS


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice", "home")


@pytest.fixture
async def found(app: App, alice: Agent) -> FoundPatterns:
    """Two patterns, found by one request."""
    await learned(app, alice, "retry", summary="Retry a flaky network call with backoff.")
    await learned(app, alice, "timeout", summary="Give every network call a timeout.")
    page = await app.learning.find(alice, PatternQuery("flaky network call"))
    assert len(page.items) == 2
    return page


def receipt(page: FoundPatterns) -> str:
    assert page.receipt_id is not None
    return page.receipt_id


async def usage(app: App, who: Agent, pattern_id: str) -> Usage:
    return (await app.learning.get(who, pattern_id)).usage


async def test_fifty_writers_at_once_count_as_if_they_came_in_turn(
    app: App, installation: Installation, alice: Agent
) -> None:
    kept = await learned(app, alice, level="public")
    reporters = [alice, await agent(app, "bob", "home"), await agent(app, "carol", "home")]
    outcomes = list(UseOutcome)
    reports = [
        (reporters[n % 3], OutcomeReport(kept.id, outcomes[n % 7 % 3], float(n)))
        for n in range(WRITERS)
    ]
    counted = await asyncio.gather(*(app.outcomes.report(who, what) for who, what in reports))
    order = sorted(range(WRITERS), key=lambda n: counted[n].count)
    assert [counted[n].count for n in order] == list(range(1, WRITERS + 1))

    oracle, own = Usage(), {who.id: Usage() for who in reporters}
    for n in order:
        who, what = reports[n]
        told = {"duration_seconds": what.duration_seconds, "proven": False, "own": own[who.id]}
        at = installation.clock.now()
        oracle = oracle.after(what.outcome, at=at, **told)  # type: ignore[arg-type]
        own[who.id] = own[who.id].after(what.outcome, at=at, **told)  # type: ignore[arg-type]
        assert counted[n] == oracle
    final = await usage(app, alice, kept.id)
    assert final == oracle
    assert final.success_rate == oracle.success_rate
    assert await app.outcomes.by_owner(reporters[1], kept.id) == own[alice.id]
    assert (final.prior.good, final.prior.bad) == pytest.approx(
        (final.evidence_good, final.evidence_bad)
    )


async def test_writers_that_touch_the_same_things_in_other_orders_all_end(
    app: App, installation: Installation, alice: Agent
) -> None:
    """Reports, credits, verdicts and new patterns lock the same rows."""
    await app.workspaces.add("shop", installation.workspace(), by="test")
    kept = [await learned(app, alice, f"network {n}", level="public") for n in range(3)]
    pages = [await app.learning.find(alice, PatternQuery("network")) for _ in range(4)]
    await asyncio.gather(
        *(
            app.outcomes.report(alice, OutcomeReport(each.id, GOOD, context=f"for {n}"))
            for n in range(4)
            for each in kept
        ),
        *(app.outcomes.credit(alice, CreditReport(receipt(page), GOOD)) for page in pages),
        *(
            verified(app, alice, exit_code=n, applied=tuple(each.id for each in kept[::-1]))
            for n in range(3)
        ),
        *(learned(app, alice, f"more {n}") for n in range(4)),
    )
    counts = [await usage(app, alice, each.id) for each in kept]
    assert [each.count for each in counts] == [7, 7, 7]
    assert sum(each.credit for each in counts) == pytest.approx(4.0)


async def test_a_receipt_says_what_the_use_was_for(
    app: App, installation: Installation, alice: Agent, found: FoundPatterns
) -> None:
    best = found.items[0].pattern.id
    await app.outcomes.report(alice, OutcomeReport(best, GOOD, receipt_id=receipt(found)))
    async with installation.database() as database, database.read() as connection:
        [context] = (await connection.execute(sa.select(uses.c.context))).scalars()
        vectors = await connection.scalar(sa.select(sa.func.count()).select_from(use_vectors))
    assert context == "flaky network call"
    assert vectors == 1


async def test_without_a_name_the_credit_is_split_by_score_and_sums_to_one(
    app: App, alice: Agent, found: FoundPatterns
) -> None:
    counted = await app.outcomes.credit(alice, CreditReport(receipt(found), GOOD))
    scores = {item.pattern.id: item.score or 0.0 for item in found.items}
    total = sum(scores.values())
    for pattern_id, score in scores.items():
        assert counted[pattern_id].credit == pytest.approx(score / total)
        assert counted[pattern_id].count == 0
        assert counted[pattern_id].success_rate == 1.0
        assert await usage(app, alice, pattern_id) == counted[pattern_id]
    assert sum(each.credit for each in counted.values()) == pytest.approx(1.0)


async def test_a_receipt_counts_once(app: App, alice: Agent, found: FoundPatterns) -> None:
    first, second = (item.pattern.id for item in found.items)
    named = OutcomeReport(first, GOOD, receipt_id=receipt(found))
    await app.outcomes.report(alice, named)
    with pytest.raises(Conflict, match="already counts"):
        await app.outcomes.report(alice, named)
    with pytest.raises(Conflict, match="was counted already"):
        await app.outcomes.credit(alice, CreditReport(receipt(found), GOOD))
    failed = OutcomeReport(second, UseOutcome.FAILURE, receipt_id=receipt(found))
    assert (await app.outcomes.report(alice, failed)).failures == 1
    assert (await usage(app, alice, first)).count == 1


async def test_of_equal_credits_sent_at_once_one_counts(
    app: App, alice: Agent, found: FoundPatterns
) -> None:
    report = CreditReport(receipt(found), GOOD)
    ends = await asyncio.gather(
        *(app.outcomes.credit(alice, report) for _ in range(5)), return_exceptions=True
    )
    assert sum(isinstance(end, Conflict) for end in ends) == 4
    total = sum([(await usage(app, alice, item.pattern.id)).credit for item in found.items])
    assert total == pytest.approx(1.0)


async def test_a_receipt_of_another_of_nobody_or_of_long_ago_is_unknown(
    app: App, installation: Installation, alice: Agent, found: FoundPatterns
) -> None:
    bob = await agent(app, "bob", "home")
    shown = found.items[0].pattern.id
    told = set()

    async def refused(who: Agent, key: str) -> None:
        for act in (
            app.outcomes.credit(who, CreditReport(key, GOOD)),
            app.outcomes.report(who, OutcomeReport(shown, GOOD, receipt_id=key)),
        ):
            with pytest.raises(NotFound) as unknown:
                await act
            told.add(unknown.value.message.replace(key, "…"))

    await refused(bob, receipt(found))
    await refused(alice, "receipt_" + "0" * 26)
    installation.clock.advance((LIFE + timedelta(seconds=1)).total_seconds())
    await refused(alice, receipt(found))
    assert len(told) == 1, "one text for all, so that none says which it was"
    assert (await usage(app, alice, shown)).count == 0


async def test_a_receipt_vouches_only_for_what_it_showed(
    app: App, alice: Agent, found: FoundPatterns
) -> None:
    other = await learned(app, alice, "bread", summary="Let the dough rise.")
    with pytest.raises(InvalidInput, match="did not show"):
        await app.outcomes.report(alice, OutcomeReport(other.id, GOOD, receipt_id=receipt(found)))


async def test_old_receipts_are_forgotten_and_an_agent_keeps_so_many(
    app: App, installation: Installation, alice: Agent, found: FoundPatterns
) -> None:
    shown = {found.items[0].pattern.id: 1.0}

    async def stored() -> int:
        await app.receipts.settle()
        async with installation.database() as database, database.read() as connection:
            count = sa.select(sa.func.count()).select_from(receipts)
            return await connection.scalar(count) or 0

    for number in range(MOST_OF_AN_AGENT + 20):
        installation.clock.advance(0.001)
        app.receipts.issue(alice, "again", shown)
        if number % 400 == 0:
            await app.receipts.settle()
    assert await stored() == MOST_OF_AN_AGENT
    installation.clock.advance(LIFE.total_seconds() + 1)
    app.receipts.issue(alice, "now", shown)
    assert await stored() == 1


@pytest.mark.usefixtures("found")
async def test_every_page_that_shows_something_has_a_receipt(app: App, alice: Agent) -> None:
    listed = await app.learning.find(alice, PatternQuery())
    counted = await app.outcomes.credit(alice, CreditReport(receipt(listed), GOOD))
    assert [each.credit for each in counted.values()] == [0.5, 0.5]
    empty = await app.learning.find(alice, PatternQuery(category="nothing"))
    assert empty.receipt_id is None


async def test_what_only_some_may_read_moves_nothing_that_others_are_shown(
    app: App, alice: Agent
) -> None:
    seen = await learned(app, alice, "open", level="public")
    hidden = await learned(app, alice, "closed")
    bob = await agent(app, "bob", "home")
    before = (await usage(app, bob, seen.id)).confidence
    for _ in range(5):
        await app.outcomes.report(alice, OutcomeReport(hidden.id, UseOutcome.FAILURE))
    assert (await usage(app, bob, seen.id)).confidence == before
    await app.outcomes.report(alice, OutcomeReport(seen.id, UseOutcome.FAILURE))
    assert (await usage(app, bob, seen.id)).confidence < before


async def test_the_statistics_of_the_owner_are_told_to_readers_only(app: App, alice: Agent) -> None:
    hidden = await learned(app, alice)
    stranger = await agent(app, "stranger", "elsewhere")
    await app.outcomes.report(alice, OutcomeReport(hidden.id, GOOD))
    assert (await app.outcomes.by_owner(alice, hidden.id)).successes == 1
    with pytest.raises(TmwsError) as refused:
        await app.outcomes.by_owner(stranger, hidden.id)
    assert isinstance(refused.value, NotFound)


async def test_history_tells_in_which_order_uses_were_counted(
    app: App, installation: Installation, alice: Agent
) -> None:
    """Of two reports at once the one that began earlier may be counted later."""
    kept = await learned(app, alice)
    for seconds, duration in ((60, 1.0), (-30, 100.0), (-10, 10.0)):
        installation.clock.advance(seconds)
        report = OutcomeReport(kept.id, UseOutcome.SUCCESS, duration)
        await app.outcomes.report(alice, report)
    counted = await usage(app, alice, kept.id)
    async with installation.database() as database, database.write() as tx:
        assert await count_again(tx, kept.id) == counted
        told = [use.duration_seconds for use in await of_pattern(tx, kept.id)]
    assert told == [1.0, 100.0, 10.0]


async def test_the_command_says_how_many_uses_are_proven(sqlite_url: str, tmp_path: Path) -> None:
    place = Installation(sqlite_url, tmp_path / "data")
    async with place.open() as app:
        await app.workspaces.add("shop", place.workspace(), by="ann")
        bob = await agent(app, "bob", "home")
        kept = await learned(app, bob)
        await verified(app, bob, applied=(kept.id,))
        await app.outcomes.report(bob, OutcomeReport(kept.id, UseOutcome.SUCCESS))
    words = ("patterns", "show", kept.id, "--json")
    shown = tmws(*words, data=place.folder, TMWS_DATABASE_URL=sqlite_url).document()
    assert (shown["uses"], shown["proven"]) == (2, 1)
