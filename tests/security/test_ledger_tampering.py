"""What somebody who holds the database can do to the ledger, and what the audit says to it."""

from __future__ import annotations

import json

import pytest
import sqlalchemy as sa

from tests.integration.services import Installation
from tests.security.tampering import SIZE, Attacker, Original, audited, said
from tmws.domain.canonical import canonical_bytes
from tmws.domain.errors import LedgerCorrupt
from tmws.domain.ledger import commitment


async def test_an_untouched_copy_holds(copy: Installation) -> None:
    report = await audited(copy)
    assert report.holds, said(report)
    assert (report.size, report.promised, report.erased) == (SIZE, SIZE, 0)


@pytest.mark.parametrize("index", [0, 4, SIZE - 1])
async def test_an_edited_entry_is_found_where_it_stands(attacker: Attacker, index: int) -> None:
    await attacker.does(
        """UPDATE ledger_entries SET leaf = replace(leaf, 'T', 't') WHERE "index" = :index""",
        index=index,
    )
    assert f"{index}: Entry {index} was changed" in said(await audited(attacker.place))


async def test_an_edited_hash_is_found_where_it_stands(attacker: Attacker) -> None:
    await attacker.does(
        'UPDATE ledger_entries SET leaf_hash = :hash WHERE "index" = 2', hash=bytes(32)
    )
    assert "2: Entry 2 was changed" in said(await audited(attacker.place))


async def test_an_entry_rewritten_with_hash_and_head_breaks_the_promise(
    attacker: Attacker,
) -> None:
    row = await attacker.finds('SELECT leaf FROM ledger_entries WHERE "index" = 1')
    leaf = json.loads(str(row.leaf)) | {"type": "tool_enabled"}
    await attacker.rewrites(1, canonical_bytes(leaf).decode())
    assert "The first 7 entries are not the ones the checkpoint promised" in said(
        await audited(attacker.place)
    )


async def test_an_edited_payload_is_found_where_it_stands(attacker: Attacker) -> None:
    await attacker.does(
        """UPDATE ledger_payloads SET payload = replace(payload, 'REFUTED', 'SUPPORTED')"""
    )
    assert "4: The payload of entry 4 was changed" in said(await audited(attacker.place))


async def test_a_payload_forged_with_its_entry_breaks_the_promise(attacker: Attacker) -> None:
    row = await attacker.finds(
        "SELECT e.leaf, p.salt, p.payload FROM ledger_entries e JOIN ledger_payloads p "
        'ON p."index" = e."index" WHERE e."index" = 4'
    )
    payload = str(row.payload).replace("REFUTED", "SUPPORTED")
    forged = json.loads(str(row.leaf)) | {"payload": commitment(bytes(row.salt), payload.encode())}
    await attacker.does(
        'UPDATE ledger_payloads SET payload = :payload WHERE "index" = 4', payload=payload
    )
    await attacker.rewrites(4, canonical_bytes(forged).decode())
    report = said(await audited(attacker.place))
    assert "checkpoint promised" in report
    assert "4: The trust change in entry 4 does not follow" in report
    assert "4: Claim" in report


@pytest.mark.parametrize("head", ["as it was", "rebuilt"])
async def test_an_entry_removed_from_the_middle_is_missed_by_number(
    attacker: Attacker, head: str
) -> None:
    await attacker.does(
        'DELETE FROM ledger_payloads WHERE "index" = 2',
        'DELETE FROM ledger_entries WHERE "index" = 2',
    )
    if head == "rebuilt":
        await attacker.rebuilds_the_head()
    assert "2: Entries 2 to 2 are missing" in said(await audited(attacker.place))


async def test_a_middle_removed_and_renumbered_is_found_at_every_moved_entry(
    attacker: Attacker,
) -> None:
    await attacker.does(
        'DELETE FROM ledger_payloads WHERE "index" = 2',
        'DELETE FROM ledger_entries WHERE "index" = 2',
        *(
            f'UPDATE ledger_{table} SET "index" = {index - 1} WHERE "index" = {index}'
            for index in range(3, SIZE)
            for table in ("entries", "payloads")
        ),
    )
    await attacker.rebuilds_the_head()
    report = said(await audited(attacker.place))
    assert "2: Entry 2 says it is entry 3: swapped" in report
    assert "6: The checkpoint promises 7 entries, there are 6" in report


@pytest.mark.parametrize("head", ["as it was", "rebuilt"])
async def test_a_tail_cut_off_with_all_its_traces_is_missed(
    attacker: Attacker, original: Original, head: str
) -> None:
    last = original.claims[-1]
    await attacker.does(
        'DELETE FROM ledger_payloads WHERE "index" = 6',
        'DELETE FROM ledger_entries WHERE "index" = 6',
        "DELETE FROM memories WHERE claim_id = :claim",
        "DELETE FROM claims WHERE id = :claim",
        "DELETE FROM evidence WHERE id = :claim",
        claim=last,
    )
    await attacker.makes_trust_agree()
    if head == "rebuilt":
        await attacker.rebuilds_the_head()
    assert "6: The checkpoint promises 7 entries, there are 6" in said(
        await audited(attacker.place)
    )


async def test_two_entries_that_changed_places_are_both_found(attacker: Attacker) -> None:
    await attacker.does(
        *(
            f'UPDATE ledger_{table} SET "index" = {after} WHERE "index" = {before}'
            for before, after in ((1, 99), (5, 1), (99, 5))
            for table in ("entries", "payloads")
        )
    )
    await attacker.rebuilds_the_head()
    report = said(await audited(attacker.place))
    assert "1: Entry 1 says it is entry 5: swapped" in report
    assert "5: Entry 5 says it is entry 1: swapped" in report
    assert "checkpoint promised" in report


