"""Patterns: kept as they were given, listed, filtered, and judged by their use."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from tests.integration.services import (
    Installation,
    agent,
    ended,
    learned,
    pattern,
    timed_out,
    verified,
)
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.errors import Conflict, InvalidInput, NotFound
from tmws.domain.usage import Usage, UseOutcome
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage import uses
from tmws.testing.clock import START


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice", "home", "work")


async def listed(app: App, who: Agent, **fields: object) -> list[str]:
    found = await app.learning.find(who, PatternQuery(**fields))  # type: ignore[arg-type]
    return [item.pattern.name for item in found.items]


async def test_a_pattern_is_read_as_it_was_learned(app: App, alice: Agent) -> None:
    data = {"steps": ["one", {"two": [1, 2.5, None, True]}], "ключ": "значение\n"}
    kept = await learned(app, alice, summary="In words.", data=data, tags=("b", "a"))
    read = await app.learning.get(alice, kept.id)
    assert read == kept
    assert (read.data, read.tags, read.owner, read.version) == (data, ("a", "b"), "alice", 1)
    assert (read.namespace, read.created_at, read.usage) == ("home", START, Usage())


async def test_a_name_is_taken_once_by_its_owner_in_its_namespace(app: App, alice: Agent) -> None:
    first = await learned(app, alice)
    with pytest.raises(Conflict, match=first.id):
        await learned(app, alice)
    await learned(app, alice, namespace="work")
    await learned(app, await agent(app, "bob", "home"))


async def test_of_equal_names_learned_at_once_one_is_kept(app: App, alice: Agent) -> None:
    ends = await asyncio.gather(*(learned(app, alice) for _ in range(6)), return_exceptions=True)
    assert sum(isinstance(end, Conflict) for end in ends) == 5
    assert await listed(app, alice) == ["retry"]


async def test_sharing_with_nobody_known_keeps_nothing(app: App, alice: Agent) -> None:
    with pytest.raises(NotFound, match="No agent 'nobody'"):
        await learned(app, alice, level="shared", shared_with=("nobody",))
    assert await listed(app, alice) == []


async def test_a_listing_is_newest_first_and_goes_on_where_it_stopped(
    app: App, installation: Installation, alice: Agent
) -> None:
    for number in range(5):
        await learned(app, alice, f"p{number}")
        installation.clock.advance(1)
    await learned(app, alice, "same a")
    await learned(app, alice, "same b")
    installation.clock.advance(1)
    seen: list[str] = []
    cursor = None
    while True:
        found = await app.learning.find(alice, PatternQuery(limit=2, cursor=cursor))
        seen += [item.pattern.name for item in found.items]
        await learned(app, alice, f"written meanwhile {len(seen)}", category="other")
        if (cursor := found.next_cursor) is None:
            break
    assert sorted(seen[:2]) == ["same a", "same b"]
    assert seen[2:] == ["p4", "p3", "p2", "p1", "p0"]


def forged(cursor: str | None, place: object) -> str:
    mark, _ = json.loads(base64.urlsafe_b64decode(cursor or ""))
    return base64.urlsafe_b64encode(json.dumps([mark, place]).encode()).decode()


@pytest.mark.parametrize("limit", [0, 51, -1])
async def test_a_page_of_another_size_is_refused(app: App, alice: Agent, limit: int) -> None:
    with pytest.raises(InvalidInput, match="give 1 to 50"):
        await app.learning.find(alice, PatternQuery(limit=limit))


async def test_a_cursor_of_another_query_or_nobody_is_refused(app: App, alice: Agent) -> None:
    await learned(app, alice, "a"), await learned(app, alice, "b")
    by_time = (await app.learning.find(alice, PatternQuery(limit=1))).next_cursor
    by_score = (await app.learning.find(alice, PatternQuery("a b build", limit=1))).next_cursor
    for query in (
        PatternQuery(category="build", cursor=by_time),
        PatternQuery("a b build", cursor=by_time),
        PatternQuery(cursor=by_score),
        PatternQuery(cursor="nonsense"),
        PatternQuery("a", cursor="nonsense"),
        PatternQuery("a b build", cursor=forged(by_score, -1)),
        PatternQuery("a b build", cursor=forged(by_score, "1")),
    ):
        with pytest.raises(InvalidInput, match="cursor"):
            await app.learning.find(alice, query)


async def test_each_filter_lets_through_what_it_says(app: App, alice: Agent) -> None:
    bob = await agent(app, "bob", "home")
    await learned(app, alice, "a", category="build", tags=("x", "y"), level="public")
    await learned(app, alice, "b", category="test", tags=("x",), namespace="work")
    await learned(app, bob, "c", category="test", level="public")
    assert sorted(await listed(app, alice)) == ["a", "b", "c"]
    assert sorted(await listed(app, alice, category="test")) == ["b", "c"]
    assert sorted(await listed(app, alice, tags=("x",))) == ["a", "b"]
    assert await listed(app, alice, tags=("x", "y")) == ["a"]
    assert await listed(app, alice, namespace="work") == ["b"]
    assert await listed(app, alice, author="bob") == ["c"]
    assert await listed(app, alice, level=AccessLevel.PRIVATE) == ["b"]
    assert await listed(app, alice, author="nobody") == []
    assert await listed(app, alice, text="build", category="build") == ["a"]


async def test_use_filters_by_count_and_rate(app: App, alice: Agent) -> None:
    never, half, always = [await learned(app, alice, name) for name in ("never", "half", "always")]
    assert never.usage.count == 0
    for key, outcome in (
        (half.id, UseOutcome.SUCCESS),
        (half.id, UseOutcome.FAILURE),
        (always.id, UseOutcome.SUCCESS),
    ):
        await app.outcomes.report(alice, OutcomeReport(key, outcome))
    assert sorted(await listed(app, alice, least_uses=1)) == ["always", "half"]
    assert await listed(app, alice, least_uses=2) == ["half"]
    assert await listed(app, alice, least_success_rate=0.51) == ["always"]
    assert sorted(await listed(app, alice, least_success_rate=0.5)) == ["always", "half"]


async def test_a_reported_use_is_counted_with_its_duration(
    app: App, installation: Installation, alice: Agent
) -> None:
    kept = await learned(app, alice)
    await app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS, 10.0, "it worked"))
    later = installation.clock.advance(60)
    usage = await app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.PARTIAL, 20.0))
    assert (usage.successes, usage.partials, usage.last_used_at) == (1, 1, later)
    assert usage.duration_seconds == pytest.approx(12.0)
    assert (await app.learning.get(alice, kept.id)).usage == usage


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"duration_seconds": -1.0}, "duration_seconds"),
        ({"context": "x" * 2001}, "limit is 2000"),
        ({"context": "\u202e"}, "U\\+202E"),
    ],
)
async def test_a_broken_report_counts_nothing(
    app: App, alice: Agent, fields: dict[str, object], what: str
) -> None:
    kept = await learned(app, alice)
    report = OutcomeReport(kept.id, UseOutcome.SUCCESS, **fields)  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match=what):
        await app.outcomes.report(alice, report)
    assert (await app.learning.get(alice, kept.id)).usage.count == 0


class TestAClaimAsProof:
    @pytest.fixture
    async def claimed(self, app: App, installation: Installation, alice: Agent) -> str:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        return (await verified(app, alice)).claim.id

    async def test_counts_a_use_as_proven_once(self, app: App, alice: Agent, claimed: str) -> None:
        kept = await learned(app, alice)
        report = OutcomeReport(kept.id, UseOutcome.SUCCESS, claim_id=claimed)
        usage = await app.outcomes.report(alice, report)
        assert (usage.successes, usage.proven_successes) == (1, 1)
        with pytest.raises(Conflict, match="already counts"):
            await app.outcomes.report(alice, report)
        assert (await app.learning.get(alice, kept.id)).usage == usage

    @pytest.mark.parametrize("outcome", [UseOutcome.FAILURE, UseOutcome.PARTIAL])
    async def test_proves_nothing_but_its_verdict(
        self, app: App, alice: Agent, claimed: str, outcome: UseOutcome
    ) -> None:
        kept = await learned(app, alice)
        with pytest.raises(InvalidInput, match="is SUPPORTED and does not prove"):
            await app.outcomes.report(alice, OutcomeReport(kept.id, outcome, claim_id=claimed))

    async def test_without_a_verdict_proves_nothing(
        self, app: App, installation: Installation, alice: Agent, claimed: str
    ) -> None:
        kept = await learned(app, alice)
        installation.sandbox.will(timed_out(), RuntimeError("lost"))
        undecided = (await verified(app, alice, exit_code=3)).claim.id
        with pytest.raises(RuntimeError):
            await verified(app, alice, exit_code=4)
        installation.clock.advance(1)
        [abandoned] = [
            each.id
            for each in await app.verification.newest(limit=9)
            if each.id not in {undecided, claimed}
        ]
        for key, what in ((undecided, "INCONCLUSIVE and"), (abandoned, "still open and")):
            with pytest.raises(InvalidInput, match=what):
                await app.outcomes.report(
                    alice, OutcomeReport(kept.id, UseOutcome.SUCCESS, claim_id=key)
                )

    async def test_that_is_no_claim_is_refused(self, app: App, alice: Agent) -> None:
        kept = await learned(app, alice)
        for key in ("", "claim_0"):
            with pytest.raises(NotFound, match="No verification"):
                await app.outcomes.report(
                    alice, OutcomeReport(kept.id, UseOutcome.SUCCESS, claim_id=key)
                )

    async def test_that_applied_the_pattern_is_counted_already(
        self, app: App, installation: Installation, alice: Agent, claimed: str
    ) -> None:
        kept = await learned(app, alice)
        installation.sandbox.will(ended(1))
        made = await verified(app, alice, exit_code=5, applied=(kept.id,))
        assert made.claim.id != claimed
        with pytest.raises(Conflict, match="already counts"):
            await app.outcomes.report(
                alice, OutcomeReport(kept.id, UseOutcome.FAILURE, claim_id=made.claim.id)
            )

    async def test_proves_no_other_pattern_than_it_named(
        self, app: App, installation: Installation, alice: Agent, claimed: str
    ) -> None:
        """The attack: one verdict, and a good record for whatever one likes."""
        named, other = await learned(app, alice, "named"), await learned(app, alice, "other")
        installation.sandbox.will(ended(3))
        made = (await verified(app, alice, exit_code=3, applied=(named.id,))).claim
        report = OutcomeReport(other.id, UseOutcome.SUCCESS, claim_id=made.id)
        with pytest.raises(InvalidInput, match="was not among it"):
            await app.outcomes.report(alice, report)
        named_none = OutcomeReport(other.id, UseOutcome.SUCCESS, claim_id=claimed)
        assert (await app.outcomes.report(alice, named_none)).proven == 1

    async def test_proves_nothing_that_was_learned_later(
        self, app: App, installation: Installation, alice: Agent, claimed: str
    ) -> None:
        installation.clock.advance(1)
        new = await learned(app, alice, "new")
        with pytest.raises(InvalidInput, match="is older than"):
            await app.outcomes.report(
                alice, OutcomeReport(new.id, UseOutcome.SUCCESS, claim_id=claimed)
            )

    async def test_that_is_withdrawn_proves_nothing_until_it_is_restored(
        self, app: App, installation: Installation, alice: Agent, claimed: str
    ) -> None:
        kept = {name: await learned(app, alice, name, level="public") for name in "abc"}
        said = OutcomeReport(kept["a"].id, UseOutcome.SUCCESS, 4.0)
        told = await app.outcomes.report(alice, said)
        proven = await app.outcomes.report(
            alice, OutcomeReport(kept["b"].id, UseOutcome.SUCCESS, 4.0, claim_id=claimed)
        )
        assert (proven.proven, proven.evidence_good) == (1, 1.0)
        await app.corrections.withdraw(claimed, reason="the image was broken", by="ann")
        for name in "ab":
            now = (await app.learning.get(alice, kept[name].id)).usage
            assert now == told
            assert await app.outcomes.by_owner(alice, kept[name].id) == told
            # Two words of one agent are all that the namespace has heard.
            assert (now.prior.good, now.prior.bad) == (2 * told.evidence_good, 0.0)
        for name in "bc":
            with pytest.raises(InvalidInput, match="was withdrawn and proves nothing"):
                await app.outcomes.report(
                    alice, OutcomeReport(kept[name].id, UseOutcome.SUCCESS, claim_id=claimed)
                )
        await app.corrections.restore(claimed, reason="it was another image", by="ann")
        assert (await app.learning.get(alice, kept["a"].id)).usage.proven == 0
        again = (await app.learning.get(alice, kept["b"].id)).usage
        assert again == proven
        with pytest.raises(Conflict, match="already counts as a use"):
            await app.outcomes.report(
                alice, OutcomeReport(kept["b"].id, UseOutcome.SUCCESS, claim_id=claimed)
            )
        # What is taken back while its proof is withdrawn does not come back with the proof.
        await app.corrections.withdraw(claimed, reason="it was that image", by="ann")
        async with installation.database() as database, database.write() as tx:
            [use] = await uses.of_pattern(tx, kept["b"].id)
            await uses.take_back(tx, kept["b"].id, [use.id])
        await app.corrections.restore(claimed, reason="it was another image", by="ann")
        assert (await app.learning.get(alice, kept["b"].id)).usage.proven == 0
        report = await app.audit.verify()
        assert report.holds, report.problems


async def test_the_administrator_lists_what_everybody_learned(
    app: App, installation: Installation, alice: Agent
) -> None:
    await learned(app, alice, "a")
    installation.clock.advance(1)
    await app.learning.learn(await agent(app, "bob"), pattern("b", category="test"))
    every = await app.learning.newest(category=None, limit=10)
    assert [each.name for each in every] == ["b", "a"]
    assert [each.name for each in await app.learning.newest(category="test", limit=10)] == ["b"]
    assert len(await app.learning.newest(category=None, limit=1)) == 1
