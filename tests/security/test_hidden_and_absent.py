"""What is hidden is refused like what is not there, and what is one's own is not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from tests.integration.services import agent, claim, learned, silent
from tests.security.relations import ABSENT, CANARY, World, ids, refusal, world
from tests.security.test_access import WRITES
from tmws.domain.errors import NotFound, PermissionDenied
from tmws.domain.memories import MemoryDraft
from tmws.domain.situations import Situation
from tmws.domain.usage import UseOutcome
from tmws.services.analytics import StatsQuery
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport

__all__ = ["world"]


@pytest.mark.parametrize("level", ["private", "shared", "public"])
async def test_hidden_and_absent_are_refused_alike(world: World, level: str) -> None:
    who, hidden = world.agents["outsider"], world.patterns[level].id
    learning, verification = world.app.learning, world.app.verification
    outcomes = world.app.outcomes
    acts: list[Callable[[str], Awaitable[object]]] = [
        lambda key: learning.get(who, key),
        lambda key: outcomes.report(who, OutcomeReport(key, UseOutcome.SUCCESS)),
        lambda key: outcomes.report(
            who, OutcomeReport(key, UseOutcome.SUCCESS, claim_id="claim_0")
        ),
        lambda key: verification.verify(who, claim(applied=(key,)), progress=silent),
        *(partial(write, world.app, who) for write in WRITES.values()),
        lambda key: world.app.revisions.read(who, key, version=7),
        lambda key: world.app.revisions.compare(who, key, old=7),
        lambda key: world.app.sharing.shared_with(who, key),
        lambda key: world.app.removal.restore(who, key),
        lambda key: learned(world.app, who, "mine", derived_from=key),
    ]
    for act in acts:
        assert await refusal(act(hidden), hidden) == await refusal(act(ABSENT), ABSENT)


async def test_a_namespace_without_anything_to_read_looks_like_one_that_is_not_there(
    world: World,
) -> None:
    app, outsider = world.app, world.agents["outsider"]
    await agent(app, "hermit", "cave")
    await learned(app, world.agents["owner"], f"kept {CANARY}")
    told = set()
    for namespace in ("cave", "nowhere"):
        for ask in (
            lambda where: app.learning.find(outsider, PatternQuery(namespace=where)),
            lambda where: app.learning.find(outsider, PatternQuery(CANARY, namespace=where)),
            lambda where: app.recommendation.recommend(
                outsider, Situation(CANARY, namespace=where)
            ),
            lambda where: app.analytics.stats(outsider, StatsQuery(namespace=where)),
        ):
            told.add(await refusal(ask(namespace), namespace))
    assert told == {
        (
            NotFound,
            "No namespace '…' holds anything that you may read. Yours: elsewhere. Leave it out "
            "to look into all that you may.",
        )
    }


async def test_what_others_opened_of_their_namespace_is_found_there(world: World) -> None:
    app, outsider = world.app, world.agents["outsider"]
    for text in (None, CANARY):
        found = await app.learning.find(outsider, PatternQuery(text, namespace="team"))
        assert ids(found) >= {world.patterns["system"].id}
        assert not ids(found) & {world.patterns[level].id for level in ("private", "public")}


async def test_ones_own_namespace_may_be_empty(world: World) -> None:
    hermit = await agent(world.app, "hermit", "cave")
    for text in (None, CANARY):
        found = await world.app.learning.find(hermit, PatternQuery(text, namespace="cave"))
        assert not found.items


async def test_a_refused_report_counts_nothing(world: World) -> None:
    hidden = world.patterns["private"]
    report = OutcomeReport(hidden.id, UseOutcome.FAILURE)
    with pytest.raises(NotFound):
        await world.app.outcomes.report(world.agents["member"], report)
    assert (await world.app.learning.get(world.agents["owner"], hidden.id)).usage.count == 0


async def test_a_claim_and_an_agent_of_others_look_absent(world: World) -> None:
    app, owner, outsider = world.app, world.agents["owner"], world.agents["outsider"]
    made = (await app.verification.verify(owner, claim(), progress=silent)).claim.id
    for key in (made, "claim_" + "0" * 26):
        kind, text = await refusal(app.verification.get(outsider, key), key)
        assert (kind, text) == (
            NotFound,
            "No verification '…' is visible to you. Check the id.",
        )
    hidden = await refusal(app.trust.show(outsider, "owner"), "owner")
    assert hidden == await refusal(app.trust.show(outsider, "nobody"), "nobody")


async def test_a_claim_of_another_proves_nothing_for_me(world: World) -> None:
    app, owner, member = world.app, world.agents["owner"], world.agents["member"]
    made = (await app.verification.verify(owner, claim(), progress=silent)).claim.id
    mine = await learned(app, member, "mine")
    for key in (made, "claim_" + "0" * 26):
        report = OutcomeReport(mine.id, UseOutcome.SUCCESS, claim_id=key)
        kind, text = await refusal(app.outcomes.report(member, report), key)
        assert (kind, text) == (NotFound, "No verification '…' of yours. Leave claim_id out.")


async def test_a_name_that_a_stranger_took_is_free_for_me(world: World) -> None:
    hidden = world.patterns["private"]
    mine = await learned(world.app, world.agents["member"], hidden.name)
    assert mine.id != hidden.id


async def test_writing_where_one_does_not_belong_is_refused(world: World) -> None:
    app, outsider = world.app, world.agents["outsider"]
    with pytest.raises(NotFound, match="not one of yours"):
        await learned(app, outsider, namespace="team")
    with pytest.raises(NotFound, match="not one of yours"):
        await app.memory.remember(outsider, MemoryDraft("x", namespace="team"))
    with pytest.raises(NotFound, match="not one of yours"):
        await app.verification.verify(outsider, claim(namespace="team"), progress=silent)
    with pytest.raises(PermissionDenied):
        await learned(app, outsider, level="system")