async def test_two_hashes_that_changed_places_are_both_found(attacker: Attacker) -> None:
    first = await attacker.finds('SELECT leaf_hash FROM ledger_entries WHERE "index" = 1')
    second = await attacker.finds('SELECT leaf_hash FROM ledger_entries WHERE "index" = 2')
    for index, row in ((1, second), (2, first)):
        await attacker.does(
            'UPDATE ledger_entries SET leaf_hash = :hash WHERE "index" = :index',
            hash=row.leaf_hash,
            index=index,
        )
    report = said(await audited(attacker.place))
    assert "1: Entry 1 was changed" in report
    assert "2: Entry 2 was changed" in report


@pytest.mark.parametrize("head", ["as it was", "rebuilt"])
async def test_a_repeated_entry_is_found_at_its_new_place(attacker: Attacker, head: str) -> None:
    await attacker.does(
        'INSERT INTO ledger_entries ("index", leaf, leaf_hash) '
        'SELECT 7, leaf, leaf_hash FROM ledger_entries WHERE "index" = 3',
        'INSERT INTO ledger_payloads ("index", salt, payload) '
        'SELECT 7, salt, payload FROM ledger_payloads WHERE "index" = 3',
    )
    if head == "rebuilt":
        await attacker.rebuilds_the_head()
    report = said(await audited(attacker.place))
    assert "7: Entry 7 says it is entry 3: swapped" in report
    assert "7: The trust change in entry 7 does not follow" in report


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM ledger_head",
        "INSERT INTO ledger_head (id, origin, size, peaks) VALUES (2, 'tmws/x', 0, '[]')",
        "UPDATE ledger_head SET peaks = 'nonsense'",
        "UPDATE ledger_head SET peaks = '[]'",
        "UPDATE ledger_head SET peaks = '7'",
    ],
)
async def test_a_broken_head_is_said_and_stops_every_act_that_is_recorded(
    attacker: Attacker, statement: str
) -> None:
    await attacker.does(statement)
    async with attacker.place.open() as app:
        assert "The head of the ledger was changed or removed" in said(await app.audit.verify())
        with pytest.raises(LedgerCorrupt):
            await app.tools.disable("recall", reason="x", by="test")
        assert await app.tools.disabled() == {}


async def test_a_head_with_other_peaks_is_found(attacker: Attacker) -> None:
    peaks = json.dumps(["00" * 32] * SIZE.bit_count())
    await attacker.does("UPDATE ledger_head SET peaks = :peaks", peaks=peaks)
    assert "root hash of the entries differs from the head's" in said(await audited(attacker.place))


@pytest.mark.parametrize("leaf", ["nonsense", "[]", "{}", "7"])
async def test_an_entry_that_is_none_does_not_stop_the_walk(attacker: Attacker, leaf: str) -> None:
    await attacker.rewrites(2, leaf)
    assert "2: Entry 2 is not an entry" in said(await audited(attacker.place))


@pytest.mark.parametrize("payload", ["nonsense", "[]", "{}", '{"agent":1,"verdict":"X"}'])
async def test_a_verdict_that_is_none_does_not_stop_the_walk(
    attacker: Attacker, payload: str
) -> None:
    row = await attacker.finds('SELECT leaf FROM ledger_entries WHERE "index" = 4')
    leaf = json.loads(str(row.leaf)) | {"payload": commitment(b"", payload.encode())}
    await attacker.does(
        'UPDATE ledger_payloads SET payload = :payload, salt = :salt WHERE "index" = 4',
        payload=payload,
        salt=b"",
    )
    await attacker.rewrites(4, canonical_bytes(leaf).decode())
    assert "4: Entry 4 is not a verdict" in said(await audited(attacker.place))


async def test_values_of_another_type_do_not_stop_the_walk(
    attacker: Attacker, original: Original
) -> None:
    if original.url.startswith("postgresql"):
        return  # a server keeps the types of its columns
    await attacker.does(
        "UPDATE ledger_entries SET leaf_hash = 'text' WHERE \"index\" = 1",
        "UPDATE ledger_entries SET leaf = x'ff00' WHERE \"index\" = 2",
        'UPDATE ledger_payloads SET payload = 7 WHERE "index" = 3',
    )
    report = said(await audited(attacker.place))
    assert "1: Entry 1 was changed" in report
    assert "2: Entry 2 was changed" in report
    assert "3: The payload of entry 3 was changed" in report


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_entries SET leaf = 'x'",
        "DELETE FROM ledger_entries",
        'DELETE FROM ledger_entries WHERE "index" = 6',
    ],
)
async def test_without_dropping_the_guard_no_entry_changes(
    copy: Installation, statement: str
) -> None:
    async with copy.database() as database:
        with pytest.raises(Exception, match=r"Another writer|append-only"):
            async with database.write() as tx:
                await tx.execute(sa.text(statement))
    report = await audited(copy)
    assert report.holds, said(report)


async def test_a_server_does_not_even_truncate_it(copy: Installation) -> None:
    async with copy.database() as database:
        if database.dialect == "sqlite":
            return  # SQLite knows no other way to empty a table than DELETE
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            async with database.write() as tx:
                await tx.execute(sa.text("TRUNCATE ledger_entries CASCADE"))
