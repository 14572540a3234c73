"""Undo: what an agent wrote is shown, then taken back whole, and nothing else is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from tests.integration.services import Installation, agent, learned
from tmws.app import App
from tmws.domain.agents import AccessLevel, Administrator, Agent, Role
from tmws.domain.errors import Conflict, NotFound, PermissionDenied
from tmws.domain.undoing import StepKind
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport

ANN = Administrator("ann")


async def test_everything_an_agent_did_is_taken_back(app: App, installation: Installation) -> None:
    eve, bob = await agent(app, "eve", "home"), await agent(app, "bob", "home")
    revised = await learned(app, eve, "revised", summary="good zebra")
    opened = await learned(app, eve, "opened")
    closed = await learned(app, eve, "closed", level="shared", shared_with=("bob",))
    gone = await learned(app, eve, "gone")
    bobs = await learned(app, bob, "bobs", level="public")
    await app.outcomes.report(bob, OutcomeReport(bobs.id, UseOutcome.SUCCESS, 4.0))
    before = {key: await app.learning.get(eve, key) for key in (revised.id, opened.id, closed.id)}
    usage = (await app.learning.get(bob, bobs.id)).usage
    since = installation.clock.advance(60)

    new = await learned(app, eve, "new")
    await app.revisions.revise(eve, revised.id, Revision(summary="bad yak"), version=1)
    await app.sharing.relevel(eve, opened.id, AccessLevel.PUBLIC)
    await app.sharing.change(eve, closed.id, revoke=["bob"])
    await app.removal.remove(eve, gone.id)
    for _ in range(3):
        await app.outcomes.report(eve, OutcomeReport(bobs.id, UseOutcome.FAILURE, 900.0))
    installation.clock.advance(60)

    plan = await app.undo.plan("eve", since, with_uses=True)
    assert sorted(step.kind for step in plan.steps) == sorted(set(StepKind) - {StepKind.REVOKE})
    assert (await app.learning.get(eve, new.id)).name == "new"
    await app.undo.apply(plan, by=ANN)

    with pytest.raises(NotFound):
        await app.learning.get(eve, new.id)
    with pytest.raises(PermissionDenied, match="administrator removed"):
        await app.removal.restore(eve, new.id)
    # Whoever owns the store still reads what was the newest before.
    for moment in (since, installation.clock.now()):
        _, then = await app.revisions.read(ANN, new.id, at=moment)
        assert then.content.name == "new"
    assert (await app.learning.get(eve, gone.id)).name == "gone"
    assert (await app.learning.get(eve, opened.id)).level is AccessLevel.PRIVATE
    assert await app.sharing.shared_with(eve, closed.id) == ("bob",)
    now = await app.learning.get(eve, revised.id)
    assert (now.summary, now.version, now.author) == ("good zebra", 3, "eve")
    _, then = await app.revisions.read(eve, revised.id, at=since)
    assert then.content.summary == "bad yak"
    assert before[revised.id].summary == now.summary
    counted = (await app.learning.get(bob, bobs.id)).usage
    assert (counted, counted.prior) == (usage, usage.prior)
    assert (await app.undo.plan("eve", since, with_uses=True)).steps == ()
    report = await app.audit.verify()
    assert report.holds, report.problems


@pytest.fixture
async def eve(app: App) -> Agent:
    return await agent(app, "eve", "home")


def earlier(moment: datetime) -> datetime:
    return moment - timedelta(days=1)


async def test_what_changed_since_the_plan_is_refused(
    app: App, installation: Installation, eve: Agent
) -> None:
    await learned(app, eve, "a")
    plan = await app.undo.plan("eve", earlier(installation.clock.now()), with_uses=False)
    kept = await learned(app, eve, "b")
    with pytest.raises(Conflict, match="Nothing was taken back"):
        await app.undo.apply(plan, by=ANN)
    assert (await app.learning.get(eve, kept.id)).name == "b"


async def test_what_cannot_be_taken_back_is_said(app: App, installation: Installation) -> None:
    one, two = [await agent(app, name, "home", role=Role.ADMIN) for name in ("one", "two")]
    gone = await learned(app, one, "gone", level="system")
    named = await learned(app, one, "named", level="system")
    since = installation.clock.advance(1)
    await app.removal.remove(two, gone.id)
    await app.revisions.revise(two, named.id, Revision(name="other"), version=1)
    new = {name: await learned(app, one, name) for name in ("gone", "named")}
    plan = await app.undo.plan("two", since, with_uses=False)
    assert {step.kind: step.refused for step in plan.steps} == {
        StepKind.RESTORE: f"{new['gone'].id} has its name now",
        StepKind.REVISE: f"{new['named'].id} has its name now",
    }
    await app.undo.apply(plan, by=ANN)
    assert (await app.learning.get(one, named.id)).name == "other"


async def test_names_that_were_passed_on_come_back_to_whom_they_belonged(
    app: App, installation: Installation, eve: Agent
) -> None:
    """The attack: names in a ring, so that none is free for any step of the undoing."""
    names = ("a", "b", "c", "gone", "passed on")
    kept = {name: await learned(app, eve, name, summary=f"says {name}") for name in names}
    since = installation.clock.advance(60)
    for name, version, to in [("a", 1, "x"), ("c", 1, "a"), ("b", 1, "c"), ("a", 2, "b")]:
        await app.revisions.revise(eve, kept[name].id, Revision(name=to), version=version)
    await app.removal.remove(eve, kept["gone"].id)
    await app.revisions.revise(
        eve, kept["passed on"].id, Revision(name="gone", summary="y"), version=1
    )
    new = await learned(app, eve, "passed on")
    plan = await app.undo.plan("eve", since, with_uses=False)
    assert [step.refused for step in plan.steps] == [None] * 6
    await app.undo.apply(plan, by=ANN)
    for name, each in kept.items():
        back = await app.learning.get(eve, each.id)
        assert (back.name, back.summary) == (name, f"says {name}")
        assert await found(app, eve, f"says {name}") >= {name}
    told = [version.content.name for version in await app.revisions.history(eve, kept["a"].id)]
    assert told == ["a", "b", "x", "a"]
    with pytest.raises(NotFound):
        await app.learning.get(eve, new.id)
    assert (await app.undo.plan("eve", since, with_uses=False)).steps == ()


async def test_what_was_opened_or_brought_back_is_closed_and_taken_away_again(
    app: App, installation: Installation, eve: Agent
) -> None:
    bob, _ = await agent(app, "bob", "home"), await agent(app, "carol")
    shared = await learned(app, eve, "shared", level="shared", shared_with=("carol",))
    buried = await learned(app, eve, "buried", level="public")
    await app.removal.remove(eve, buried.id)
    since = installation.clock.advance(60)
    await app.sharing.change(eve, shared.id, grant=["bob"])
    await app.removal.restore(eve, buried.id)
    for key in (shared.id, buried.id):
        await app.learning.get(bob, key)
    plan = await app.undo.plan("eve", since, with_uses=False)
    assert {(step.name, step.kind) for step in plan.steps} == {
        ("shared", StepKind.REVOKE),
        ("buried", StepKind.REMOVE),
    }
    await app.undo.apply(plan, by=ANN)
    for key in (shared.id, buried.id):
        with pytest.raises(NotFound):
            await app.learning.get(bob, key)
    assert await app.sharing.shared_with(eve, shared.id) == ("carol",)


async def test_the_words_of_what_another_removed_are_taken_back_and_it_stays_away(
    app: App, installation: Installation
) -> None:
    one, two = [await agent(app, name, "home", role=Role.ADMIN) for name in ("one", "two")]
    kept = await learned(app, one, "rule", summary="zebra", level="system")
    since = installation.clock.advance(60)
    await app.revisions.revise(one, kept.id, Revision(summary="yak"), version=1)
    await app.removal.remove(two, kept.id)
    plan = await app.undo.plan("one", since, with_uses=False)
    assert [step.kind for step in plan.steps] == [StepKind.REVISE]
    await app.undo.apply(plan, by=ANN)
    assert await found(app, one, "zebra") == set()
    await app.removal.restore(two, kept.id)
    assert (await app.learning.get(one, kept.id)).summary == "zebra"
    assert await found(app, one, "zebra") == {"rule"}


async def test_what_was_forgotten_since_the_plan_is_not_written_again(
    app: App, installation: Installation, eve: Agent
) -> None:
    kept = await learned(app, eve, "a", summary="zebra")
    since = installation.clock.advance(60)
    await app.revisions.revise(eve, kept.id, Revision(summary="yak"), version=1)
    plan = await app.undo.plan("eve", since, with_uses=False)
    await app.removal.forget(eve, kept.id)
    with pytest.raises(Conflict, match="Nothing was taken back"):
        await app.undo.apply(plan, by=ANN)
    with pytest.raises(NotFound):
        await app.learning.get(eve, kept.id)


async def test_an_unknown_agent_is_refused(app: App, installation: Installation) -> None:
    with pytest.raises(NotFound, match="No agent is named"):
        await app.undo.plan("nobody", installation.clock.now(), with_uses=False)


async def found(app: App, who: Agent, text: str) -> set[str]:
    page = await app.learning.find(who, PatternQuery(text))
    return {item.pattern.name for item in page.items}


async def test_uses_that_were_taken_back_lead_nowhere_in_any_process(
    installation: Installation,
) -> None:
    """The attack: a flood of praise for a request, which outlives its undoing in a server."""
    request = "the staging host answers with a stale certificate"
    async with installation.open() as one, installation.open() as other:
        eve, bob = await agent(one, "eve", "home"), await agent(one, "bob", "home")
        honest = await learned(one, bob, "honest", level="public", summary="Renew TLS secrets.")
        praised = await learned(one, eve, "praised", level="public", summary="Buy this.")
        await one.outcomes.report(
            bob, OutcomeReport(honest.id, UseOutcome.SUCCESS, context=request)
        )
        since = installation.clock.advance(60)
        for _ in range(3):
            await one.outcomes.report(
                eve, OutcomeReport(praised.id, UseOutcome.SUCCESS, context=request)
            )
        for app in (one, other):
            assert await found(app, bob, request) == {"honest", "praised"}
        plan = await one.undo.plan("eve", since, with_uses=True)
        await one.undo.apply(plan, by=ANN)
        for app in (one, other):
            assert await found(app, bob, request) == {"honest"}
        await one.outcomes.report(
            bob, OutcomeReport(praised.id, UseOutcome.SUCCESS, context="a discount is running out")
        )
        for app in (one, other):
            assert "praised" in await found(app, bob, "which discount is running out")


async def test_nothing_is_expected_of_what_was_taken_back(
    app: App, installation: Installation, eve: Agent
) -> None:
    """The attack: praise for one pattern, which lifts what is expected of all for good."""
    praised = await learned(app, eve, "praised", level="public")
    new = await learned(app, eve, "new")
    before = await app.learning.get(eve, new.id)
    since = installation.clock.advance(60)
    await app.outcomes.report(eve, OutcomeReport(praised.id, UseOutcome.SUCCESS))
    assert (await app.learning.get(eve, new.id)).usage.confidence > before.usage.confidence
    await app.undo.apply(await app.undo.plan("eve", since, with_uses=True), by=ANN)
    assert (await app.learning.get(eve, new.id)).usage.prior == before.usage.prior


async def test_what_was_forgotten_is_led_to_in_no_process(installation: Installation) -> None:
    request = "the staging host answers with a stale certificate"
    async with installation.open() as one, installation.open() as other:
        bob = await agent(one, "bob", "home")
        kept = await learned(one, bob, "kept", summary="Renew TLS secrets.")
        gone = await learned(one, bob, "gone", summary="Renew TLS secrets otherwise.")
        for what in (kept, gone):
            report = OutcomeReport(what.id, UseOutcome.SUCCESS, context=request)
            await one.outcomes.report(bob, report)
        for app in (one, other):
            assert await found(app, bob, request) == {"kept", "gone"}
        await one.removal.forget(bob, gone.id)
        for app in (one, other):
            assert await found(app, bob, request) == {"kept"}
