"""What is hidden bends no score, no figure and no answer that others get."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from tests.integration.services import Installation, agent, claim, learned, pattern, silent
from tests.security.relations import CANARY, READABLE, World, world
from tests.security.test_access import LOOKS, WRITES
from tmws.app import App
from tmws.domain.agents import AccessLevel
from tmws.domain.batches import Incoming
from tmws.domain.errors import TmwsError
from tmws.domain.memories import MemoryDraft
from tmws.domain.situations import Severity, Situation
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.analytics import StatsQuery
from tmws.services.learning import PatternQuery
from tmws.services.memory import MemoryQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage import memories, tables

__all__ = ["world"]


async def test_hidden_things_do_not_bend_the_scores_of_what_is_found(app: App) -> None:
    """A score that moved with hidden things would count them, word by word."""
    probe, keeper = await agent(app, "probe"), await agent(app, "keeper")
    await learned(app, probe, "one", summary="alpha")
    await learned(app, probe, "two", summary="omega")
    query = PatternQuery(text="alpha omega")

    async def scores() -> list[tuple[str, float | None]]:
        found = await app.learning.find(probe, query)
        severe = Situation("alpha omega", severity=Severity.HIGH)
        best = await app.recommendation.recommend(probe, severe)
        return [
            *((item.pattern.name, item.score) for item in found.items),
            *((repr(item.parts), item.score) for item in best.items),
        ]

    before = await scores()
    assert len(before) == 4
    for number in range(8):
        hidden = await learned(app, keeper, f"hidden {number}", summary="alpha " * 5)
        for outcome in UseOutcome:
            report = OutcomeReport(hidden.id, outcome, 1.0, "alpha omega")
            await app.outcomes.report(keeper, report)
    assert await scores() == before


async def test_what_a_use_was_for_reaches_its_reporter_alone(world: World) -> None:
    """Not even the readers of the pattern, and its likeness to a request only roughly."""
    secret, app = "canary-51d07e", world.app
    reporter, what = world.agents["member"], world.patterns["public"]
    report = OutcomeReport(what.id, UseOutcome.FAILURE, context=f"use the {CANARY} for {secret}")
    await app.outcomes.report(reporter, report)
    for who in world.agents.values():
        for severity in Severity:
            situation = Situation(f"use the {CANARY} for {secret}", severity=severity, limit=10)
            found = await app.recommendation.recommend(who, situation)
            assert (secret in repr(found)) is (who is reporter)
            for item in found.items:
                for use in item.nearest:
                    assert use.words or use.similarity == round(use.similarity, 1)


async def test_hidden_things_and_their_uses_shift_no_figure_that_others_see(app: App) -> None:
    """Not even what is seldom: a trend, an author, a week."""
    probe, keeper = await agent(app, "probe"), await agent(app, "keeper")
    shown = await learned(app, probe, "one", level="public")
    await app.outcomes.report(keeper, OutcomeReport(shown.id, UseOutcome.SUCCESS))
    before = await app.analytics.stats(probe, StatsQuery())
    for number in range(4):
        hidden = await learned(app, keeper, f"hidden {number}", category=f"hidden{number}")
        for _ in range(8):
            await app.outcomes.report(keeper, OutcomeReport(hidden.id, UseOutcome.FAILURE))
    assert await app.analytics.stats(probe, StatsQuery()) == before


MEMORIES: dict[str, set[str]] = {
    "private": {"owner"},
    "public": READABLE["public"],
    "system": READABLE["system"],
}


@pytest.mark.parametrize("level", MEMORIES)
@pytest.mark.parametrize("text", [None, CANARY, "xylophones quetzals"])
async def test_memories_are_recalled_by_the_same_table(
    world: World, installation: Installation, level: str, text: str | None
) -> None:
    kept = await world.app.memory.remember(
        world.agents["owner"], MemoryDraft(f"about {CANARY}", level=AccessLevel(level))
    )
    for relation, who in world.agents.items():
        recalled = await world.app.memory.recall(who, MemoryQuery(text, limit=50))
        seen = {item.memory.id for item in recalled.items}
        assert (kept.id in seen) is (relation in MEMORIES[level]), relation
        async with installation.database() as database, database.read() as connection:
            # Whatever an index says of what it may read: SQL has the last word.
            found = await memories.readable(connection, who, [kept.id])
        assert (kept.id in found) is (relation in MEMORIES[level]), relation


async def test_no_word_of_a_private_thing_reaches_another_agent(world: World) -> None:
    """A canary is planted wherever words can stand; then everything is asked for."""
    app, owner, spy = world.app, world.agents["owner"], world.agents["outsider"]
    secret = "canary-7f3a91"
    planted = await app.learning.learn(
        owner,
        pattern(secret, category=secret, summary=secret, tags=(secret,), data={secret: secret}),
    )
    await app.memory.remember(owner, MemoryDraft(secret, tags=(secret,)))
    await app.outcomes.report(owner, OutcomeReport(planted.id, UseOutcome.SUCCESS, context=secret))
    mine = await app.verification.verify(
        owner, claim(secret, applied=(planted.id,)), progress=silent
    )

    told: list[str] = []

    async def ask(act: Awaitable[object], *, asked: str = "") -> None:
        try:
            told.append(repr(await act))
        except TmwsError as refused:
            told.append(refused.message.replace(asked, ""))

    for text in (None, "canary", "7f3a91", "anything"):
        for limit in (1, 50):
            await ask(app.learning.find(spy, PatternQuery(text, limit=limit)))
            await ask(app.memory.recall(spy, MemoryQuery(text, limit=limit)))
    await ask(app.learning.find(spy, PatternQuery(author="owner", namespace="team")))
    for situation in (
        Situation("canary"),
        Situation("anything", error="7f3a91", files=("canary",)),
        Situation("canary 7f3a91", severity=Severity.HIGH, limit=10, namespace="team"),
    ):
        await ask(app.recommendation.recommend(spy, situation))
    for asked_agent in (None, "owner", "spy"):
        await ask(app.analytics.stats(spy, StatsQuery(agent=asked_agent)))
    await ask(app.learning.get(spy, planted.id), asked=planted.id)
    await ask(
        app.outcomes.report(spy, OutcomeReport(planted.id, UseOutcome.PARTIAL)), asked=planted.id
    )
    await ask(app.verification.get(spy, mine.claim.id), asked=mine.claim.id)
    await ask(app.verification.verify(spy, claim(), progress=silent))
    await ask(app.trust.show(spy, "owner"))
    await ask(app.trust.show(spy))
    await ask(app.trust.compare(spy, ["spy", "owner"]))
    for name in ("owner", "spy"):
        await ask(app.trust.explain(spy, name))
        await ask(app.trust.newest(spy, name, limit=50))
    await ask(app.reliance.ask(spy, mine.claim.id, stake=0.1, least=0.1), asked=mine.claim.id)
    revisions, removal = app.revisions, app.removal
    await revisions.revise(owner, planted.id, Revision(summary=f"{secret} 2"), version=1)
    for read in (revisions.history, revisions.compare, app.sharing.shared_with, removal.forget):
        await ask(read(spy, planted.id), asked=planted.id)
    for write in WRITES.values():
        await ask(write(app, spy, planted.id), asked=planted.id)
    drafts = [pattern(secret, summary="like it", derived_from=planted.id)]
    told += [
        problem.message.replace(planted.id, "") for problem in await app.batches.check(spy, drafts)
    ]
    told += [repr(each) async for each in app.transfer.export(spy)]
    like = pattern("other", category="c", summary=" ".join([secret] * 4))
    told.append(repr(await app.transfer.examine(spy, [Incoming(like)])))
    await removal.remove(owner, planted.id)
    await ask(removal.restore(spy, planted.id), asked=planted.id)
    told.append(repr(await removal.removed(spy)))
    assert told
    for each in told:
        assert secret not in each
        assert planted.id not in each
        assert mine.claim.id not in each


async def test_a_grant_that_a_level_outlived_opens_nothing(
    world: World, installation: Installation
) -> None:
    """Closing a pattern takes its grants away; one that stayed by a fault must not count."""
    hidden, who = world.patterns["private"], world.agents["grantee"]
    async with installation.database() as database, database.write() as tx:
        row = {"pattern_id": hidden.id, "agent_id": who.id}
        await tx.execute(tables.pattern_grants.insert().values(row))
    for name, look in LOOKS.items():
        assert not await look(world, who, hidden), name
