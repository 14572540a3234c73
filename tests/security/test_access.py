"""Who may see what: every level, every relation, every way to look, against one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from tests.integration.services import Installation, claim, learned, pattern, silent
from tests.security.relations import CANARY, LATER, READABLE, TABLE, World, ids, world
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.analytics import Tally
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied
from tmws.domain.patterns import Pattern
from tmws.domain.situations import Severity, Situation
from tmws.domain.uplift import UNTRIED
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.analytics import StatsQuery
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.storage import patterns, recommendation
from tmws.storage.prepared import at_once

__all__ = ["world"]


Look = Callable[[World, Agent, Pattern], Awaitable[bool]]


async def by_id(world: World, who: Agent, what: Pattern) -> bool:
    try:
        return (await world.app.learning.get(who, what.id)).id == what.id
    except NotFound:
        return False


async def by_outcome(world: World, who: Agent, what: Pattern) -> bool:
    try:
        report = OutcomeReport(what.id, UseOutcome.SUCCESS)
        return (await world.app.outcomes.report(who, report)).count > 0
    except NotFound:
        return False


async def by_claim(world: World, who: Agent, what: Pattern) -> bool:
    draft = claim(applied=(what.id,))
    try:
        await world.app.verification.verify(who, draft, progress=silent)
    except NotFound:
        return False
    return True


def by_reading(read: Callable[[App, Agent, str], Awaitable[object]]) -> Look:
    async def look(world: World, who: Agent, what: Pattern) -> bool:
        try:
            await read(world.app, who, what.id)
        except NotFound:
            return False
        return True

    return look


async def by_batch(world: World, who: Agent, what: Pattern) -> bool:
    draft = pattern(f"of {what.id}", derived_from=what.id)
    return await world.app.batches.check(who, [draft]) == ()


async def by_export(world: World, who: Agent, what: Pattern) -> bool:
    return what.id in {each.pattern.id async for each in world.app.transfer.export(who)}


def by_query(**fields: object) -> Look:
    async def look(world: World, who: Agent, what: Pattern) -> bool:
        query = PatternQuery(limit=50, **fields)  # type: ignore[arg-type]
        return what.id in ids(await world.app.learning.find(who, query))

    return look


async def by_its_level(world: World, who: Agent, what: Pattern) -> bool:
    found = await world.app.learning.find(who, PatternQuery(level=what.level))
    assert all(item.pattern.level is what.level for item in found.items)
    return what.id in ids(found)


async def by_paging(world: World, who: Agent, what: Pattern) -> bool:
    seen: list[str] = []
    for text in (None, CANARY):
        cursor: str | None = None
        while True:
            page = await world.app.learning.find(
                who, PatternQuery(text=text, limit=1, cursor=cursor)
            )
            seen += ids(page)
            # A page is never shorter than it must be: a gap would tell of a hidden thing.
            assert len(page.items) == 1 or page.next_cursor is None
            if (cursor := page.next_cursor) is None:
                break
    assert seen.count(what.id) in {0, 2}
    return what.id in seen


async def by_likeness(world: World, who: Agent, what: Pattern) -> bool:
    own = await learned(world.app, who, f"own {CANARY}", summary=f"about {CANARY}", category="own")
    found = await world.app.learning.find(who, PatternQuery(similar_to=own.id, limit=50))
    await world.app.removal.remove(who, own.id)
    assert own.id not in ids(found)
    return what.id in ids(found)


async def by_figures(world: World, who: Agent, what: Pattern) -> bool:
    listed = await world.app.learning.find(who, PatternQuery(level=what.level, limit=50))
    counted = dict((await world.app.analytics.stats(who, StatsQuery())).levels)
    assert counted.get(what.level.value, Tally()).patterns == len(listed.items)
    return what.id in ids(listed)


async def by_recommendation(world: World, who: Agent, what: Pattern) -> bool:
    seen = set()
    for severity in Severity:
        for namespace in (None, "team"):
            situation = Situation(
                f"use the {CANARY}", severity=severity, limit=10, namespace=namespace
            )
            found = await world.app.recommendation.recommend(who, situation)
            seen.add(what.id in {item.pattern.id for item in found.items})
    assert len(seen) == 1
    return seen.pop()


async def by_uplift(world: World, who: Agent, what: Pattern) -> bool:
    """A trial of each pattern, whose figures are for its readers."""
    stats = await world.app.analytics.stats(who, StatsQuery())
    assert stats.uplift == sum((each.uplift for each in stats.uplifts), UNTRIED)
    return what.id in {each.id for each in stats.uplifts}


async def by_credit(world: World, who: Agent, what: Pattern) -> bool:
    """A receipt vouches for what it showed, and for nothing that was withdrawn since."""
    found = await world.app.recommendation.recommend(who, Situation(CANARY, limit=10))
    assert found.receipt_id is not None
    report = CreditReport(found.receipt_id, UseOutcome.SUCCESS)
    return what.id in await world.app.outcomes.credit(who, report)


LOOKS: dict[str, Look] = {
    "count": by_figures,
    "get": by_id,
    "list": by_query(),
    "list by category": by_query(category="build"),
    "list by tag": by_query(tags=("canary",)),
    "list by namespace": by_query(namespace="team"),
    "list by author": by_query(author="owner"),
    "list by level": by_its_level,
    "find by word": by_query(text=CANARY),
    "find by meaning": by_query(text="xylophones quetzals"),
    "find by word and tag": by_query(text=CANARY, tags=("canary",)),
    "find by word and author": by_query(text=CANARY, author="owner"),
    "find by a pattern like it": by_likeness,
    "look for its like": by_reading(
        lambda app, who, key: app.learning.find(who, PatternQuery(similar_to=key))
    ),
    "page through": by_paging,
    "apply in a claim": by_claim,
    "read a version": by_reading(lambda app, who, key: app.revisions.read(who, key, version=1)),
    "read as of": by_reading(lambda app, who, key: app.revisions.read(who, key, at=LATER)),
    "read the history": by_reading(lambda app, who, key: app.revisions.history(who, key)),
    "compare versions": by_reading(lambda app, who, key: app.revisions.compare(who, key)),
    "ask who reads it": by_reading(lambda app, who, key: app.sharing.shared_with(who, key)),
    "derive from it": by_reading(
        lambda app, who, key: learned(app, who, f"from {key}", derived_from=key)
    ),
    "derive in a batch": by_batch,
    "export": by_export,
    "be recommended": by_recommendation,
    "credit a receipt": by_credit,
    "see its uplift": by_uplift,
    "report an outcome": by_outcome,
}


async def test_sql_has_the_last_word_whatever_an_index_offers(
    world: World, installation: Installation
) -> None:
    """Indexes in memory lag or err; what they offer is read by conditions of its own."""
    offered = {level: pattern.id for level, pattern in world.patterns.items()}
    for relation, who in world.agents.items():
        readable = {offered[level] for level, readers in READABLE.items() if relation in readers}
        async with installation.database() as database, database.read() as connection:
            shown = await patterns.readable(connection, who, list(offered.values()))
            step = partial(recommendation.kept, caller=who, ids=list(offered.values()))
            kept = await at_once(connection, step)
        assert shown.keys() == readable, relation
        assert {each.pattern_id for each in kept} == readable, relation


@pytest.mark.parametrize("look", LOOKS.values(), ids=LOOKS)
async def test_every_way_to_look_agrees_with_the_table(world: World, look: Look) -> None:
    seen = {
        (level, relation): await look(world, world.agents[relation], world.patterns[level])
        for level, relation, _ in TABLE
    }
    assert seen == {(level, relation): readable for level, relation, readable in TABLE}


Write = Callable[[App, Agent, str], Awaitable[object]]


WRITES: dict[str, Write] = {
    "revise": lambda app, who, key: app.revisions.revise(
        who, key, Revision(summary="new"), version=1
    ),
    "relevel": lambda app, who, key: app.sharing.relevel(who, key, AccessLevel.PRIVATE),
    "grant": lambda app, who, key: app.sharing.change(who, key, grant=["friend"]),
    "remove": lambda app, who, key: app.removal.remove(who, key),
    "forget": lambda app, who, key: app.removal.forget(who, key),
}


def expected(write: str, level: str, relation: str) -> str:
    """Say what comes of a write: what is seen and not one's own is denied, the rest is absent."""
    if relation == "owner":
        return "refused" if write == "grant" and level != "shared" else "done"
    if level == "system" and relation == "admin" and write in {"revise", "remove", "forget"}:
        return "done"
    return "denied" if relation in READABLE[level] else "absent"


