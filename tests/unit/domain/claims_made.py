"""Claims and judgements for tests of what is done with them."""

from __future__ import annotations

from datetime import timedelta

from tmws.domain.claims import Check, Judgement, Level, PythonCheck, Reason, Verdict
from tmws.domain.verifications import Claim, ClaimState
from tmws.testing.clock import START

SUPPORTED = Judgement(
    Verdict.SUPPORTED, Reason.CHECK_PASSED, Level.REPRODUCED, "It ended with 0.", {"exit_code": 0}
)
REFUTED = Judgement(
    Verdict.REFUTED,
    Reason.CHECK_FAILED,
    Level.OBSERVED,
    "It ended with 1.",
    {"failed": 1},
    ("tests/test_app.py::test_it",),
    ("conftest.py: defines pytest_collection",),
)
INCONCLUSIVE = Judgement(
    Verdict.INCONCLUSIVE, Reason.TIMED_OUT, Level.OBSERVED, "It never ended.", {}
)


def open_claim(check: Check | None = None) -> Claim:
    """Return a claim of alice's under a lease of a minute."""
    return Claim(
        id="claim_1",
        agent_id="agent_1",
        agent="alice",
        namespace="home",
        statement="The script ends well.",
        workspace="shop",
        check=check or PythonCheck("check.py"),
        applied=("pattern_1",),
        confidence=0.9,
        effort_minutes=None,
        state=ClaimState.OPEN,
        attempt=1,
        lease_until=START + timedelta(minutes=1),
        created_at=START,
        snapshot_digest="ab" * 32,
    )
