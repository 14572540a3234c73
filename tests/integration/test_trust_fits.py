"""Everything is fitted again once a day, by one of all processes, whole or not at all."""

from __future__ import annotations

import asyncio

import pytest

from tests.integration.services import Installation, ended, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.services import corrections
from tmws.storage import ledger, tables

DAY = 86400.0


async def decided(app: App, place: Installation, who: Agent, number: int) -> None:
    place.workspace(content=f"print({number})\n")
    place.sandbox.will(ended(number % 2))
    await verified(app, who)


async def test_a_fit_is_due_a_day_after_the_last_if_a_verdict_came_since(
    app: App, installation: Installation, alice: Agent
) -> None:
    assert not await app.corrections.refit_if_due()  # nothing to fit
    await decided(app, installation, alice, 0)
    installation.clock.advance(DAY / 2)
    assert not await app.corrections.refit_if_due()
    installation.clock.advance(DAY / 2)
    assert await app.corrections.refit_if_due()
    assert not await app.corrections.refit_if_due()
    installation.clock.advance(30 * DAY)
    assert not await app.corrections.refit_if_due()  # no verdict came since
    await decided(app, installation, alice, 1)
    assert not await app.corrections.refit_if_due()  # one came just now
    installation.clock.advance(DAY / 24)
    assert await app.corrections.refit_if_due()
    assert (await app.audit.verify()).holds


async def test_what_never_rests_is_fitted_after_a_day_all_the_same(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, 0)
    installation.clock.advance(DAY)
    await decided(app, installation, alice, 1)
    assert await app.corrections.refit_if_due()


async def test_one_of_several_processes_fits(
    app: App, installation: Installation, alice: Agent
) -> None:
    await decided(app, installation, alice, 0)
    installation.clock.advance(DAY)
    async with installation.open() as other, installation.open() as third:
        done = await asyncio.gather(
            *(each.corrections.refit_if_due() for each in (app, other, third))
        )
        assert sum(done) == 1
        assert not await other.corrections.refit_if_due()
    assert (await app.audit.verify()).holds


async def test_a_server_fits_by_itself_and_outlives_a_fit_that_fails(
    app: App, installation: Installation, alice: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corrections, "_FIRST_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(corrections, "_LOOK_SECONDS", 0.0)
    await decided(app, installation, alice, 0)
    installation.clock.advance(DAY)
    head = tables.ledger_head
    async with installation.database() as database, database.write() as tx:
        kept = dict((await tx.execute(head.select())).one()._mapping)
        await tx.execute(head.delete())
    tending = asyncio.create_task(app.corrections.tend())
    try:
        async with asyncio.timeout(10):
            await asyncio.sleep(0.05)
            assert not tending.done()
            async with installation.database() as database, database.write() as tx:
                await tx.execute(head.insert().values(kept))
            while not (await fits(installation)):
                await asyncio.wait([tending], timeout=0.02)
    finally:
        tending.cancel()
        await asyncio.wait([tending])
    assert (await app.audit.verify()).holds


async def fits(place: Installation) -> bool:
    """Say whether everything was ever fitted."""
    async with place.database() as database, database.read() as connection:
        return await ledger.newest_of(connection, ["trust_refitted"]) is not None
