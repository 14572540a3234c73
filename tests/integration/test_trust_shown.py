"""Trust is shown to those who work together, with what it rests on."""

from __future__ import annotations

import asyncio
import math
import re
from pathlib import Path

import pytest

from tests.integration.command import tmws_each
from tests.integration.services import (
    Installation,
    agent,
    timed_out,
    verified,
)
from tests.integration.trust_seen import (
    counts,
    decided,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.trust.score import Standing
from tmws.faces.mcp.tools.trust import explained
from tmws.services.trust import UNNAMED


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


def test_every_kind_of_claim_has_its_own_bound_count_and_age(tmp_path: Path) -> None:
    installation = Installation(f"sqlite:///{tmp_path / 'tmws.db'}", tmp_path)

    async def told() -> Standing:
        async with installation.open() as app:
            alice = await agent(app, "alice")
            await app.workspaces.add("shop", installation.workspace(), by="test")
            for held in (True, True, False, True, True, True):
                await decided(app, installation, alice, held=held)
            return (await app.trust.show(alice)).types["python"]

    part = asyncio.run(told())
    assert part.bound < part.low  # nobody else answered these claims
    shown, text = tmws_each(
        [["trust", "show", "alice", "--json"], ["trust", "show", "alice"]], data=tmp_path
    )
    [seen] = shown.document()["types"]
    assert (seen["type"], seen["supported"], seen["refuted"]) == ("python", 5, 1)
    assert 0.0 < seen["bound"] < seen["low"]
    assert seen["newest_at"].startswith(installation.clock.now().isoformat()[:19])
    said = " ".join(text.output.split())
    assert re.search(r"types python 0\.\d\d \(0\.\d\d to 0\.\d\d, bound 0\.\d\d, 5 of 6\)", said)
    # Each verdict with its kind, how likely its claim was to hold, and how hard it is.
    assert re.search(r"python REFUTED \(0\.\d\d expected, difficulty [+-]\d\.\d\) -\d\.\d\d", said)


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