@pytest.mark.parametrize("write", WRITES)
async def test_every_way_to_write_agrees_with_the_table(world: World, write: str) -> None:
    wanted, seen = {}, {}
    for level, relation, _ in TABLE:
        names = ("grantee", "friend") if level == "shared" else ()
        what = await learned(
            world.app, world.agents["owner"], f"{level} {relation}", level=level, shared_with=names
        )
        wanted[level, relation] = expected(write, level, relation)
        seen[level, relation] = await outcome(
            WRITES[write](world.app, world.agents[relation], what.id)
        )
        if seen[level, relation] != "done":
            kept = await world.app.learning.get(world.agents["owner"], what.id)
            assert kept == what
    assert seen == wanted


async def outcome(act: Awaitable[object]) -> str:
    try:
        await act
    except NotFound:
        return "absent"
    except PermissionDenied:
        return "denied"
    except InvalidInput:
        return "refused"
    return "done"


async def test_removed_things_are_restored_by_who_may_write_them(world: World) -> None:
    for level, relation, _ in TABLE:
        names = ("grantee", "friend") if level == "shared" else ()
        owner, who = world.agents["owner"], world.agents[relation]
        what = await learned(
            world.app, owner, f"{level} {relation}", level=level, shared_with=names
        )
        await world.app.removal.remove(owner, what.id)
        for name, look in LOOKS.items():
            if relation in {"owner", "member"}:
                assert not await look(world, who, what), (name, level, relation)
        mine = relation == "owner" or (level == "system" and relation == "admin")
        listed = await world.app.removal.removed(who)
        assert (what.id in {each.id for each in listed}) is mine
        done = await outcome(world.app.removal.restore(who, what.id))
        assert done == ("done" if mine else "absent"), (level, relation)
