"""A claim in each of its states, as a client that validates by the published schema sees it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from mcp import Client

from tests.callers import always
from tests.unit.faces.toys import ALICE, FakeApp
from tmws.app import App
from tmws.config import Settings
from tmws.domain.agents import Agent
from tmws.domain.claims import (
    Check,
    Judgement,
    Level,
    MetricCheck,
    MypyCheck,
    PytestCheck,
    PythonCheck,
    Reason,
    RuffCheck,
    Verdict,
)
from tmws.domain.notation import parse
from tmws.domain.trust.score import Standing
from tmws.domain.trust.state import Tally
from tmws.domain.verifications import Claim, ClaimDraft, ClaimState, Run
from tmws.faces.mcp.server import McpServer
from tmws.services.scoring import TrustChange
from tmws.services.verification import VerificationReport

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 1, 2, tzinfo=UTC)

OPEN = Claim(
    id="claim_1",
    agent_id=ALICE.id,
    agent=ALICE.name,
    namespace="default",
    statement="The parser's tests pass.",
    workspace="project",
    check=PytestCheck(("tests",), passed=3),
    applied=(),
    confidence=None,
    effort_minutes=None,
    state=ClaimState.OPEN,
    attempt=1,
    lease_until=NOW,
    created_at=NOW,
    snapshot_digest="ab" * 32,
)
JUDGEMENT = Judgement(
    verdict=Verdict.REFUTED,
    reason=Reason.CHECK_FAILED,
    level=Level.REPRODUCED,
    detail="1 of 3 tests failed.",
    counts={"passed": 2, "failed": 1},
    items=("tests/test_parser.py::test_empty",),
)
CLOSED = replace(
    OPEN,
    state=ClaimState.CLOSED,
    judgement=JUDGEMENT,
    run=Run("exited", 1, 0.51234567, 0.4, 1, "sha256:cd"),
    evidence_digest="ef" * 32,
    ledger_index=7,
    closed_at=NOW,
)


@dataclass
class Verification:
    report: VerificationReport
    draft: ClaimDraft | None = None
    waited: float | None = None

    def read_command(self, _caller: Agent, text: str) -> Check:
        return parse(text)

    async def get(
        self, _caller: Agent, _claim_id: str, *, wait_seconds: float
    ) -> VerificationReport:
        self.waited = wait_seconds
        return self.report

    async def verify(
        self,
        _caller: Agent,
        draft: ClaimDraft,
        *,
        progress: object,  # noqa: ARG002
        wait_seconds: float,
    ) -> VerificationReport:
        self.draft, self.waited = draft, wait_seconds
        return self.report


@dataclass
class ClaimsApp(FakeApp):
    verification: Verification | None = None
    settings: Settings = field(default_factory=Settings)


async def shown(
    service: Verification, tool: str = "get_verification", **arguments: Any
) -> dict[str, Any]:
    app = cast(App, ClaimsApp(verification=service))
    async with Client(McpServer(app, always(ALICE))) as client:
        await client.list_tools()  # from here on the client validates by the schemas
        result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    answer: dict[str, Any] = result.structured_content
    return answer


async def test_a_withdrawn_verdict_says_so_first_and_decides_nothing() -> None:
    taken_back = VerificationReport(replace(CLOSED, withdrawn=True))
    answer = await shown(Verification(taken_back), claim_id="claim_1")
    assert answer["detail"].startswith("Withdrawn by an administrator: it counts for nothing. 1 of")
    assert (answer["accurate"], answer["verdict"]) == (None, "REFUTED")


async def test_a_verdict_comes_with_all_it_rests_on() -> None:
    moved = TrustChange(
        Standing(2 / 3, 0.2, 0.9, 0.2, Tally(1)), Standing(0.5, 0.1, 0.9, 0.1, Tally(1, 1))
    )
    answer = await shown(Verification(VerificationReport(CLOSED, moved)), claim_id="claim_1")
    assert answer["accurate"] is False
    assert answer["verdict"] == "REFUTED"
    assert answer["counts"] == {"passed": 2, "failed": 1}
    assert answer["items"] == ["tests/test_parser.py::test_empty"]
    assert answer["wall_seconds"] == 0.5123
    assert answer["ledger_index"] == 7
    assert answer["trust"] == {"before": 0.6667, "after": 0.5}
    assert answer["closed_at"] == "2026-01-02T00:00:00Z"


async def test_what_was_not_decided_is_null_and_not_false() -> None:
    unclear = replace(JUDGEMENT, verdict=Verdict.INCONCLUSIVE, reason=Reason.TIMED_OUT)
    report = VerificationReport(replace(CLOSED, judgement=unclear))
    answer = await shown(Verification(report), claim_id="claim_1")
    assert answer["accurate"] is None
    assert answer["verdict"] == "INCONCLUSIVE"
    assert "trust" not in answer


@pytest.mark.parametrize(
    ("report", "detail"),
    [
        (VerificationReport(OPEN), "The check is running."),
        (VerificationReport(OPEN, stalled=True), "Nobody is at work on this check any more."),
        (
            VerificationReport(replace(OPEN, state=ClaimState.ABANDONED)),
            "The check was given up without a verdict",
        ),
    ],
)
async def test_a_claim_without_a_verdict_says_what_to_do(
    report: VerificationReport, detail: str
) -> None:
    answer = await shown(Verification(report), claim_id="claim_1")
    assert answer["detail"].startswith(detail)
    assert answer["accurate"] is None
    assert "verdict" not in answer


@pytest.mark.parametrize(
    ("sent", "check"),
    [
        ({"profile": "pytest"}, PytestCheck()),
        (
            {
                "profile": "pytest",
                "targets": ["tests", "a.py::test_b"],
                "keyword": "not slow",
                "passed": 3,
                "allow_skipped": 1,
            },
            PytestCheck(("tests", "a.py::test_b"), "not slow", 3, 1),
        ),
        ({"profile": "ruff", "targets": ["src"]}, RuffCheck(("src",))),
        ({"profile": "mypy", "strict": True}, MypyCheck((), strict=True)),
        ({"profile": "python", "script": "run.py", "exit_code": 2}, PythonCheck("run.py", 2)),
        (
            {
                "profile": "metric",
                "script": "train.py",
                "file": "m.json",
                "pointer": "/a",
                "operator": ">=",
                "value": 0.9,
                "relative": 0.01,
            },
            MetricCheck("m.json", ">=", 0.9, "train.py", "/a", 0.0, 0.01),
        ),
    ],
)
async def test_each_profile_becomes_its_typed_check(sent: dict[str, Any], check: object) -> None:
    service = Verification(VerificationReport(CLOSED, repeated=True))
    claim = {"statement": "It holds.", "workspace": "project", "check": sent}
    answer = await shown(service, "verify_claim", **claim, patterns=["pattern_1"], confidence=0.9)
    assert answer["repeated"] is True
    assert service.draft == ClaimDraft(
        statement="It holds.",
        workspace="project",
        check=check,  # type: ignore[arg-type]  # one of the four
        applied=("pattern_1",),
        confidence=0.9,
    )


@pytest.mark.parametrize(
    ("tool", "sent", "waited"),
    [
        ("verify_claim", {}, 50.0),
        ("verify_claim", {"wait_seconds": 0}, 0),
        ("get_verification", {}, 0),
        ("get_verification", {"wait_seconds": 30}, 30),
    ],
)
async def test_a_caller_waits_as_long_as_it_says_or_as_is_usual(
    tool: str, sent: dict[str, Any], waited: float
) -> None:
    service = Verification(VerificationReport(OPEN))
    named: dict[str, Any] = {"claim_id": "claim_1"}
    if tool == "verify_claim":
        named = {"statement": "It holds.", "workspace": "project", "check": {"profile": "mypy"}}
    assert (await shown(service, tool, **named, **sent))["state"] == "open"
    assert service.waited == waited


async def test_a_command_line_is_notation_for_the_same_typed_check() -> None:
    service = Verification(VerificationReport(CLOSED))
    claim = {"statement": "It holds.", "workspace": "project"}
    await shown(service, "verify_claim", **claim, command="pytest tests/unit -k 'parser and fast'")
    assert service.draft is not None
    assert service.draft.check == PytestCheck(("tests/unit",), "parser and fast")


@pytest.mark.parametrize(
    ("sent", "way_out"),
    [
        ({}, "Give "),
        ({"check": {"profile": "mypy"}, "command": "mypy"}, "Give "),
        ({"command": "pytest -p evil"}, "Give "),
        ({"check": "pytest tests"}, "check: is an object with fields of its own"),
    ],
)
async def test_neither_or_both_or_a_bad_command_is_refused_with_the_form(
    sent: dict[str, Any], way_out: str
) -> None:
    service = Verification(VerificationReport(CLOSED))
    app = cast(App, ClaimsApp(verification=service))
    async with Client(McpServer(app, always(ALICE))) as client:
        claim = {"statement": "It holds.", "workspace": "project", **sent}
        result = await client.call_tool("verify_claim", claim)
    assert result.is_error
    assert way_out in result.content[0].text  # type: ignore[union-attr]  # errors are text
    assert service.draft is None


async def test_a_flaky_verdict_says_so() -> None:
    flaky = replace(CLOSED, judgement=replace(JUDGEMENT, flaky=True))
    answer = await shown(Verification(VerificationReport(flaky)), claim_id="claim_1")
    assert answer["flaky"] is True


async def test_the_largest_verdict_still_fits_its_shape() -> None:
    wide = replace(JUDGEMENT, items=tuple("x" * 900 for _ in range(50)), detail="y" * 9000)
    report = VerificationReport(replace(CLOSED, judgement=wide))
    answer = await shown(Verification(report), claim_id="claim_1")
    assert answer["truncated"].startswith("Long texts were cut")
    assert len(answer["items"]) == 50
    assert answer["verdict"] == "REFUTED"
