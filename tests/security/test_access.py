"""Who may see what: every level, every relation, every way to look, against one table."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

import pytest

from tests.integration.services import Installation, agent, claim, learned, pattern, silent
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.analytics import Tally
from tmws.domain.batches import Incoming
from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied, TmwsError
from tmws.domain.memories import MemoryDraft
from tmws.domain.patterns import Pattern
from tmws.domain.situations import Severity, Situation
from tmws.domain.uplift import UNTRIED
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.analytics import StatsQuery
from tmws.services.learning import FoundPatterns, PatternQuery
from tmws.services.memory import MemoryQuery
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.services.receipts import Tried
from tmws.storage import memories, patterns, recommendation, tables
from tmws.storage.prepared import at_once
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


Look = Callable[[World, Agent, Pattern], Awaitable[bool]]


def ids(found: FoundPatterns) -> set[str]:
    return {item.pattern.id for item in found.items}


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


async def refusal(act: Awaitable[object], hide: str) -> tuple[type, str]:
    with pytest.raises(TmwsError) as refused:
        await act
    return type(refused.value), refused.value.message.replace(hide, "…")


ABSENT = "pattern_" + "0" * 26


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
