"""Finding by what patterns were used for before: heard by readers, flooded by nobody."""

from __future__ import annotations

import pytest

from tests.integration.services import Installation, agent, learned, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.patterns import Pattern
from tmws.domain.usage import UseOutcome
from tmws.services.learning import FoundPattern, PatternQuery
from tmws.services.outcomes import CreditReport, OutcomeReport

REQUEST = "the staging host answers with a stale certificate"


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice", "home")


@pytest.fixture
async def bob(app: App) -> Agent:
    return await agent(app, "bob", "home")


async def found(app: App, who: Agent, text: str = REQUEST) -> dict[str, FoundPattern]:
    page = await app.learning.find(who, PatternQuery(text))
    return {item.pattern.name: item for item in page.items}


async def used(app: App, who: Agent, what: Pattern, **fields: object) -> None:
    fields = {"context": REQUEST, **fields}
    outcome = fields.pop("outcome", UseOutcome.SUCCESS)
    await app.outcomes.report(who, OutcomeReport(what.id, outcome, **fields))  # type: ignore[arg-type]


async def test_a_pattern_is_found_by_what_it_served_whatever_it_says(
    app: App, alice: Agent
) -> None:
    kept = await learned(app, alice, "rotate", summary="Renew TLS secrets in place.")
    assert "rotate" not in await found(app, alice)
    await used(app, alice, kept)
    item = (await found(app, alice, "staging host with stale certificate"))["rotate"]
    assert "uses" in (item.parts or {})
    assert item.score == pytest.approx(sum((item.parts or {}).values()))


async def test_a_failure_is_no_recommendation(app: App, alice: Agent) -> None:
    good = await learned(app, alice, "good")
    bad = await learned(app, alice, "bad")
    await used(app, alice, good)
    await used(app, alice, bad, outcome=UseOutcome.FAILURE)
    assert list(await found(app, alice)) == ["good"]


async def test_a_receipt_stands_for_its_request(app: App, alice: Agent) -> None:
    await learned(app, alice, "rotate", summary="Renew a stale certificate on the host.")
    page = await app.learning.find(alice, PatternQuery(REQUEST))
    assert page.receipt_id is not None
    await app.outcomes.credit(alice, CreditReport(page.receipt_id, UseOutcome.SUCCESS))
    again = (await found(app, alice))["rotate"]
    assert "uses" in (again.parts or {})


async def test_a_verdict_makes_its_statement_findable_as_proven(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    proven = await learned(app, alice, "proven", level="public")
    said = await learned(app, alice, "said", level="public")
    await verified(app, alice, statement=REQUEST, applied=(proven.id,))
    await used(app, alice, said)
    items = await found(app, bob)
    assert list(items) == ["proven", "said"]
    parts = {name: (item.parts or {})["uses"] for name, item in items.items()}
    assert parts["proven"] == pytest.approx(4 * parts["said"])


async def test_a_use_is_heard_by_readers_of_the_pattern_and_by_nobody_else(
    app: App, alice: Agent, bob: Agent
) -> None:
    shown = await learned(app, alice, "shown", level="public")
    hidden = await learned(app, alice, "hidden")
    await used(app, alice, shown)
    before = (await found(app, bob))["shown"]
    for number in range(30):
        await used(app, alice, hidden, context=f"{REQUEST} {number}")
    assert set(await found(app, bob)) == {"shown"}
    assert (await found(app, bob))["shown"].score == before.score
    assert set(await found(app, alice)) == {"shown", "hidden"}


async def test_the_words_of_a_use_reach_nobody_but_votes_do(
    app: App, alice: Agent, bob: Agent
) -> None:
    kept = await learned(app, alice, "kept", level="public")
    await used(app, bob, kept, context=f"{REQUEST} canary-91c2")
    for who in (alice, bob):
        page = await app.learning.find(who, PatternQuery(REQUEST))
        assert "kept" in {item.pattern.name for item in page.items}
        assert "canary" not in repr(page)
        assert "canary" not in repr(await app.learning.get(who, kept.id))


async def test_an_agent_that_praises_its_own_cannot_bury_what_was_proven(
    app: App, installation: Installation, alice: Agent, bob: Agent
) -> None:
    """The attack: hundreds of made-up successes for the very request of the victim."""
    await app.workspaces.add("shop", installation.workspace(), by="test")
    honest = await learned(app, alice, "honest", level="public")
    await verified(app, alice, statement=REQUEST, applied=(honest.id,))
    mallory = await agent(app, "mallory", "home")
    bad = [await learned(app, mallory, f"bad {n}", level="public") for n in range(8)]
    for number in range(40):
        await used(app, mallory, bad[number % 8])
    items = await found(app, bob)
    assert next(iter(items)) == "honest"
    assert sum("uses" in (item.parts or {}) for item in items.values()) <= 1 + 5


async def test_another_process_hears_of_a_use_at_its_next_search(
    installation: Installation,
) -> None:
    async with installation.open() as one, installation.open() as other:
        alice = await agent(one, "alice", "home")
        kept = await learned(one, alice, "rotate", summary="Renew TLS secrets.")
        assert await found(other, alice) == {}
        await used(one, alice, kept)
        assert set(await found(other, alice)) == {"rotate"}
