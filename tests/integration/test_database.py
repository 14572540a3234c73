"""One way in, on both dialects: one view of the data, all or nothing, faults by their name."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import anyio
import pytest
import sqlalchemy as sa

from tests.integration.database_seen import LOOK, count, counted, database, put
from tests.integration.services import Installation, agent, learned, pattern
from tests.patience import ENOUGH_SECONDS
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.errors import BackendUnavailable, Conflict, InvalidInput, NotFound
from tmws.storage import agents, artifacts
from tmws.storage.database import SQLITE_BUSY_SECONDS, Database
from tmws.storage.prepared import Execute, Prepared, Value, at_last, at_once, inserted
from tmws.storage.tables import artifacts as artifacts_table
from tmws.testing.clock import START

__all__ = ["database"]


TAKES_BACK = sa.text(
    "CREATE FUNCTION taken_back() RETURNS integer LANGUAGE plpgsql AS"
    " $$ BEGIN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '40P01'; END $$"
)


async def test_a_reader_sees_one_state_however_much_is_written_meanwhile(
    app: App, database: Database
) -> None:
    async with database.read() as reading:
        before = await reading.scalar(count())
        await agent(app, "late")
        assert await reading.scalar(count()) == before
    async with database.read() as reading:
        assert await reading.scalar(count()) == (before or 0) + 1


async def test_an_audit_beside_a_busy_writer_raises_no_false_alarm(
    app: App, installation: Installation
) -> None:
    async def write() -> None:
        for number in range(20):
            await agent(app, f"agent{number}")

    await agent(app, "first")  # from here on a checkpoint is kept outside
    writer = asyncio.create_task(write())
    async with installation.open() as beside:
        while not writer.done():
            report = await beside.audit.verify()
            assert report.holds, report.problems
    await writer


async def test_a_transaction_cancelled_anywhere_leaves_none_open(
    app: App, installation: Installation
) -> None:
    known = await agent(app, "known")

    async def work(database: Database, number: int) -> None:
        other = Agent(f"agent_{number}", f"late{number}", known.role, known.namespaces, START)
        async with database.write() as tx:
            await agents.add(tx, other)
        async with database.read() as connection:
            await connection.scalar(count())
        async with database.glance() as connection:
            await connection.scalar(count())
        async with database.read() as connection:
            await at_last(connection, counted)
        await database.glance_at_once(counted)
        await database.at_once(lambda run: put(run, number))

    async with installation.database() as database:
        for turns in range(30):
            task = asyncio.create_task(work(database, turns))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await work(database, 100 + turns)


async def test_a_glance_sees_what_was_committed_last(app: App, database: Database) -> None:
    async with database.glance() as looking:
        before = await looking.scalar(count()) or 0
        await agent(app, "late")
        assert await looking.scalar(count()) == before + 1
        await agent(app, "later")
    assert await database.glance_at_once(counted) == before + 2


async def test_the_last_step_sees_the_state_of_those_before_it(
    app: App, database: Database
) -> None:
    async with database.read() as reading:
        before = await at_once(reading, counted)
        await agent(app, "late")
        assert await at_last(reading, counted) == before
    async with database.read() as reading:
        assert await at_last(reading, counted) == before + 1
    await agent(app, "later")
    assert await database.glance_at_once(counted) == before + 2


async def test_a_last_step_that_fails_ends_its_transaction_all_the_same(
    app: App, database: Database
) -> None:
    def fail(run: Execute) -> None:
        counted(run)
        raise NotFound("Nothing here.")

    for number in range(3):
        with pytest.raises(NotFound):
            async with database.read() as reading:
                await at_last(reading, fail)
        with pytest.raises(NotFound):
            await database.glance_at_once(fail)
        before = await database.glance_at_once(counted)
        await agent(app, f"late{number}")
        assert await database.glance_at_once(counted) == before + 1


async def test_a_transaction_that_fails_leaves_nothing(app: App, database: Database) -> None:
    known = await agent(app, "known")
    other = Agent("agent_other", "other", known.role, known.namespaces, START)

    async def add_both() -> None:
        async with database.write() as tx:
            await agents.add(tx, other)
            await agents.add(tx, known)

    with pytest.raises(Conflict, match="Another writer"):
        await add_both()
    async with database.read() as connection:
        assert await agents.named(connection, "other") is None


async def test_a_reader_cannot_write_on_a_server(postgres_url: str) -> None:
    database = Database(postgres_url)
    try:
        with pytest.raises(sa.exc.DBAPIError, match="read-only transaction"):
            async with database.read() as connection:
                await connection.execute(sa.text("CREATE TABLE t (x INT)"))
    finally:
        await database.aclose()


@pytest.mark.parametrize("text", ["\x00", "a\x00b"])
async def test_a_value_no_database_can_hold_is_refused_like_any_other(app: App, text: str) -> None:
    alice = await agent(app, "alice")
    await learned(app, alice)
    with pytest.raises((NotFound, InvalidInput)):
        await app.learning.get(alice, text)
    with pytest.raises((NotFound, InvalidInput)):
        await app.trust.show(alice, text)


async def test_a_step_that_the_server_takes_back_is_run_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    begun = list[str]()

    def step(run: Execute) -> str:
        begun.append("begun")
        if len(begun) == 1:
            run(Prepared(sa.select(sa.func.taken_back())), {})
        return "kept"

    try:
        async with database.write() as tx:
            await tx.execute(TAKES_BACK)
        assert await database.at_once(step) == "kept"
    finally:
        await database.aclose()
    assert len(begun) == 2


async def test_a_deadlock_is_a_fault_that_may_be_tried_again(postgres_url: str) -> None:
    database = Database(postgres_url)
    both_hold = asyncio.Barrier(2)

    async def cross(first: int, second: int) -> None:
        async with database.write() as tx:
            await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(first)))
            await both_hold.wait()
            await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(second)))

    try:
        ends = await asyncio.gather(cross(1, 2), cross(2, 1), return_exceptions=True)
    finally:
        await database.aclose()
    [fault] = [end for end in ends if end is not None]
    assert isinstance(fault, BackendUnavailable)
    assert fault.retryable
    assert "deadlock" in fault.message


async def test_equal_namespaces_made_at_once_are_one(app: App) -> None:
    names = [f"agent{number}" for number in range(6)]
    made = await asyncio.gather(*(agent(app, name, "brand-new") for name in names))
    assert {each.namespaces for each in made} == {("brand-new",)}


async def test_a_use_reported_while_its_claim_is_recorded_does_not_deadlock(
    app: App, installation: Installation
) -> None:
    alice = await agent(app, "alice")
    drafts = [pattern(f"p{number}") for number in range(4)]
    kept = [await app.learning.learn(alice, draft) for draft in drafts]
    async with installation.database() as database, database.write() as tx:
        await agents.lock(tx, alice.id)
        if database.dialect == "postgresql":
            # Another transaction refers to the locked agent and does not wait for it.
            later = asyncio.create_task(learned(app, alice, "meanwhile"))
            assert (await asyncio.wait_for(later, ENOUGH_SECONDS)).name == "meanwhile"
    assert len(kept) == 4


async def test_the_same_bytes_are_kept_once(database: Database) -> None:
    async with database.write() as tx:
        first, again = await at_once(tx, lambda run: put(run, 1, 1))
        assert again == first
        assert await artifacts.get(tx, first) == b"bytes 1"


async def test_a_step_that_is_a_transaction_is_kept_whole(database: Database) -> None:
    digests = await database.at_once(lambda run: put(run, 1, 2))
    async with database.read() as connection:
        kept = [await artifacts.get(connection, digest) for digest in digests]
    assert kept == [b"bytes 1", b"bytes 2"]


async def test_a_step_that_fails_leaves_nothing_and_the_next_one_goes_on(
    database: Database,
) -> None:
    row: dict[str, Value] = {
        "digest": "ab" * 32,
        "media_type": "x",
        "content": b"",
        "created_at": 0,
    }
    add = inserted(artifacts_table)
    digests: list[str] = []

    def refused(run: Execute) -> None:
        digests.extend(put(run, 1))
        raise InvalidInput("no")

    def taken(run: Execute) -> None:
        digests.extend(put(run, 2))
        run(add, row)
        run(add, row)

    with pytest.raises(InvalidInput, match="no"):
        await database.at_once(refused)
    with pytest.raises(Conflict, match="Another writer"):
        await database.at_once(taken)
    async with database.read() as connection:
        assert [await artifacts.get(connection, digest) for digest in digests] == [None, None]
    assert len(await database.at_once(lambda run: put(run, 3))) == 1


async def test_a_step_opens_a_connection_again_that_was_lost(database: Database) -> None:
    async with database.engine.connect() as connection:
        await connection.invalidate()
    assert len(await database.at_once(lambda run: put(run, 1))) == 1


async def test_a_step_waits_for_another_process_and_says_so_when_it_takes_too_long(
    sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tmws.storage.database.SQLITE_BUSY_SECONDS", 0.2)
    async with Installation(sqlite_url, tmp_path / "data").open():
        pass
    ours, theirs = Database(sqlite_url), Database(sqlite_url)
    async with theirs.write() as tx:
        await tx.execute(LOOK)
        with pytest.raises(BackendUnavailable, match="locked"):
            await ours.at_once(lambda run: put(run, 1))
    assert len(await ours.at_once(lambda run: put(run, 1))) == 1
    await ours.aclose()
    await theirs.aclose()


async def test_a_transaction_that_is_cancelled_leaves_nothing_open_and_nobody_waiting(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'tmws.db'}"
    ours, theirs = Database(url), Database(url)
    for store in (ours, theirs):
        async with store.read() as connection:
            await connection.execute(LOOK)  # each has its connection now
    before = asyncio.all_tasks()

    async def write() -> None:
        async with ours.write() as tx:
            await tx.execute(LOOK)
            raise AssertionError("two wrote at once")

    async with anyio.create_task_group() as group, theirs.write() as tx:
        await tx.execute(LOOK)
        group.start_soon(write)
        await anyio.sleep(0.1)  # it waits for the file
        group.cancel_scope.cancel()  # it, and whom it waits for

    async with theirs.write() as tx, ours.read() as connection:
        await tx.execute(LOOK)
        await connection.execute(LOOK)
    if closing := asyncio.all_tasks() - before:  # the end of the loop would wait for them
        _, waiting = await asyncio.wait(closing, timeout=ENOUGH_SECONDS)
        assert not waiting
    await ours.aclose()
    await theirs.aclose()


@pytest.fixture
async def on_sqlite(sqlite_url: str, tmp_path: Path) -> AsyncIterator[Database]:
    """A store in a file, which nobody else has open."""
    async with Installation(sqlite_url, tmp_path / "data").open():
        pass
    database = Database(sqlite_url)
    yield database
    await database.aclose()


async def test_a_connection_that_erased_is_fit_to_write(on_sqlite: Database) -> None:
    """Else of two dozen that write while one erases, every other one meets a failing commit."""
    for number in range(3):
        await on_sqlite.drop_old_pages()
        await on_sqlite.at_once(partial(_put, number))
    await on_sqlite.drop_old_pages()
    async with on_sqlite.write() as tx:
        await at_once(tx, lambda run: put(run, 3))


async def test_erasing_waits_for_a_reader_and_lets_writers_go_on(on_sqlite: Database) -> None:
    log = anyio.Path(f"{on_sqlite.url.database}-wal")
    await on_sqlite.at_once(lambda run: put(run, 1))
    async with on_sqlite.read() as reading:
        await reading.scalar(count())
        await on_sqlite.at_once(lambda run: put(run, 2))
        erasing = asyncio.create_task(on_sqlite.drop_old_pages())
        async with asyncio.timeout(SQLITE_BUSY_SECONDS / 2):  # the reader outlasts the writers
            for number in range(3, 13):
                await on_sqlite.at_once(partial(_put, number))
        assert not erasing.done()
    async with asyncio.timeout(ENOUGH_SECONDS):
        await erasing
    assert (await log.stat()).st_size == 0


def _put(number: int, run: Execute) -> list[str]:
    return put(run, number)
