"""What somebody who holds the database can do to the ledger, and what the audit says to it."""

from __future__ import annotations

import base64
import json
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.integration.services import (
    Installation,
    agent,
    ended,
    verified,
)
from tests.postgres import PostgresServer
from tmws.app import App
from tmws.domain.canonical import canonical_bytes, sha256_hex
from tmws.domain.errors import InvalidInput, LedgerCorrupt, NotFound
from tmws.domain.ledger import Tree, commitment, leaf_hash
from tmws.domain.trust.entries import entry_of, standing_of
from tmws.domain.trust.reference import Replay
from tmws.services.audit import AuditReport
from tmws.storage import evidence, trust
from tmws.storage.database import Database
from tmws.testing.clock import START

SIZE = 7  # a workspace, two agents, four verdicts
VERDICTS = (3, 4, 5, 6)


@dataclass(frozen=True, slots=True)
class Original:
    """An installation with a history, closed: every test works on a copy."""

    url: str
    folder: Path
    claims: tuple[str, ...]


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("original")
    if request.param == "sqlite":
        yield Installation(f"sqlite:///{folder / 'data' / 'tmws.db'}", folder / "data")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name = f"test_{secrets.token_hex(8)}"
    yield Installation(server.create_database(name), folder / "data")
    server.drop_database(name)


@pytest.fixture(scope="module")
async def original(place: Installation) -> Original:
    async with place.open() as app:
        return await with_history(place, app)


async def with_history(place: Installation, app: App) -> Original:
    await app.workspaces.add("shop", place.workspace(), by="test")
    alice, bob = await agent(app, "alice"), await agent(app, "bob")
    place.sandbox.will(ended(0), ended(1), ended(0), ended(0))
    made = [
        await verified(app, alice),
        await verified(app, bob),
        await verified(app, alice, exit_code=1),
        await verified(app, alice, exit_code=2),
    ]
    return Original(place.url, place.folder, tuple(report.claim.id for report in made))


