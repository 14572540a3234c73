"""What the ledger records, in shapes that never change unseen."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.claims_made import SUPPORTED, open_claim
from tmws.domain import events
from tmws.domain.agents import Agent, Role
from tmws.domain.canonical import canonical_bytes
from tmws.domain.claims import Verdict
from tmws.domain.quotas import Allowed
from tmws.domain.trust.entries import Kind, entry_of, standing_of
from tmws.domain.trust.evidence import Correction, Evidence, Link, Refit, Restoration, Task, Unlink
from tmws.domain.trust.model import VERSION
from tmws.domain.trust.state import Model
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home",), START)


LEARNED = Evidence(
    "claim_1",
    "agent_1",
    START,
    Verdict.SUPPORTED,
    Task("ef" * 32, "python", 5.0, "agent_1"),
    weight=0.75,
    stated_confidence=0.9,
)


def recorded() -> events.Event:
    model = Model()
    before = standing_of(model, "agent_1")
    model.record(LEARNED)
    return events.verdict_recorded(
        open_claim(),
        SUPPORTED,
        evidence_digest="cd" * 32,
        evidence=LEARNED,
        before=before,
        after=standing_of(model, "agent_1"),
        at=START,
    )


def test_a_verdict_carries_evidence_and_trust_change_in_one_event() -> None:
    event = recorded()
    trust = event.payload["trust"]
    assert isinstance(trust, dict)
    moved = trust["after"].pop("skill")
    assert (event.type, event.at) == ("verdict", START)
    assert event.payload == {
        "claim": "claim_1",
        "agent": "agent_1",
        "verdict": "SUPPORTED",
        "reason": "check_passed",
        "level": "reproduced",
        "snapshot_sha256": "ab" * 32,
        "evidence_sha256": "cd" * 32,
        "weighed": {
            "task": "ef" * 32,
            "type": "python",
            "effort_minutes": 5.0,
            "author": "agent_1",
            "relied_on": False,
            "weight": 0.75,
            "confidence": 0.9,
            "severity": 1.0,
        },
        "trust": {
            "model": VERSION,
            "before": {
                "supported": 0,
                "refuted": 0,
                "inconclusive": 0,
                "ignored": 0,
                "skill": [0.0, 1.6**2],
            },
            "after": {"supported": 1, "refuted": 0, "inconclusive": 0, "ignored": 0},
        },
    }
    assert moved[0] > 0


def test_what_the_model_learned_is_read_back_from_the_ledger_to_the_last_bit() -> None:
    event = recorded()
    stored = json.loads(canonical_bytes(event.payload))
    assert entry_of(event.type, stored, START) == LEARNED


def test_a_verdict_of_the_first_version_is_one_of_no_known_kind() -> None:
    payload = {"claim": "c", "agent": "a", "verdict": "REFUTED", "level": "observed"}
    assert entry_of(Kind.VERDICT, payload, START) == Evidence(
        "c", "a", START, Verdict.REFUTED, weight=0.25
    )


def test_every_act_on_trust_is_an_entry_of_the_models_log() -> None:
    made = [
        (
            events.evidence_withdrawn("c", reason="r", by="ann", at=START),
            Correction("c", "r", "ann", START),
        ),
        (
            events.identities_linked("a", "b", reason="r", by="ann", at=START),
            Link("a", "b", "r", "ann", START),
        ),
        (
            events.evidence_restored("c", reason="r", by="ann", at=START),
            Restoration("c", "r", "ann", START),
        ),
        (
            events.identities_unlinked("a", reason="r", by="ann", at=START),
            Unlink("a", "r", "ann", START),
        ),
        (
            events.trust_refitted(VERSION, state_sha256="ab" * 32, by="ann", at=START),
            Refit(VERSION, START),
        ),
        (events.secret_rotated(ALICE, secret_sha256="ab" * 32, by="ann", at=START), None),
    ]
    for event, entry in made:
        assert entry_of(event.type, event.payload, event.at) == entry


def test_every_administrative_act_says_who_did_what() -> None:
    made = [
        events.tool_disabled("recall", reason="maintenance", by="ann", at=START),
        events.tool_enabled("recall", reason="done", by="ann", at=START),
        events.agent_created(ALICE, secret_sha256=None, by="ann", at=START),
        events.secret_rotated(ALICE, secret_sha256="ab" * 32, by="ann", at=START),
        events.agent_disabled(ALICE, reason="r", given_up=["c"], by="ann", at=START),
        events.agent_enabled(ALICE, reason="r", by="ann", at=START),
        events.quota_set(ALICE, Allowed(mib=4), reason="r", by="ann", at=START),
        events.workspace_registered("shop", "/srv/shop", by="ann", at=START),
        events.workspace_removed("shop", reason="r", given_up=["c"], by="ann", at=START),
        events.least_level_set("lab", "pinned", by="ann", at=START),
        events.trusted_ref_registered("main", "shop", "here", "ab" * 32, by="ann", at=START),
        events.trusted_ref_removed("main", "shop", by="ann", at=START),
        events.held_check_registered("sums", "shop", "ab" * 32, by="ann", at=START),
        events.held_check_removed("sums", "shop", by="ann", at=START),
        events.memory_forgotten("memory_1", by="ann", at=START),
    ]
    assert [event.type for event in made] == [
        "tool_disabled",
        "tool_enabled",
        "agent_created",
        "secret_rotated",
        "agent_disabled",
        "agent_enabled",
        "quota_set",
        "workspace_registered",
        "workspace_removed",
        "least_level_set",
        "trusted_ref_registered",
        "trusted_ref_removed",
        "held_check_registered",
        "held_check_removed",
        "memory_forgotten",
    ]
    assert all(event.payload["by"] == "ann" and event.at == START for event in made)


def test_a_leaf_names_nobody_and_only_commits_to_its_payload() -> None:
    event = events.agent_created(ALICE, secret_sha256=None, by="ann", at=START)
    leaf = events.leaf(7, event, "ef" * 32)
    assert json.loads(leaf) == {
        "v": 1,
        "index": 7,
        "type": "agent_created",
        "at": "2026-03-01T12:00:00+00:00",
        "payload": "ef" * 32,
    }
    assert leaf == canonical_bytes(json.loads(leaf))
    assert b"alice" not in leaf
    assert b"ann" not in leaf


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_the_same_event_at_another_place_is_another_leaf(one: int, other: int) -> None:
    event = events.agent_created(ALICE, secret_sha256=None, by="ann", at=START)
    assert (events.leaf(one, event, "x") == events.leaf(other, event, "x")) is (one == other)
