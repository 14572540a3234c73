"""The schema: up from nothing, down to nothing, up again; the same as the tables in code."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.integration import schemas
from tests.integration.services import Installation, agent, ended, learned, timed_out, verified
from tmws.domain import events
from tmws.domain.agents import Administrator
from tmws.domain.errors import BackendUnavailable
from tmws.domain.memories import MemoryDraft
from tmws.domain.quotas import NOTHING_ELSE, Allowed
from tmws.domain.situations import Situation
from tmws.domain.trust.reliance import Stake
from tmws.domain.uplift import UNTRIED
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.analytics import StatsQuery
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.storage import migrations, reliances
from tmws.storage.columns import moment
from tmws.storage.tables import metadata


def revisions() -> ScriptDirectory:
    config = Config()
    config.set_main_option("script_location", str(migrations.scripts()))
    return ScriptDirectory.from_config(config)


async def moved(place: Installation, direction: str, revision: str) -> None:
    async with place.database() as database, database.write() as connection:
        await connection.run_sync(schemas.alembic, direction, revision)


def test_the_newest_revision_is_the_one_the_code_asks_for() -> None:
    assert revisions().get_heads() == [migrations.HEAD]


async def test_up_from_nothing_down_to_nothing_and_up_again(installation: Installation) -> None:
    installation.folder.mkdir()
    for _ in range(2):
        await moved(installation, "upgrade", "head")
        assert await schemas.tables(installation.url) == set(metadata.tables)
        await moved(installation, "downgrade", "base")
        assert await schemas.tables(installation.url) == set()
    async with installation.open() as app:
        await agent(app, "alice")
        assert (await app.audit.verify()).holds


async def test_a_store_in_use_goes_down_to_nothing_and_serves_again(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        await agent(app, "bob")
        kept = await learned(app, alice, tags=("a",), level="shared", shared_with=("bob",))
        await verified(app, alice, applied=(kept.id,))
    await moved(installation, "downgrade", "base")
    assert await schemas.tables(installation.url) == set()
    (installation.folder / "ledger" / "checkpoint").unlink()
    async with installation.open() as app:
        assert await app.agents.every() == []


async def test_every_revision_is_kept_by_data_that_comes_back_up(
    installation: Installation,
) -> None:
    """From the second revision on: each step down and up again loses nothing it need not."""
    known = [each.revision for each in revisions().walk_revisions()]
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice, bob = await agent(app, "alice"), await agent(app, "bob")
        kept = await learned(app, alice, tags=("a", "b"))
        made = await verified(app, alice, confidence=0.9, effort_minutes=5.0)
        held = await verified(app, bob)
        for outcome in UseOutcome:
            await app.outcomes.report(alice, OutcomeReport(kept.id, outcome, 2.0, "tried"))
        kept = await app.learning.get(alice, kept.id)
        own = await app.outcomes.by_owner(alice, kept.id)
        await app.corrections.link("bob", "alice", reason="one owner", by="ann")
        for report in (made, held):
            await app.corrections.withdraw(report.claim.id, reason="by mistake", by="ann")
        await app.corrections.restore(held.claim.id, reason="a \N{SNOWMAN} mistake", by="ann")
        seen = await app.trust.show(alice)
    for revision in known[1:]:
        await moved(installation, "downgrade", revision)
        await moved(installation, "upgrade", "head")
    async with installation.open() as app:
        assert await app.learning.get(alice, kept.id) == kept
        assert await app.outcomes.by_owner(alice, kept.id) == own
        assert await app.trust.show(alice) == seen
        audited = await app.audit.verify()
        assert audited.holds, audited.problems


async def test_what_agents_kept_before_it_was_counted_is_counted(
    installation: Installation,
) -> None:
    """As it would have been: not what was forgotten, nor what an administrator removed."""
    ann = Administrator("ann")
    async with installation.open() as app:
        alice, bob = await agent(app, "alice"), await agent(app, "bob")
        await agent(app, "carol")
        made = [await learned(app, alice, f"number {n}", summary="é") for n in range(5)]
        for who in (alice, bob):
            await app.memory.remember(who, MemoryDraft("a \N{SNOWMAN} note"))
        for each in made[1:]:
            await app.revisions.revise(alice, each.id, Revision(data={"a": "\\é"}), version=1)
        await app.removal.remove(alice, made[1].id)
        await app.removal.forget(alice, made[2].id)
        await app.removal.remove(ann, made[3].id)
        installation.clock.advance(1)
        await app.removal.remove(ann, made[4].id)
        await app.removal.restore(ann, made[4].id)
        kept = {each.agent: each.stored_bytes for each in await app.quotas.usage()}
    assert kept["alice"] > kept["bob"] > kept["carol"] == 0
    await moved(installation, "downgrade", "0021")
    await moved(installation, "upgrade", "head")
    async with installation.open() as app:
        assert {each.agent: each.stored_bytes for each in await app.quotas.usage()} == kept
        for each in (made[0], made[1], made[4]):
            await app.removal.forget(alice, each.id)
        left = {each.agent: each.stored_bytes for each in await app.quotas.usage()}
    assert left["alice"] == left["bob"]


async def test_verdicts_of_the_first_version_are_learned_by_the_trust_model(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorded = events.verdict_recorded

    def as_before(*args: Any, **fields: Any) -> events.Event:
        event = recorded(*args, **fields)
        payload: Any = dict(event.payload)
        del payload["weighed"]
        told = ("supported", "refuted", "inconclusive")
        payload["trust"] = {
            when: {name: payload["trust"][when][name] for name in told}
            for when in ("before", "after")
        }
        return events.Event(event.type, event.at, payload)

    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        with monkeypatch.context() as past:
            past.setattr(events, "verdict_recorded", as_before)
            for status in range(3):
                await verified(app, alice, exit_code=status)
            installation.sandbox.will(timed_out())
            await verified(app, alice, exit_code=3)
    await moved(installation, "downgrade", "0001")
    async with installation.database() as database, database.read() as connection:
        counted = await connection.execute(sa.text("SELECT supported, refuted FROM trust"))
        assert [tuple(row) for row in counted] == [(1, 2)]
    async with installation.open() as app:
        shown = await app.trust.show(alice)
        tally = shown.standing.tally
        assert (tally.supported, tally.refuted, shown.record.inconclusive) == (1, 2, 1)
        await verified(app, alice, exit_code=4)
        report = await app.audit.verify()
        assert report.holds, report.problems


async def test_trials_go_down_with_their_table_and_nothing_else_does(
    installation: Installation,
) -> None:
    async with installation.open(holdout_share=0.5) as app:
        alice, bob = await agent(app, "alice", "home"), await agent(app, "bob", "home")
        kept = await learned(app, alice, "retry", level="public")
        found = await app.recommendation.recommend(bob, Situation("retry"))
        assert found.receipt_id is not None
        await app.outcomes.credit(bob, CreditReport(found.receipt_id, UseOutcome.SUCCESS))
        assert (await app.analytics.stats(alice, StatsQuery())).uplift != UNTRIED
        kept = await app.learning.get(alice, kept.id)
    await moved(installation, "downgrade", "0013")
    assert "trials" not in await schemas.tables(installation.url)
    async with installation.open(holdout_share=0.5) as app:
        assert await app.learning.get(alice, kept.id) == kept
        assert (await app.analytics.stats(alice, StatsQuery())).uplift == UNTRIED
        await app.recommendation.recommend(bob, Situation("retry"))
        await app.receipts.settle()
        assert (await app.analytics.stats(alice, StatsQuery())).uplift != UNTRIED


async def test_stakes_of_before_count_from_when_they_were_given_and_go_back_as_they_came(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        installation.sandbox.will(timed_out(), ended(1))
        ids = []
        for number in range(2):
            installation.clock.advance(1)
            ids.append((await verified(app, alice, exit_code=number)).claim.id)
    await moved(installation, "downgrade", "0017")
    given = [
        (ids[0], "bob", 2.0, 0.5, 0.25, 1, 7_000_000, None),
        (ids[0], "carol", 3.0, 0.5, 0.25, 0, 8_000_000, None),
        (ids[1], "bob", 4.0, 0.5, 0.75, 1, 9_000_000, 10_000_000),
    ]
    async with installation.database() as database, database.write() as connection:
        names = ("claim", "by", "stake", "least", "draw", "granted", "at", "settled")
        await connection.execute(
            sa.text(
                'INSERT INTO reliances (claim_id, "by", stake, least, draw, granted, "at", '
                "settled_at) VALUES (:claim, :by, :stake, :least, :draw, :granted, :at, :settled)"
            ),
            [dict(zip(names, row, strict=True)) for row in given],
        )
    await moved(installation, "upgrade", "head")
    async with installation.database() as database, database.read() as connection:
        [bob, carol] = await reliances.of_claim(connection, ids[0])
        assert bob == Stake(ids[0], "bob", 2.0, 0.25, moment(7_000_000))
        assert carol == Stake(ids[0], "carol", 0.0, 0.25)
        now = moment(11_000_000)
        assert await reliances.standing(connection, alice.id, at=now) == [bob]
    await moved(installation, "downgrade", "0017")
    async with installation.database() as database, database.read() as connection:
        rows = await connection.execute(
            sa.text(
                'SELECT claim_id, "by", stake, draw, granted, "at", settled_at IS NULL '
                'FROM reliances ORDER BY claim_id, "by"'
            )
        )
        assert [tuple(row) for row in rows] == [
            (ids[0], "bob", 2.0, 0.25, 1, 7_000_000, 1),
            (ids[0], "carol", 0.0, 0.25, 0, 0, 1),
            (ids[1], "bob", 4.0, 0.75, 1, 9_000_000, 0),
        ]


async def test_who_was_shut_out_is_so_again_in_a_store_that_went_back_and_came_up(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        for name in ("alice", "bob", "carol"):
            await agent(app, name)
        for name in ("alice", "bob"):
            await app.agents.disable(name, reason="it's \N{SNOWMAN}: 100 %", by="ann")
        await app.agents.enable("bob", reason="well", by="ann")
        known = await app.agents.every()
    await moved(installation, "downgrade", "0020")
    async with installation.database() as database, database.read() as connection:
        rows = await connection.execute(sa.text("SELECT * FROM agents"))
        assert "disabled_because" not in set(rows.keys())
        assert len(rows.all()) == 3
    async with installation.open() as app:
        assert await app.agents.every() == known
        assert (await app.audit.verify()).holds


async def test_who_was_allowed_something_else_is_so_again_in_a_store_that_went_back_and_came_up(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        for name in ("alice", "bob", "carol"):
            await agent(app, name)
        for name, allowed in (
            ("alice", Allowed(mib=1)),
            ("alice", Allowed(3, 600)),
            ("bob", Allowed(daily_writes=700)),
            ("bob", NOTHING_ELSE),
        ):
            assert await app.agents.allow(name, allowed, reason="it's \N{SNOWMAN}", by="ann")
        known = await app.quotas.usage()
    for revision in ("0023", "0021"):
        await moved(installation, "downgrade", revision)
        await moved(installation, "upgrade", "head")
        async with installation.open() as app:
            assert await app.quotas.usage() == known
            assert (await app.audit.verify()).holds


async def test_what_was_removed_is_so_again_in_a_store_that_went_back_and_came_up(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        alice = await agent(app, "alice")
        for name in ("shop", "spare", "again"):
            await app.workspaces.add(name, installation.workspace(name), by="test")
        made = await verified(app, alice)
        for name in ("shop", "spare", "again"):
            await app.workspaces.remove(name, reason="sold", by="ann")
        await app.workspaces.add("again", installation.workspace("again"), by="test")
        known = await app.workspaces.every()
    await moved(installation, "downgrade", "0022")
    async with installation.database() as database, database.read() as connection:
        rows = await connection.execute(sa.text("SELECT * FROM workspaces ORDER BY name"))
        assert "removed_at" not in set(rows.keys())
        assert [row.name for row in rows] == ["again", "shop"]  # which the claim names
    async with installation.open() as app:
        assert await app.workspaces.every() == known
        assert (await app.verification.get(alice, made.claim.id)).claim == made.claim
        assert (await app.audit.verify()).holds


async def test_the_migrated_schema_is_the_one_in_code(installation: Installation) -> None:
    async with installation.open():
        pass

    def differences(connection: sa.Connection) -> list[object]:
        context = MigrationContext.configure(
            connection,
            opts={"include_name": lambda name, kind, _: not (kind == "table" and _beside(name))},
        )
        return list(compare_metadata(context, metadata))

    async with installation.database() as database, database.read() as connection:
        assert await connection.run_sync(differences) == []


def _beside(name: str | None) -> bool:
    return name in schemas.BESIDE_THE_METADATA


async def test_a_second_start_changes_nothing(installation: Installation) -> None:
    async with installation.open() as app:
        await agent(app, "alice")
    async with installation.open() as app:
        assert [each.name for each in await app.agents.every()] == ["alice"]


async def test_a_database_of_a_newer_version_is_refused_and_left_alone(
    installation: Installation,
) -> None:
    async with installation.open() as app:
        await agent(app, "alice")
    newer = sa.text("UPDATE alembic_version SET version_num = '9999'")
    async with installation.database() as database, database.write() as tx:
        await tx.execute(newer)
    with pytest.raises(BackendUnavailable, match=r"written by a newer TMWS.*Install") as refused:
        async with installation.open():
            pass
    assert not refused.value.retryable
    async with installation.database() as database, database.read() as connection:
        count = sa.select(sa.func.count()).select_from(metadata.tables["agents"])
        assert await connection.scalar(count) == 1


async def test_the_scripts_are_found_in_the_wheel_and_beside_the_sources() -> None:
    assert (migrations.scripts() / "env.py").exists()