@pytest.fixture
def copy(
    original: Original, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[Installation]:
    shutil.copytree(original.folder, tmp_path / "data")
    if original.url.startswith("sqlite"):
        yield Installation(f"sqlite:///{tmp_path / 'data' / 'tmws.db'}", tmp_path / "data")
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    name, source = f"test_{secrets.token_hex(8)}", sa.make_url(original.url).database
    server.run_sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" OWNER tmws')
    yield Installation(server.url(name), tmp_path / "data")
    server.drop_database(name)


@pytest.fixture
async def attacker(copy: Installation) -> AsyncIterator[Attacker]:
    async with copy.database() as database:
        yield Attacker(database, copy)


class Attacker:
    """Holds the database with every right its owner has, but not the signing key."""

    def __init__(self, database: Database, place: Installation) -> None:
        self._database = database
        self.place = place

    async def does(self, *statements: str, **values: object) -> None:
        """Run these in one transaction, with the guards of the tables taken away first."""
        async with self._database.write() as tx:
            await self._drop_guards(tx)
            for statement in statements:
                given = {name: value for name, value in values.items() if f":{name}" in statement}
                await tx.execute(sa.text(statement), given)

    async def finds(self, query: str, **values: object) -> sa.Row[tuple[object, ...]]:
        async with self._database.read() as connection:
            return (await connection.execute(sa.text(query), values)).one()

    async def rebuilds_the_head(self) -> None:
        """Make the head agree with the entries that are there now."""
        async with self._database.read() as connection:
            rows = await connection.execute(
                sa.text('SELECT leaf_hash FROM ledger_entries ORDER BY "index"')
            )
            tree = Tree()
            for row in rows:
                tree = tree.appended(bytes(row.leaf_hash))
        peaks = json.dumps([peak.hex() for peak in tree.peaks])
        await self.does(
            "UPDATE ledger_head SET size = :size, peaks = :peaks", size=tree.size, peaks=peaks
        )

    async def replays(self) -> Replay:
        """Compute trust from the payloads that are there now, as the product does."""
        replay = Replay()
        async with self._database.read() as connection:
            rows = await connection.execute(
                sa.text(
                    "SELECT e.leaf, p.payload FROM ledger_entries e "
                    'JOIN ledger_payloads p ON p."index" = e."index" ORDER BY e."index"'
                )
            )
            for row in rows:
                leaf = json.loads(row.leaf)
                at = datetime.fromisoformat(leaf["at"])
                entry = entry_of(leaf["type"], json.loads(row.payload), at)
                if entry is not None:
                    replay.add(entry)
        return replay

    async def makes_trust_agree(self) -> None:
        """Write what trust would be after the entries that are there now."""
        replay = await self.replays()
        history = replay.history
        steps = {step.evidence.id: step for path in history.paths.values() for step in path}
        state = trust.State(history.model, replay.reference, replay.decided)
        async with self._database.write() as tx:
            await self._drop_guards(tx)
            rows = await tx.execute(sa.text("SELECT id, ledger_index FROM claims"))
            places = {row.id: row.ledger_index for row in rows}
            await trust.replace(tx, state)
            await evidence.replace(
                tx,
                [
                    evidence.Entry(told, told.agent, places[told.id], steps.get(told.id))
                    for told in history.evidence
                ],
            )

    async def rewrites(self, index: int, leaf: str) -> None:
        """Replace an entry and make hash and head agree with it."""
        await self.does(
            'UPDATE ledger_entries SET leaf = :leaf, leaf_hash = :hash WHERE "index" = :index',
            leaf=leaf,
            hash=leaf_hash(leaf.encode()),
            index=index,
        )
        await self.rebuilds_the_head()

    async def _drop_guards(self, tx: AsyncConnection) -> None:
        if self._database.dialect == "sqlite":
            await tx.execute(sa.text("PRAGMA defer_foreign_keys = ON"))
            for verb in ("update", "delete"):
                await tx.execute(sa.text(f"DROP TRIGGER IF EXISTS ledger_entries_no_{verb}"))
            return
        await tx.execute(
            sa.text("DROP TRIGGER IF EXISTS ledger_entries_append_only ON ledger_entries")
        )
        await tx.execute(
            sa.text(
                "ALTER TABLE ledger_payloads DROP CONSTRAINT IF EXISTS "
                "fk_ledger_payloads_index_ledger_entries"
            )
        )


async def audited(place: Installation) -> AuditReport:
    async with place.open() as app:
        return await app.audit.verify()


def said(report: AuditReport) -> str:
    return "\n".join(f"{problem.index}: {problem.what}" for problem in report.problems)


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


async def test_a_verdict_forged_with_everything_but_the_key_is_found(
    attacker: Attacker, original: Original
) -> None:
    """The best forgery: claim, evidence, memory, trust, entry and head, all in agreement."""
    source = original.claims[0]
    row = await attacker.finds(
        "SELECT c.agent_id, c.evidence_digest, a.content, e.leaf, p.payload FROM claims c "
        "JOIN artifacts a ON a.digest = c.evidence_digest "
        'JOIN ledger_entries e ON e."index" = c.ledger_index '
        'JOIN ledger_payloads p ON p."index" = c.ledger_index WHERE c.id = :id',
        id=source,
    )
    claim, payload = "claim_" + "f" * 26, json.loads(str(row.payload))
    envelope = json.loads(bytes(row.content))
    statement = envelope["payload"]
    content = canonical_bytes(envelope | {"payload": forged_statement(statement, claim)})
    payload |= {"claim": claim, "evidence_sha256": sha256_hex(content)}
    replay = await attacker.replays()
    before = standing_of(replay.history.model, str(row.agent_id))
    replay.add(entry_of("verdict", payload, START) or pytest.fail("no verdict"))
    after = standing_of(replay.history.model, str(row.agent_id))
    text = canonical_bytes(payload | {"trust": {"before": before, "after": after}})
    leaf = canonical_bytes(
        json.loads(str(row.leaf)) | {"index": SIZE, "payload": commitment(bytes(32), text)}
    )
    await attacker.does(
        "INSERT INTO artifacts (digest, media_type, content, created_at) "
        "VALUES (:digest, 'x', :content, 0)",
        'INSERT INTO ledger_entries ("index", leaf, leaf_hash) VALUES (:at, :leaf, :hash)',
        'INSERT INTO ledger_payloads ("index", salt, payload) VALUES (:at, :salt, :payload)',
        'INSERT INTO claims (id, agent_id, namespace, statement, workspace, "check", applied, '
        "state, attempt, created_at, snapshot_digest, judgement, verdict, run, evidence_digest, "
        "ledger_index) SELECT :claim, agent_id, namespace, statement, workspace, "
        '"check", applied, state, attempt, created_at, snapshot_digest, judgement, verdict, run, '
        ":digest, :at FROM claims WHERE id = :source",
        digest=sha256_hex(content),
        content=content,
        at=SIZE,
        leaf=leaf.decode(),
        hash=leaf_hash(leaf),
        salt=bytes(32),
        payload=text.decode(),
        claim=claim,
        source=source,
    )
    await attacker.makes_trust_agree()
    await attacker.rebuilds_the_head()
    report = await audited(attacker.place)
    assert said(report) == (
        f"7: The evidence of claim {claim} is not signed by this installation's key."
    )


def forged_statement(payload: str, claim: str) -> str:
    statement = json.loads(base64.b64decode(payload))
    statement["predicate"]["tmws"]["claim"]["id"] = claim
    return base64.b64encode(canonical_bytes(statement)).decode()


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE claims SET verdict = 'SUPPORTED' WHERE id = :refuted", "4: Claim"),
        (
            "UPDATE claims SET judgement = replace(judgement, 'REFUTED', 'SUPPORTED') "
            "WHERE id = :refuted",
            "4: Claim {refuted} differs from its signed evidence",
        ),
        ("UPDATE claims SET judgement = 'x' WHERE id = :refuted", "4: Claim {refuted} differs"),
        ("UPDATE claims SET statement = 'All is well.' WHERE id = :refuted", "4: Claim"),
        ("UPDATE claims SET snapshot_digest = 'x' WHERE id = :refuted", "4: Claim"),
        ("UPDATE claims SET ledger_index = 3 WHERE id = :refuted", "4: Claim"),
        ("UPDATE claims SET verdict = 'MAYBE' WHERE id = :refuted", "4: Claim"),
        (
            "UPDATE claims SET agent_id = (SELECT id FROM agents WHERE name = 'alice') "
            "WHERE id = :refuted",
            "4: Claim",
        ),
        (
            "UPDATE claims SET evidence_digest = (SELECT evidence_digest FROM claims "
            "WHERE id = :held) WHERE id = :refuted",
            "4: Claim {refuted} differs from its signed evidence",
        ),
        ("UPDATE claims SET state = 'abandoned' WHERE id = :refuted", "4: Claim {refuted} is in"),
        (
            "UPDATE trust_state SET value = replace(value, '0', '1') WHERE kind = 'skill'",
            "None: The trust score of agent_",
        ),
        ("DELETE FROM trust_state WHERE kind = 'record'", "None: The trust score of agent_"),
        (
            "UPDATE trust_state SET value = replace(value, '0', '1') WHERE kind = 'claim'",
            "None: What trust knows of 'claim'",
        ),
        ("DELETE FROM trust_state WHERE kind = 'mix'", "None: What trust knows of 'mix'"),
        (
            "INSERT INTO trust_state (kind, agent, topic, value) "
            "VALUES ('skill', 'agent_0', '', '[9.0,0.1]')",
            "None: The trust score of agent_0",
        ),
        (
            "UPDATE evidence SET verdict = 'SUPPORTED' WHERE id = :refuted",
            "4: What trust learned of claim {refuted}",
        ),
        ("UPDATE evidence SET weight = 1", "4: What trust learned of claim {refuted}"),
        ("UPDATE evidence SET step = NULL", "4: What trust learned of claim {refuted}"),
        (
            "UPDATE evidence SET withdrawn = '[]' WHERE id = :refuted",
            "4: What trust learned of claim {refuted}",
        ),
        ("DELETE FROM evidence WHERE id = :refuted", "4: What trust learned of claim {refuted}"),
        ("UPDATE artifacts SET content = :content", "4: The evidence of claim {refuted} was"),
    ],
    ids=lambda value: value.split(" WHERE id")[0][:90] if value[:2] in {"UP", "DE"} else "",
)
async def test_a_change_beside_the_ledger_is_found(
    attacker: Attacker, original: Original, statement: str, what: str
) -> None:
    held, refuted = original.claims[:2]
    await attacker.does(statement, held=held, refuted=refuted, content=b"{}")
    assert what.format(refuted=refuted) in said(await audited(attacker.place))


