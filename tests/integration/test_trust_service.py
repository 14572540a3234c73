"""Trust is shown to those who work together, and moved by verdicts alone."""

from __future__ import annotations

import asyncio
import math

import pytest

from tests.integration import schemas
from tests.integration.services import (
    Installation,
    agent,
    ended,
    learned,
    timed_out,
    verified,
)
from tmws.app import App
from tmws.domain import events
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.domain.errors import Conflict, InvalidInput, NotFound
from tmws.domain.memories import MemoryDraft
from tmws.domain.trust import model, state
from tmws.domain.trust.log import replay
from tmws.domain.usage import UseOutcome
from tmws.faces.mcp.tools.trust import explained
from tmws.services import audit, corrections
from tmws.services.outcomes import OutcomeReport
from tmws.services.running import MOST_OF_ONE
from tmws.services.trust import UNNAMED, TrustView
from tmws.services.verification import VerificationReport
from tmws.storage import evidence, trust


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    return await agent(app, "alice")


async def decided(
    app: App, place: Installation, who: Agent, *, held: bool, **fields: object
) -> VerificationReport:
    """Have a claim decided that nobody made before."""
    content = f"print({len(place.sandbox.requests)})\n"
    place.workspace(content=content)
    place.sandbox.will(ended(0 if held else 1))
    report = await verified(app, who, **fields)
    assert report.claim.judgement is not None
    assert report.claim.judgement.verdict is (Verdict.SUPPORTED if held else Verdict.REFUTED)
    return report


def counts(view: TrustView) -> tuple[int, int, int]:
    tally = view.standing.tally
    return tally.supported, tally.refuted, view.record.inconclusive


async def require_sound(app: App) -> None:
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_without_a_verdict_nothing_is_known(app: App) -> None:
    alice = await agent(app, "alice")
    shown = await app.trust.show(alice)
    assert (shown.agent, shown.standing.known, shown.standing.bound) == ("alice", False, 0.0)
    assert (shown.evidence_age_days, shown.types) == (None, {})
    assert shown.summary().startswith("Unknown")


async def test_those_of_one_namespace_see_each_other_others_see_nobody(app: App) -> None:
    alice = await agent(app, "alice", "home", "work")
    bob, carol = await agent(app, "bob", "work"), await agent(app, "carol", "elsewhere")
    assert (await app.trust.show(bob, "alice")).agent == "alice"
    assert (await app.trust.show(alice, "bob")).agent == "bob"
    for name in ("alice", "nobody"):
        for refused in (
            app.trust.show(carol, name),
            app.trust.explain(carol, name),
            app.trust.compare(carol, ["carol", name]),
        ):
            with pytest.raises(NotFound, match="in your namespaces"):
                await refused


async def test_nothing_but_a_verdict_moves_it(app: App) -> None:
    alice = await agent(app, "alice")
    kept = await learned(app, alice)
    before = await app.trust.show(alice)
    await app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS))
    await app.memory.remember(alice, MemoryDraft("I am very reliable."))
    assert await app.trust.show(alice) == before


async def test_a_true_claim_raises_and_a_false_one_lowers(
    app: App, installation: Installation, alice: Agent
) -> None:
    for held in (True, False, True, True, False):
        change = (await decided(app, installation, alice, held=held)).trust
        assert change is not None
        assert (change.after.score > change.before.score) is held
    shown = await app.trust.show(alice)
    assert counts(shown) == (3, 2, 0)
    assert 0 < shown.standing.low < shown.standing.score < shown.standing.high < 1
    assert shown.types["python"].tally.decided == 5
    assert "3 of 5 decided claims held" in shown.summary()
    await require_sound(app)


async def test_an_undecided_check_moves_nothing_but_its_own_counter(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, held=True)
    before = await app.trust.show(alice)
    installation.workspace(content="print('slow')\n")
    installation.sandbox.will(timed_out())
    await verified(app, alice)
    after = await app.trust.show(alice)
    assert after.standing == before.standing
    assert counts(after) == (1, 0, 1)
    await require_sound(app)


