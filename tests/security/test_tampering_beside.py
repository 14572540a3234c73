"""What is changed beside the ledger is found: claims, evidence and trust."""

from __future__ import annotations

import base64
import json

import pytest

from tests.integration.services import agent, learned
from tests.security.tampering import SIZE, Attacker, Original, audited, said
from tmws.domain.canonical import canonical_bytes, sha256_hex
from tmws.domain.errors import LedgerCorrupt
from tmws.domain.ledger import commitment, leaf_hash
from tmws.domain.trust.entries import entry_of, standing_of
from tmws.domain.usage import UseOutcome
from tmws.services.outcomes import OutcomeReport
from tmws.testing.clock import START


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
        "INSERT INTO memories (id, namespace, owner_id, kind, text, tags, level, claim_id, "
        "created_at) SELECT :memory, namespace, owner_id, kind, text, tags, level, :claim, "
        "created_at FROM memories WHERE claim_id = :source",
        memory="memory_" + "f" * 26,
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


def named(value: object) -> str:
    """Return what pytest calls a statement; the other columns add nothing."""
    verbs = ("UPDATE", "DELETE", "INSERT")
    return value[:110] if isinstance(value, str) and value.startswith(verbs) else ""


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
        ("UPDATE memories SET text = 'It held.'", "4: What is remembered of claim {refuted}"),
        ("UPDATE memories SET level = 'private'", "4: What is remembered of claim {refuted}"),
        (
            "UPDATE memories SET tags = replace(tags, 'refuted', 'supported') "
            "WHERE claim_id = :refuted",
            "4: What is remembered of claim {refuted}",
        ),
        (
            "UPDATE memories SET owner_id = (SELECT id FROM agents WHERE name = 'alice')",
            "4: What is remembered of claim {refuted}",
        ),
        ("UPDATE memories SET kind = 'note'", "4: What is remembered of claim {refuted}"),
        (
            "UPDATE memories SET claim_id = NULL WHERE claim_id = :refuted",
            "None: A memory passes for evidence of memory_",
        ),
        (
            "DELETE FROM memories WHERE claim_id = :refuted",
            "4: What is remembered of claim {refuted}",
        ),
        (
            "INSERT INTO memories (id, namespace, owner_id, kind, text, tags, level, claim_id, "
            "created_at) SELECT 'memory_0', namespace, owner_id, kind, 'SUPPORTED', tags, level, "
            "claim_id, created_at FROM memories WHERE claim_id = :refuted",
            "4: What is remembered of claim {refuted}",
        ),
    ],
    ids=named,
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


async def test_where_the_newest_fit_cannot_be_read_none_is_made_by_itself(
    attacker: Attacker,
) -> None:
    async with attacker.place.open() as app:
        await app.corrections.refit(by="ann")
        spoil = """UPDATE ledger_entries SET leaf = replace(leaf, '"at":"', '"at":"x')"""
        await attacker.does(f'{spoil} WHERE "index" = :place', place=SIZE)
        with pytest.raises(LedgerCorrupt, match="newest fit cannot be read"):
            await app.corrections.refit_if_due()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM links",
        "UPDATE links SET owner_id = :other",
        "INSERT INTO links (agent_id, owner_id) SELECT owner_id, :other FROM links",
    ],
    ids=named,
)
async def test_a_link_that_no_entry_tells_of_or_that_is_missing_is_found(
    attacker: Attacker, statement: str
) -> None:
    async with attacker.place.open() as app:
        other = await agent(app, "carol")
        await app.corrections.link("alice", "bob", reason="same keys", by="ann")
        assert (await app.audit.verify()).holds
    await attacker.does(statement, other=other.id)
    assert "counts for is not what the ledger tells." in said(await audited(attacker.place))


async def test_a_withdrawn_verdict_that_proves_a_use_again_is_found(
    attacker: Attacker, original: Original
) -> None:
    claim_id = original.claims[0]
    async with attacker.place.open() as app:
        alice = await app.agents.local()
        kept = await learned(app, alice)
        await app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS))
        await app.corrections.withdraw(claim_id, reason="the runner was broken", by="ann")
        assert (await app.audit.verify()).holds
    await attacker.does("UPDATE uses SET claim_id = :claim", claim=claim_id)
    report = await audited(attacker.place)
    assert said(report) == f"None: Claim {claim_id} was withdrawn and proves uses all the same."


async def test_a_proof_that_waits_for_a_verdict_that_counts_is_found(
    attacker: Attacker, original: Original
) -> None:
    claim_id = original.claims[0]
    await attacker.does(
        "INSERT INTO withdrawn_proofs (use_id, claim_id) VALUES ('use_0', :claim)", claim=claim_id
    )
    report = await audited(attacker.place)
    assert said(report) == (
        f"None: Uses wait for claim {claim_id} to count again, which nobody withdrew."
    )


@pytest.mark.parametrize("value", ["NULL", "replace(restored, 'ann', 'eve')", "'[]'"])
async def test_who_restored_a_verdict_is_told_as_it_was(
    attacker: Attacker, original: Original, value: str
) -> None:
    claim_id = original.claims[1]
    async with attacker.place.open() as app:
        await app.corrections.withdraw(claim_id, reason="the runner was broken", by="ann")
        await app.corrections.restore(claim_id, reason="it was another", by="ann")
        assert (await app.audit.verify()).holds
    await attacker.does(f"UPDATE evidence SET restored = {value} WHERE restored IS NOT NULL")
    report = await audited(attacker.place)
    assert f"What trust learned of claim {claim_id} is not what happened." in said(report)