async def test_evidence_that_is_not_evidence_is_found(
    attacker: Attacker, original: Original
) -> None:
    contents = [b"{}", b"[]", b"\xff", b'{"payloadType":"x"}']
    for claim, content in zip(original.claims, contents, strict=True):
        await attacker.does(
            "INSERT INTO artifacts (digest, media_type, content, created_at) "
            "VALUES (:digest, 'x', :content, 0)",
            "UPDATE claims SET evidence_digest = :digest WHERE id = :claim",
            digest=sha256_hex(content),
            content=content,
            claim=claim,
        )
    report = said(await audited(attacker.place))
    for claim in original.claims:
        assert f"The evidence of claim {claim} is not a signed statement" in report


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


class TestTheCheckpoint:
    def of(self, place: Installation) -> Path:
        return place.folder / "ledger" / "checkpoint"

    async def test_that_is_gone_is_missed(self, copy: Installation) -> None:
        self.of(copy).unlink()
        assert "No checkpoint is kept outside" in said(await audited(copy))

    async def test_of_another_log_is_no_promise_for_this_one(
        self, copy: Installation, tmp_path: Path
    ) -> None:
        other = Installation(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "other")
        shutil.copytree(copy.folder / "keys", other.folder / "keys")
        async with other.open() as app:
            for number in range(SIZE):
                await agent(app, f"agent{number}")
        shutil.copy(self.of(other), self.of(copy))
        assert "The checkpoint belongs to log tmws/" in said(await audited(copy))

    async def test_of_another_key_is_not_believed(self, copy: Installation) -> None:
        (copy.folder / "keys" / "ed25519").unlink()
        report = said(await audited(copy))
        assert "The checkpoint is not signed by this installation's key" in report
        assert report.count("is not signed by this installation's key") == 1 + len(VERDICTS)

    @pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff\xfe"])
    async def test_that_is_none_is_said_to_be_none(
        self, copy: Installation, content: bytes
    ) -> None:
        self.of(copy).write_bytes(content)
        assert "The checkpoint is not" in said(await audited(copy))

    async def test_that_promises_more_by_hand_is_not_believed(self, copy: Installation) -> None:
        text = self.of(copy).read_text("utf-8")
        self.of(copy).write_text(text.replace(f"\n{SIZE}\n", "\n9\n"), "utf-8")
        assert "not signed by this installation's key" in said(await audited(copy))
        async with copy.open() as app:
            await app.tools.disable("recall", reason="x", by="test")


