"""The machine's clock is set, forwards and back: scores stay told in the order they came."""

from __future__ import annotations

import math

import pytest

from tests.integration.services import Installation, ended, verified
from tmws.app import App
from tmws.domain.agents import Agent

DAY = 86400.0


async def decided(app: App, place: Installation, who: Agent, *, held: bool) -> None:
    place.clock.advance(1)
    number = len(place.sandbox.requests)
    place.workspace(content=f"print({number})\n")
    place.sandbox.will(ended(0 if held else 1))
    await verified(app, who)


async def require_told_in_order(app: App, *outcomes: bool) -> None:
    found = await app.trust.find("alice")
    told, history = found.explanation, await app.trust.history("alice")
    gains = [gain.logits for gain in told.gains]
    assert math.fsum([told.prior, *gains, told.aging]) == pytest.approx(told.score, abs=1e-9)
    assert told.aging == pytest.approx(0.0, abs=1e-6), "what verdicts did is no aging"
    assert [gain > 0 for gain in gains] == [point.supported for point in history]
    assert [point.supported for point in history] == list(outcomes)
    assert history[-1].score == pytest.approx(found.view.standing.score, abs=1e-9)
    assert (await app.audit.verify()).holds


async def test_verdicts_of_a_clock_that_was_set_back_are_explained_as_they_came(
    app: App, installation: Installation, alice: Agent
) -> None:
    for held in (True, True, True):
        await decided(app, installation, alice, held=held)
    installation.clock.advance(-3600)
    for held in (False, False, True):
        await decided(app, installation, alice, held=held)
    await require_told_in_order(app, True, True, True, False, False, True)
    # A fit goes by time, and what comes after it by the ledger again.
    await app.corrections.refit(by="ann")
    await require_told_in_order(app, False, False, True, True, True, True)
    installation.clock.advance(-3600)
    await decided(app, installation, alice, held=False)
    await require_told_in_order(app, False, False, True, True, True, True, False)


async def test_a_fit_of_a_time_to_come_keeps_no_later_one_from_its_turn(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, held=True)
    installation.clock.advance(3650 * DAY)
    await app.corrections.refit(by="ann")
    installation.clock.advance(-3649 * DAY)
    await decided(app, installation, alice, held=False)
    assert not await app.corrections.refit_if_due()
    installation.clock.advance(DAY)
    assert await app.corrections.refit_if_due()