async def test_evidence_ages(app: App, installation: Installation, alice: Agent) -> None:
    for _ in range(3):
        await decided(app, installation, alice, held=True)
        await decided(app, installation, alice, held=False)
    before = await app.trust.show(alice)
    installation.clock.advance(90 * 86400)
    after = await app.trust.show(alice)
    assert after.evidence_age_days == pytest.approx(90)
    assert after.standing.low < before.standing.low
    assert after.standing.high > before.standing.high


async def test_agents_that_answer_the_same_claim_learn_its_difficulty_together(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    await verified(app, alice, effort_minutes=10.0)
    await verified(app, bob, effort_minutes=500.0)
    async with installation.database() as database, database.read() as connection:
        first, second = await evidence.every(connection)
        census = (await trust.load(connection)).model.census
    assert first.evidence.task == second.evidence.task
    assert (first.evidence.task.author, first.evidence.task.effort_minutes) == (alice.id, 10.0)
    assert list(census.values()) == [2]


async def test_an_own_pick_that_was_sure_to_hold_tells_less_than_one_that_was_met(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for _ in range(8):
        await decided(app, installation, alice, held=True)
    await decided(app, installation, bob, held=True)
    async with installation.database() as database, database.read() as connection:
        *_, first, last, met = [e.evidence.weight for e in await evidence.every(connection)]
    assert last < first < met == 0.75


async def test_the_explanation_adds_up_and_names_what_moved_most(
    app: App, installation: Installation, alice: Agent
) -> None:
    for held in (True, True, False, True, True, True, False):
        await decided(app, installation, alice, held=held, confidence=0.99)
    installation.clock.advance(86400)
    found = await app.trust.explain(alice)
    told = found.explanation
    gains = math.fsum(gain.logits for gain in told.gains)
    assert told.prior + gains + told.aging == pytest.approx(told.score, abs=1e-9)
    score = found.view.standing.score
    assert math.log(score / (1 - score)) == pytest.approx(told.score, abs=1e-9)
    assert len(told.largest) == 5
    assert all(found.named(gain.evidence.id) for gain in told.largest)
    assert (found.exposure.integrity.stated, found.exposure.integrity.events) == (7, 2)
    said = explained(found)  # what agents read adds up as well
    largest = [gain["gain"] for gain in said["largest"]]
    parts = [said["prior"], *largest, said["remainder"], said["aging"]]
    assert math.fsum(parts) == pytest.approx(said["total"], abs=1e-9)


async def test_claims_of_foreign_namespaces_count_and_stay_unnamed(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice = await agent(app, "alice", "secret", "work")
    bob = await agent(app, "bob", "work")
    hidden = (await decided(app, installation, alice, held=True)).claim.id
    known = (await decided(app, installation, alice, held=True, namespace="work")).claim.id
    found = await app.trust.explain(bob, "alice")
    assert found.view.standing.tally.decided == 2
    assert (found.named(hidden), found.named(known)) == (None, known)


async def test_agents_compare_over_the_same_claims_by_what_is_sure(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob, _ = await agent(app, "bob"), await agent(app, "carol")
    for _ in range(3):
        await decided(app, installation, alice, held=False)
        await decided(app, installation, bob, held=True)
    views = await app.trust.compare(alice, ["carol", "alice", "bob", "alice"])
    assert [view.agent for view in views] == ["bob", "alice", "carol"]
    assert [view.agent for view in await app.trust.every()] == ["bob", "alice", "carol"]
    with pytest.raises(InvalidInput, match="Give 2 to 10"):
        await app.trust.compare(alice, ["alice"])


async def test_history_ends_where_the_score_stands(
    app: App, installation: Installation, alice: Agent
) -> None:
    assert await app.trust.history("alice") == []
    for held in (True, False, True):
        installation.clock.advance(60)
        await decided(app, installation, alice, held=held)
    points = await app.trust.history("alice")
    assert [point.supported for point in points] == [True, False, True]
    shown = (await app.trust.show(alice)).standing
    assert (points[-1].score, points[-1].low) == (shown.score, shown.low)
    with pytest.raises(NotFound, match="No agent is named"):
        await app.trust.history("nobody")


async def test_the_end_of_a_history_is_told_and_foreign_claims_in_it_stay_unnamed(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice = await agent(app, "alice", "secret", "work")
    bob, carol = await agent(app, "bob", "work"), await agent(app, "carol", "elsewhere")
    for number, namespace in enumerate(("work", "secret", "work")):
        installation.clock.advance(60)
        await decided(app, installation, alice, held=number != 1, namespace=namespace)
    points, readable = await app.trust.newest(bob, "alice", limit=2)
    assert points == (await app.trust.history("alice"))[1:]
    assert [point.claim_id in readable for point in points] == [False, True]
    assert len((await app.trust.newest(alice, limit=50))[0]) == 3
    with pytest.raises(NotFound, match="in your namespaces"):
        await app.trust.newest(carol, "alice", limit=1)


async def test_a_withdrawn_verdict_counts_no_more_and_says_why(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, held=True)
    wrong = await decided(app, installation, alice, held=False)
    await app.corrections.withdraw(wrong.claim.id, reason="the runner was broken", by="ann")
    assert counts(await app.trust.show(alice)) == (1, 0, 0)
    found = await app.trust.explain(alice)
    [correction] = found.explanation.withdrawn
    assert (correction.reason, correction.by) == ("the runner was broken", "ann")
    await require_sound(app)
    with pytest.raises(NotFound, match="No verdict of claim"):
        await app.corrections.withdraw(wrong.claim.id, reason="again", by="ann")
    with pytest.raises(InvalidInput, match="Reason"):
        await app.corrections.withdraw(wrong.claim.id, reason=" ", by="ann")
    await decided(app, installation, alice, held=True)
    await require_sound(app)


async def test_linked_identities_share_their_evidence(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    await decided(app, installation, alice, held=True)
    shared = await decided(app, installation, bob, held=False)
    await app.corrections.link("alice", "bob", reason="same keys", by="ann")
    assert counts(await app.trust.show(bob)) == (1, 1, 0)
    seen = await app.trust.show(alice)
    assert (seen.linked_to, counts(seen)) == ("bob", (1, 1, 0))
    again = await verified(app, alice)  # what bob had decided
    assert again.claim.id != shared.claim.id
    assert again.trust is not None
    assert again.trust.after == again.trust.before
    assert (await app.trust.show(bob)).record.ignored == 1
    await require_sound(app)
    for agents_named, said in (
        (("bob", "alice"), "'alice' counts for 'bob' already"),
        (("bob", "bob"), "'bob' is one agent already"),
    ):
        with pytest.raises(Conflict, match=said):
            await app.corrections.link(*agents_named, reason="x", by="ann")
    with pytest.raises(NotFound, match="No agent is named"):
        await app.corrections.link("bob", "nobody", reason="x", by="ann")
    await require_sound(app)


async def test_acts_that_were_a_mistake_are_taken_back_and_leave_the_scores_of_before(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob, carol = await agent(app, "bob"), await agent(app, "carol")
    made = []
    for who, held in ((alice, True), (alice, False), (bob, True), (carol, False)):
        made.append((await decided(app, installation, who, held=held)).claim)
    last = made[-1]
    await app.corrections.refit(by="ann")
    before = [await app.trust.show(who) for who in (alice, bob, carol)]
    for names in (("alice", "bob"), ("bob", "carol")):
        await app.corrections.link(*names, reason="same keys", by="ann")
    await app.corrections.withdraw(last.id, reason="the runner was broken", by="ann")
    assert (await app.trust.show(alice)).linked_to == "carol"
    await app.corrections.unlink("bob", reason="another's keys", by="ann")
    assert (await app.trust.show(alice)).linked_to == "bob"
    assert (await app.trust.show(bob)).linked_to is None
    await app.corrections.restore(last.id, reason="another runner", by="ann")
    told = (await app.trust.explain(carol)).explanation
    assert told.withdrawn == ()
    assert [(each.evidence, each.reason) for each in told.restored] == [(last.id, "another runner")]
    await require_sound(app)
    await app.corrections.unlink("alice", reason="another's keys", by="ann")
    assert [await app.trust.show(who) for who in (alice, bob, carol)] == before
    await require_sound(app)
    await app.corrections.withdraw(last.id, reason="broken after all", by="ann")
    assert (await app.trust.explain(carol)).explanation.restored == ()
    await require_sound(app)


async def test_only_what_stands_is_taken_back_and_only_with_a_reason(
    app: App, installation: Installation, alice: Agent
) -> None:
    made = (await decided(app, installation, alice, held=True)).claim
    before = (await app.audit.verify()).size
    with pytest.raises(NotFound, match="is withdrawn"):
        await app.corrections.restore(made.id, reason="x", by="ann")
    with pytest.raises(Conflict, match="'alice' is linked to nobody"):
        await app.corrections.unlink("alice", reason="x", by="ann")
    with pytest.raises(NotFound, match="No agent is named"):
        await app.corrections.unlink("nobody", reason="x", by="ann")
    for act, name in ((app.corrections.restore, made.id), (app.corrections.unlink, "alice")):
        with pytest.raises(InvalidInput, match="Reason"):
            await act(name, reason=" ", by="ann")
    report = await app.audit.verify()
    assert (report.holds, report.size) == (True, before)


async def test_whom_an_identity_counts_for_is_named_to_those_who_know_the_owner(app: App) -> None:
    await agent(app, "alice")
    bob = await agent(app, "bob")
    await agent(app, "owner", "vault")
    await app.corrections.link("alice", "owner", reason="same keys", by="ann")
    assert (await app.trust.show(bob, "alice")).linked_to == UNNAMED
    assert (await app.trust.explain(bob, "alice")).view.linked_to == UNNAMED
    assert [v.linked_to for v in await app.trust.compare(bob, ["alice", "bob"])] == [UNNAMED, None]
    keeper = await agent(app, "keeper", "vault", "default")
    assert (await app.trust.show(keeper, "alice")).linked_to == "owner"
    assert (await app.trust.find("alice")).view.linked_to == "owner"


async def test_a_fit_of_everything_keeps_every_verdict_and_stays_provable(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for number in range(4):
        await decided(app, installation, alice, held=number != 1)
        await verified(app, bob)
    assert await app.corrections.refit(by="ann") == 8
    assert counts(await app.trust.show(alice)) == (3, 1, 0)
    await require_sound(app)
    await decided(app, installation, bob, held=True)
    await require_sound(app)


async def test_a_new_version_of_the_model_computes_all_that_an_earlier_one_left(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as earlier:
        for module in (model, state, events, corrections, audit, trust):
            earlier.setattr(module, "VERSION", "logit-1")
        earlier.setattr(state, "DRIFT_PER_DAY", 0.5)  # it computed other numbers
        installation.folder.mkdir()
        await schemas.revised(installation.url)
        async with installation.open() as app:
            await app.workspaces.add("shop", installation.workspace(), by="test")
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            for number in range(4):
                installation.clock.advance(86400)
                await decided(app, installation, alice, held=number != 1)
                await verified(app, bob)
            await app.corrections.refit(by="ann")
            last = await decided(app, installation, bob, held=False)
            await app.corrections.withdraw(last.claim.id, reason="broken", by="ann")
            before = await app.trust.explain(alice)
            await require_sound(app)
    async with installation.open() as app, installation.open() as other:
        after = await app.trust.explain(alice)
        assert counts(after.view) == counts(before.view) == (3, 1, 0)
        assert after.view.standing.score != before.view.standing.score
        gains = math.fsum(gain.logits for gain in after.explanation.gains)
        told = after.explanation
        assert told.prior + gains + told.aging == pytest.approx(told.score, abs=1e-9)
        assert not await other.corrections.catch_up()
        await require_sound(app)
        await decided(app, installation, alice, held=True)
        await require_sound(other)


async def test_a_version_that_nobody_here_knows_is_left_alone(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    await decided(app, installation, alice, held=True)
    monkeypatch.setattr(corrections, "EARLIER", frozenset())
    monkeypatch.setattr(trust, "VERSION", "logit-0")
    async with installation.open() as earlier:
        with pytest.raises(Conflict, match="Start the newest one"):
            await earlier.trust.show(alice)
        monkeypatch.undo()
        assert (await earlier.trust.show(alice)).standing.known


async def test_what_is_stored_is_what_the_model_says_of_the_whole_log(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for number in range(12):
        installation.clock.advance(3600)
        await decided(app, installation, alice, held=number % 3 > 0, effort_minutes=30.0)
        await verified(app, bob, confidence=0.9)
    async with installation.database() as database, database.read() as connection:
        stored = await trust.load(connection)
        log = [entry.evidence for entry in await evidence.every(connection)]
    assert stored.model.fingerprint() == replay(log).model.fingerprint()
    assert stored.decided == 24


async def test_the_next_audits_are_undecided_claims_and_nobody_can_foresee_which(
    app: App, installation: Installation, alice: Agent
) -> None:
    decided_one = await decided(app, installation, alice, held=True)
    for number in range(40):
        installation.workspace(content=f"print('slow {number}')\n")
        installation.sandbox.will(timed_out())
        await verified(app, alice, statement=f"It ends, {number}.")
    drawn = [await app.trust.find_audits("alice", limit=5) for _ in range(4)]
    names = [[audit.candidate.name for audit in audits] for audits in drawn]
    assert all(len(set(each)) == 5 for each in names)
    assert decided_one.claim.id not in {name for each in names for name in each}
    assert len({tuple(each) for each in names}) > 1
    assert len(await app.trust.find_audits("alice", limit=50)) == 40
    await verified(app, alice)  # the newest of them, which ends this time
    assert len(await app.trust.find_audits("alice", limit=50)) == 39


async def test_another_agent_is_told_of_audits_it_may_read_and_nobody_of_its_own(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice = await agent(app, "alice", "secret", "work")
    bob, carol = await agent(app, "bob", "work"), await agent(app, "carol", "elsewhere")
    undecided = []
    for number, namespace in enumerate(("secret", "work")):
        installation.workspace(content=f"print('slow {number}')\n")
        installation.sandbox.will(timed_out())
        undecided.append((await verified(app, alice, namespace=namespace)).claim.id)
    [seen] = await app.trust.next_audits(bob, "alice", limit=5)
    assert seen.candidate.name == undecided[1]
    with pytest.raises(InvalidInput, match="its own audits"):
        await app.trust.next_audits(alice, "alice", limit=5)
    with pytest.raises(NotFound, match="in your namespaces"):
        await app.trust.next_audits(carol, "alice", limit=5)
    await app.corrections.link("bob", "alice", reason="same keys", by="ann")
    with pytest.raises(InvalidInput, match="its own audits"):
        await app.trust.next_audits(bob, "alice", limit=5)


async def test_what_the_model_foresaw_is_told_without_hindsight(
    app: App, installation: Installation, alice: Agent
) -> None:
    for held in (True, True, False):
        await decided(app, installation, alice, held=held)
    before = await app.trust.foreseen()
    assert [came for _, came in before] == [True, True, False]
    assert before[0][0] == 0.5
    await app.corrections.refit(by="ann")
    assert await app.trust.foreseen() == before


async def test_one_kind_of_claim_counts_only_so_much_a_day(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    for status in range(30):
        for who in (alice, bob):
            installation.workspace(content=f"print({status}, '{who.name}')\n")
            installation.sandbox.will(ended(status))
            await verified(app, who, exit_code=status)
    async with installation.database() as database, database.read() as connection:
        weights = [e.evidence.weight for e in await evidence.of_owner(connection, bob.id)]
    assert math.fsum(weights) == 20.0
    assert (await app.trust.show(bob)).record.ignored == 3
    await require_sound(app)


async def test_verdicts_of_fifty_agents_at_once_are_each_counted_for_their_own(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    agents = [await agent(app, f"agent{number:02}") for number in range(50)]
    installation.sandbox.will(*[ended(0)] * 100)
    async with installation.open() as other:
        places = {server: asyncio.Semaphore(MOST_OF_ONE) for server in (app, other)}

        async def prove(server: App, who: Agent, status: int) -> None:
            async with places[server]:
                await verified(server, who, exit_code=status)

        await asyncio.gather(
            *(
                prove(server, who, status)
                for who in agents
                for status, server in enumerate((app, other))
            )
        )
    assert {counts(view) for view in await app.trust.every()} == {(1, 1, 0)}
    async with installation.database() as database, database.read() as connection:
        census = (await trust.load(connection)).model.census
    assert sorted(census.values()) == [50, 50]
    await require_sound(app)


async def test_the_administrator_sees_all_also_those_without_a_record(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice, _ = await agent(app, "alice"), await agent(app, "bob", "elsewhere")
    installation.sandbox.will(timed_out())
    await verified(app, alice)
    assert {view.agent: counts(view) for view in await app.trust.every()} == {
        "alice": (0, 0, 1),
        "bob": (0, 0, 0),
    }