async def test_an_old_copy_of_the_whole_database_is_found_and_never_written_on(
    original: Original, copy: Installation, request: pytest.FixtureRequest
) -> None:
    """The copy goes on; then its database alone is put back to what it was."""
    async with copy.open() as app:
        await agent(app, "carol")
    if original.url.startswith("sqlite"):
        put_back(original.folder / "tmws.db", copy.folder / "tmws.db")
        restored = copy
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        name = sa.make_url(copy.url).database or ""
        server.drop_database(name)
        source = sa.make_url(original.url).database
        server.run_sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" OWNER tmws')
        restored = Installation(copy.url, copy.folder)
    assert "7: The checkpoint promises 8 entries, there are 7" in said(await audited(restored))
    async with restored.open() as app:
        for number in range(3):
            with pytest.raises(LedgerCorrupt, match="restored from an old copy"):
                await agent(app, f"later{number}")
        assert "The checkpoint promises 8 entries" in said(await app.audit.verify())


def put_back(old: Path, new: Path) -> None:
    for end in ("", "-wal", "-shm"):
        new.with_name(new.name + end).unlink(missing_ok=True)
    shutil.copy(old, new)


class TestALawfulErasure:
    async def test_of_any_payload_leaves_every_proof_valid(self, attacker: Attacker) -> None:
        for index in (1, 3, 6):
            await attacker.does(f'DELETE FROM ledger_payloads WHERE "index" = {index}')
        report = await audited(attacker.place)
        assert report.holds, said(report)
        assert report.erased == 3
        async with attacker.place.open() as app:
            assert (await app.proofs.inclusion(3)).holds()

    async def test_with_the_claim_and_its_traces_leaves_every_proof_valid(
        self, attacker: Attacker, original: Original
    ) -> None:
        await attacker.does(
            "DELETE FROM memories WHERE claim_id = :claim",
            "DELETE FROM claims WHERE id = :claim",
            'DELETE FROM ledger_payloads WHERE "index" = 3',
            claim=original.claims[0],
        )
        report = await audited(attacker.place)
        assert report.holds, said(report)

    async def test_covers_no_other_change(self, attacker: Attacker, original: Original) -> None:
        await attacker.does(
            'DELETE FROM ledger_payloads WHERE "index" = 4',
            "UPDATE claims SET verdict = 'SUPPORTED', "
            "judgement = replace(judgement, 'REFUTED', 'SUPPORTED') WHERE id = :claim",
            "UPDATE evidence SET verdict = 'SUPPORTED' WHERE id = :claim",
            claim=original.claims[1],
        )
        assert "4: Claim" in said(await audited(attacker.place))


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


