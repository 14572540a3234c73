"""Recommendations: by fit and record, explained to the last digit, measured by withholding."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, ended, learned, silent, verified
from tmws import backends
from tmws.app import App
from tmws.domain.actions import Action
from tmws.domain.agents import Administrator, Agent
from tmws.domain.errors import InvalidInput, NotFound, ToolDisabled
from tmws.domain.patterns import Pattern
from tmws.domain.recommendation import Part
from tmws.domain.situations import Severity, Situation
from tmws.domain.uplift import UNTRIED, Trials, Uplift
from tmws.domain.usage import UseOutcome
from tmws.faces.mcp import results
from tmws.faces.mcp.registry import Call
from tmws.faces.mcp.tools.analytics import PatternStats, pattern_stats
from tmws.faces.mcp.tools.recommendation import RecommendPatterns, recommend_patterns
from tmws.services.analytics import StatsQuery
from tmws.services.gate import Gate
from tmws.services.nearest import Nearest
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.services.recommendation import Recommendation, Recommendations, Recommended
from tmws.services.search import Search
from tmws.storage.tables import trials

TASK = "renew the stale certificate of the staging host"
GOOD, BAD = UseOutcome.SUCCESS, UseOutcome.FAILURE
NUMBERS = itertools.count()


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice", "home")


@pytest.fixture
async def bob(app: App) -> Agent:
    return await agent(app, "bob", "home")


async def open_to_all(app: App, author: Agent, name: str, **fields: object) -> Pattern:
    told = {"summary": f"Renew a stale certificate on a host, way {name}.", "level": "public"}
    return await learned(app, author, name, **{**told, **fields})


async def asked(app: App, who: Agent, **fields: object) -> Recommendations:
    situation = Situation(TASK, **fields)  # type: ignore[arg-type]
    return await app.recommendation.recommend(who, situation)


async def careful(app: App, who: Agent, **fields: object) -> dict[str, Recommended]:
    found = await asked(app, who, severity=Severity.HIGH, limit=10, **fields)
    return {item.pattern.name: item for item in found.items}


async def used(app: App, who: Agent, what: Pattern, **fields: object) -> None:
    fields = {"context": TASK, **fields}
    outcome = fields.pop("outcome", GOOD)
    await app.outcomes.report(who, OutcomeReport(what.id, outcome, **fields))  # type: ignore[arg-type]


async def proven(
    app: App, installation: Installation, who: Agent, what: Pattern, outcome: UseOutcome = GOOD
) -> None:
    """Have a claim that is new checked, in which the pattern was applied."""
    number = next(NUMBERS)
    installation.workspace(content=f"print({number})\n")
    installation.sandbox.will(ended(0 if outcome is GOOD else 1))
    made = await verified(app, who, statement=f"{TASK} {number}", applied=(what.id,))
    assert made.claim.judgement is not None
    assert made.claim.judgement.verdict.value == ("SUPPORTED" if outcome is GOOD else "REFUTED")


@pytest.fixture
async def shop(app: App, installation: Installation) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")


@contextlib.asynccontextmanager
async def recommending(
    app: App, installation: Installation, *, chance: bytes = b"7", holdout: float = 0.0
) -> AsyncIterator[Recommendation]:
    """Open recommendations over the same store, with chance and hold-out as given."""
    async with installation.database() as database:
        search = Search(app.models, Nearest(backends.deferred("vectors", "exact")))
        yield Recommendation(
            database,
            gate=Gate(database),
            search=search,
            receipts=app.receipts,
            clock=installation.clock,
            chance=lambda count: chance * count,
            holdout=holdout,
        )


@pytest.mark.usefixtures("shop")
async def test_parts_sum_to_the_score_whatever_is_known(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    first = await open_to_all(app, alice, "first")
    await proven(app, installation, alice, first)
    await proven(app, installation, bob, first)
    for number in range(5):
        kept = await open_to_all(app, alice, f"p{number}")
        for _ in range(number):
            await used(app, bob, kept, duration_seconds=10.0**number)
            await used(app, bob, kept, outcome=BAD)
        if number % 2:
            await proven(app, installation, alice, kept, BAD if number == 3 else GOOD)
    found = (await asked(app, bob, limit=10)).items
    assert len(found) == 6
    for item in found:
        assert sum(item.parts.values()) == pytest.approx(item.score, abs=1e-9)
    assert [item.score for item in found] == sorted((i.score for i in found), reverse=True)
    assert {part for item in found for part in item.parts} == set(Part)


async def test_nothing_that_fits_is_nothing_recommended(app: App, alice: Agent) -> None:
    await open_to_all(app, alice, "rotate")
    found = await app.recommendation.recommend(alice, Situation("let the dough rise overnight"))
    assert found.items == ()


async def test_error_and_files_are_looked_for_too(app: App, alice: Agent) -> None:
    await learned(app, alice, "a", summary="ECONNRESET: raise the keep-alive of the proxy.")
    await learned(app, alice, "b", summary="Split wsgi.toml by environment.")
    task = "mend the deployment"

    async def best(situation: Situation) -> list[str]:
        found = await app.recommendation.recommend(alice, situation)
        return [item.pattern.name for item in found.items]

    assert await best(Situation(task)) == []
    assert await best(Situation(task, error="proxy: ECONNRESET keep-alive")) == ["a"]
    assert await best(Situation(task, files=("wsgi.toml",))) == ["b"]


async def test_a_long_error_does_not_silence_what_the_task_asks_for(app: App, alice: Agent) -> None:
    await open_to_all(app, alice, "rotate")
    error = "\n".join(f"frame {number} of qqx{number}.so at 0x{number:08x}" for number in range(20))
    found = await app.recommendation.recommend(alice, Situation(TASK, error))
    assert [item.pattern.name for item in found.items] == ["rotate"]


@pytest.mark.parametrize(
    ("situation", "said"),
    [
        (Situation(" "), "Task is empty"),
        (Situation("x" * 1001), "Task has 1001 characters; the limit is 1000"),
        (Situation("x", error="y" * 2001), "Error has 2001"),
        (Situation("x", files=("f\n",) * 2), "U\\+000A"),
        (Situation("x", files=("f",) * 21), "21 files are refused"),
        (Situation("x", limit=11), "limit 11 is refused: give 1 to 10"),
        (Situation("x", limit=0), "limit 0 is refused"),
    ],
)
async def test_what_breaks_a_rule_is_refused_with_the_limit(
    app: App, alice: Agent, situation: Situation, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        await app.recommendation.recommend(alice, situation)


@pytest.mark.usefixtures("shop")
async def test_of_two_that_fit_alike_the_one_that_was_proven_comes_first(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    failed = await open_to_all(app, alice, "way")
    worked = await open_to_all(app, bob, "way")
    carol = await agent(app, "carol", "home")
    for _ in range(3):
        await proven(app, installation, carol, failed, BAD)
        await proven(app, installation, carol, worked)
    found = (await asked(app, carol, severity=Severity.HIGH)).items
    assert [item.pattern.id for item in found] == [worked.id, failed.id]
    assert found[0].bound > found[1].bound
    assert found[0].against == ()
    assert any("similar past uses, 3 of them proven" in each for each in found[1].against)
    assert [use.good for use in found[1].nearest] == [0.0, 0.0, 0.0]
    assert all(use.proven for use in found[1].nearest)


async def test_more_reported_successes_never_lower_the_score(
    app: App, alice: Agent, bob: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    await open_to_all(app, alice, "other")
    scores = []
    for _ in range(8):
        scores.append((await careful(app, bob))["kept"].score)
        await used(app, bob, kept)
    assert scores == sorted(scores)
    assert scores[-1] > scores[0]


async def test_a_severe_case_gets_the_same_answer_each_time(
    app: App, alice: Agent, bob: Agent
) -> None:
    for number in range(5):
        await used(app, alice, await open_to_all(app, alice, f"p{number}"))
    answers = [await careful(app, bob) for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert all(Part.EXPLORATION not in item.parts for item in answers[0].values())
    told = {tuple(item.score for item in (await asked(app, bob)).items) for _ in range(5)}
    assert len(told) > 1, "otherwise chance has a say"


async def test_the_same_chance_gives_the_same_answer(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    for number in range(5):
        await open_to_all(app, alice, f"p{number}")
    answers = []
    for chance in (b"7", b"7", b"8"):
        async with recommending(app, installation, chance=chance) as service:
            answers.append((await service.recommend(bob, Situation(TASK))).items)
    assert answers[0] == answers[1] != answers[2]


async def test_past_uses_are_told_and_only_ones_own_in_words(
    app: App, alice: Agent, bob: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    await used(app, bob, kept, context=f"{TASK} canary-91c2", outcome=BAD)
    await used(app, alice, kept)
    hers, his = (await careful(app, alice))["kept"], (await careful(app, bob))["kept"]
    assert "canary" not in repr(hers)
    assert {use.words for use in his.nearest} == {f"{TASK} canary-91c2"}
    assert [round(use.similarity, 1) for use in hers.nearest if not use.words] == [
        use.similarity for use in hers.nearest if not use.words
    ]
    assert "failed in 1 similar past uses, 0 of them proven" in his.against


async def test_a_decaying_pattern_says_so(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    for day in range(56):
        if day < 28:
            await used(app, bob, kept)
        installation.clock.advance(86400)
    against = (await careful(app, bob))["kept"].against
    assert any(each.startswith("decaying: use fell within eight weeks") for each in against)


async def test_the_receipt_takes_the_outcome(app: App, alice: Agent, bob: Agent) -> None:
    kept = await open_to_all(app, alice, "kept")
    found = await asked(app, bob)
    assert found.receipt_id is not None
    report = OutcomeReport(kept.id, GOOD, receipt_id=found.receipt_id)
    assert (await app.outcomes.report(bob, report)).successes == 1
    with pytest.raises(NotFound):
        await app.outcomes.credit(alice, CreditReport(found.receipt_id, GOOD))


async def test_a_look_leaves_no_trace_and_explores_nothing(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await open_to_all(app, alice, "kept")
    async with recommending(app, installation, holdout=1.0) as service:
        found = await service.look(bob, Situation(TASK))
    assert [item.pattern.name for item in found.items] == ["kept"]
    assert found.receipt_id is None
    assert await tried(app, installation) == []


async def test_an_administrator_can_switch_it_off(app: App, alice: Agent) -> None:
    await app.tools.disable(Action.RECOMMEND_PATTERNS.value, reason="noise", by="ann")
    with pytest.raises(ToolDisabled, match="noise"):
        await asked(app, alice)


async def tried(app: App, installation: Installation) -> list[tuple[str, bool, float | None]]:
    await app.receipts.settle()
    wanted = sa.select(trials.c.pattern_id, trials.c.shown, trials.c.good)
    async with installation.database() as database, database.read() as connection:
        rows = await connection.execute(wanted.order_by(trials.c.receipt_id))
        return [tuple(row) for row in rows]


async def test_what_is_withheld_is_not_shown_and_the_outcome_counts_all_the_same(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    best = await open_to_all(app, alice, "best")
    longer = "Renew a stale certificate on a host: ask the owner, copy files, restart, take notes."
    other = await open_to_all(app, bob, "other", summary=longer)
    async with recommending(app, installation, holdout=1.0) as service:
        found = await service.recommend(bob, Situation(TASK, limit=1))
        assert [item.pattern.id for item in found.items] == [other.id], "and the page stays full"
        assert best.id not in repr(found)
        assert found.receipt_id is not None
        refused = OutcomeReport(best.id, GOOD, receipt_id=found.receipt_id)
        with pytest.raises(InvalidInput, match="did not show"):
            await app.outcomes.report(bob, refused)
        assert await tried(app, installation) == [(best.id, False, None)]
        await app.outcomes.report(bob, OutcomeReport(other.id, BAD, receipt_id=found.receipt_id))
        assert await tried(app, installation) == [(best.id, False, 0.0)]
        for _ in range(3):
            again = await service.recommend(bob, Situation(TASK))
            assert best.id not in repr(again), "whoever asks again does not get it by luck"
    shown = await asked(app, bob)
    assert shown.items[0].pattern.id == best.id


async def test_an_answer_that_is_empty_by_chance_still_takes_an_outcome(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    only = await open_to_all(app, alice, "only")
    async with recommending(app, installation, holdout=1.0) as service:
        found = await service.recommend(bob, Situation(TASK))
        nothing = await service.recommend(bob, Situation("let the dough rise overnight"))
    assert found.items == nothing.items == ()
    assert found.receipt_id is not None
    assert nothing.receipt_id is not None, "or its absence would tell what is withheld"
    assert await app.outcomes.credit(bob, CreditReport(found.receipt_id, GOOD)) == {}
    assert await tried(app, installation) == [(only.id, False, 1.0)]


async def test_of_several_reports_on_a_task_the_best_counts(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    first, second = [await open_to_all(app, alice, name) for name in ("first", "second")]
    async with recommending(app, installation, holdout=1e-12) as service:
        found = await service.recommend(bob, Situation(TASK, severity=Severity.NORMAL))
    best = found.items[0].pattern.id
    for what, outcome in ((first, BAD), (second, GOOD)):
        report = OutcomeReport(what.id, outcome, receipt_id=found.receipt_id)
        await app.outcomes.report(bob, report)
    assert await tried(app, installation) == [(best, True, 1.0)]


async def test_nothing_is_withheld_in_a_severe_case_nor_from_its_owner(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await open_to_all(app, alice, "kept")
    async with recommending(app, installation, holdout=1.0) as service:
        severe = await service.recommend(bob, Situation(TASK, severity=Severity.HIGH))
        own = await service.recommend(alice, Situation(TASK))
    assert len(severe.items) == len(own.items) == 1
    assert await tried(app, installation) == []


async def test_uplift_is_the_difference_between_the_days_of_both_sides(
    app: App, installation: Installation, alice: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    users = [await agent(app, f"user{number}", "home") for number in range(4)]
    for holdout, outcome in ((1.0, BAD), (1e-12, GOOD)):
        async with recommending(app, installation, holdout=holdout) as service:
            for who in users:
                for _ in range(3):
                    found = await service.recommend(who, Situation(TASK))
                    assert found.receipt_id is not None
                    if who is not users[0]:
                        await app.outcomes.credit(who, CreditReport(found.receipt_id, outcome))
        installation.clock.advance(86400)
    for reader in (alice, users[1]):
        stats = await app.analytics.stats(reader, StatsQuery())
        assert [(each.id, each.name) for each in stats.uplifts] == [(kept.id, "kept")]
        assert stats.uplift == stats.uplifts[0].uplift == Uplift(Trials(4, 3, 3.0), Trials(4, 3, 0))
        assert stats.uplift.difference is not None
        assert stats.uplift.difference.low > 0.0
    stranger = await agent(app, "stranger", "elsewhere")
    assert (await app.analytics.stats(stranger, StatsQuery())).uplifts == ()
    await app.removal.remove(alice, kept.id)
    assert (await app.analytics.stats(alice, StatsQuery())).uplift == UNTRIED


async def test_one_agent_that_reports_in_a_loop_counts_once_a_day(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await open_to_all(app, alice, "kept")
    async with recommending(app, installation, holdout=1e-12) as service:
        for number in range(10):
            found = await service.recommend(bob, Situation(TASK))
            assert found.receipt_id is not None
            report = CreditReport(found.receipt_id, BAD if number % 2 else GOOD)
            await app.outcomes.credit(bob, report)
    stats = await app.analytics.stats(alice, StatsQuery())
    assert stats.uplift == Uplift(shown=Trials(1, 1, 0.5))


async def test_undoing_reports_takes_them_out_of_the_uplift(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    began = installation.clock.now()
    async with recommending(app, installation, holdout=1e-12) as service:
        found = await service.recommend(bob, Situation(TASK))
    await app.outcomes.report(bob, OutcomeReport(kept.id, GOOD, receipt_id=found.receipt_id))
    plan = await app.undo.plan("bob", began, with_uses=True)
    await app.undo.apply(plan, by=Administrator("ann"))
    assert await tried(app, installation) == [(kept.id, True, None)]


async def test_the_setting_decides_how_much_is_withheld(
    installation: Installation,
) -> None:
    async with installation.open(holdout_share=0.5) as app:
        alice, bob = await agent(app, "alice", "home"), await agent(app, "bob", "home")
        for number in range(3):
            await open_to_all(app, alice, f"p{number}")
        sides = set[bool]()
        for _ in range(64):
            found = await asked(app, bob)
            best, shown, _ = (await tried(app, installation))[-1]
            assert (best in {item.pattern.id for item in found.items}) is shown
            sides.add(shown)
            if len(sides) == 2:
                break
            installation.clock.advance(86400)
    assert sides == {True, False}, "both within 64 days, but for one case in 10 to the 19"


async def test_the_tool_tells_reasons_that_sum_and_keeps_hold_outs_to_itself(
    app: App, alice: Agent, bob: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    await used(app, bob, kept, outcome=BAD)
    wanted = RecommendPatterns(task=TASK, severity=Severity.HIGH, files=("host.pem",))
    told: Any = await recommend_patterns.run(Call(app, bob, silent), wanted)
    [text] = results.render(told, narrow="").content
    told = json.loads(text.text)  # type: ignore[union-attr]
    [item] = told["items"]
    assert sum(item["why"].values()) == pytest.approx(item["score"], abs=1e-9)
    assert item["nearest_uses"][0]["words"] == TASK
    assert item["nearest_uses"][0]["success"] == 0.0
    assert "failed in 1 similar past uses, 0 of them proven" in item["against"]
    report = OutcomeReport(kept.id, GOOD, receipt_id=told["receipt_id"])
    assert (await app.outcomes.report(bob, report)).count == 2
    stats: Any = await pattern_stats.run(Call(app, bob, silent), PatternStats())
    assert "uplift" not in stats


async def test_the_tool_tells_the_uplift_with_its_interval(
    app: App, installation: Installation, alice: Agent
) -> None:
    kept = await open_to_all(app, alice, "kept")
    for holdout, outcome in ((1.0, BAD), (1e-12, GOOD)):
        who = await agent(app, f"user{holdout:.0f}", "home")
        async with recommending(app, installation, holdout=holdout) as service:
            found = await service.recommend(who, Situation(TASK))
        assert found.receipt_id is not None
        await app.outcomes.credit(who, CreditReport(found.receipt_id, outcome))
    told: Any = await pattern_stats.run(Call(app, alice, silent), PatternStats())
    assert told["uplift"] == {
        "value": 1.0,
        "low": pytest.approx(-0.0327, abs=1e-3),
        "high": 1.0,
        "shown": [1, 1, 1.0],
        "withheld": [1, 1, 0.0],
    }
    assert told["uplift_by_pattern"] == [{"id": kept.id, "name": "kept", **told["uplift"]}]


def test_the_command_shows_every_reason_and_leaves_no_trace(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "retry.md").write_text(
        "---\nname: retry\ndescription: Retry a flaky network call.\n---\nWait.\n"
    )
    data = tmp_path / "data"
    assert tmws("patterns", "import", str(notes), data=data).status == 0
    words = ("patterns", "recommend", "a network call is flaky", "--file", "client.py")
    [told] = tmws(*words, "--json", data=data).document()
    assert told["name"] == "retry"
    assert sum(told["why"].values()) == pytest.approx(told["score"], abs=1e-9)
    shown = tmws(*words, data=data, COLUMNS="200", TMWS_HOLDOUT_SHARE="0.5").output
    assert "relevance +" in shown
    assert "unproven" in shown
    stats = tmws("patterns", "stats", "--json", data=data).document()
    assert stats["uplift"]["difference"] is None
    assert stats["uplift_by_pattern"] == []
