"""What the ledger records, in shapes that never change unseen."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.claims_made import SUPPORTED, open_claim
from tmws.domain import events
from tmws.domain.agents import Agent, Role
from tmws.domain.claims import Verdict
from tmws.domain.trust import NO_RECORD
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home",), START)


def test_a_verdict_carries_evidence_and_trust_change_in_one_event() -> None:
    event = events.verdict_recorded(
        open_claim(),
        SUPPORTED,
        evidence_digest="cd" * 32,
        before=NO_RECORD,
        after=NO_RECORD.after(Verdict.SUPPORTED),
        at=START,
    )
    assert (event.type, event.at) == ("verdict", START)
    assert event.payload == {
        "claim": "claim_1",
        "agent": "agent_1",
        "verdict": "SUPPORTED",
        "reason": "check_passed",
        "level": "reproduced",
        "snapshot_sha256": "ab" * 32,
        "evidence_sha256": "cd" * 32,
        "trust": {
            "before": {"supported": 0, "refuted": 0, "inconclusive": 0},
            "after": {"supported": 1, "refuted": 0, "inconclusive": 0},
        },
    }


def test_every_administrative_act_says_who_did_what() -> None:
    made = [
        events.tool_disabled("recall", reason="maintenance", by="ann", at=START),
        events.tool_enabled("recall", reason="done", by="ann", at=START),
        events.agent_created(ALICE, by="ann", at=START),
        events.secret_rotated(ALICE, by="ann", at=START),
        events.workspace_registered("shop", "/srv/shop", by="ann", at=START),
    ]
    assert [event.type for event in made] == [
        "tool_disabled",
        "tool_enabled",
        "agent_created",
        "secret_rotated",
        "workspace_registered",
    ]
    assert all(event.payload["by"] == "ann" and event.at == START for event in made)


def test_a_leaf_names_nobody_and_only_commits_to_its_payload() -> None:
    event = events.agent_created(ALICE, by="ann", at=START)
    leaf = events.leaf(7, event, "ef" * 32)
    assert json.loads(leaf) == {
        "v": 1,
        "index": 7,
        "type": "agent_created",
        "at": "2026-03-01T12:00:00+00:00",
        "payload": "ef" * 32,
    }
    assert b"alice" not in leaf
    assert b"ann" not in leaf


@given(st.integers(0, 2**50), st.integers(0, 2**50))
def test_the_same_event_at_another_place_is_another_leaf(one: int, other: int) -> None:
    event = events.agent_created(ALICE, by="ann", at=START)
    assert (events.leaf(one, event, "x") == events.leaf(other, event, "x")) is (one == other)