async def test_every_entry_is_proven_to_whoever_holds_the_root(copy: Installation) -> None:
    async with copy.open() as app:
        report = await app.audit.verify()
        for index in range(SIZE):
            proof = await app.proofs.inclusion(index)
            assert proof.holds()
            assert (proof.root, proof.size) == (report.root, SIZE)
        for index in (-1, SIZE):
            with pytest.raises(NotFound, match=f"no entry {index}; it ends at 6"):
                await app.proofs.inclusion(index)


async def test_every_earlier_size_is_proven_to_be_a_beginning(copy: Installation) -> None:
    async with copy.open() as app:
        report = await app.audit.verify()
        roots = set()
        for size in range(1, SIZE + 1):
            proof = await app.proofs.consistency(size)
            assert proof.holds()
            assert (proof.root, proof.size) == (report.root, SIZE)
            roots.add(proof.old_root)
        assert len(roots) == SIZE
        for size in (0, SIZE + 1):
            with pytest.raises(InvalidInput, match="1 to 7"):
                await app.proofs.consistency(size)


async def test_where_the_newest_fit_cannot_be_read_none_is_made_by_itself(
    attacker: Attacker,
) -> None:
    async with attacker.place.open() as app:
        await app.corrections.refit(by="ann")
        spoil = """UPDATE ledger_entries SET leaf = replace(leaf, '"at":"', '"at":"x')"""
        await attacker.does(f'{spoil} WHERE "index" = :place', place=SIZE)
        with pytest.raises(LedgerCorrupt, match="newest fit cannot be read"):
            await app.corrections.refit_if_due()
