"""Tools to have a claim checked and to read the verdict."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from tmws.domain.claims import (
    Check,
    CoverageCheck,
    HeldCheck,
    Level,
    MetricCheck,
    MypyCheck,
    PytestCheck,
    PythonCheck,
    RuffCheck,
    TimingCheck,
    Verdict,
)
from tmws.domain.errors import InvalidInput
from tmws.domain.grammar import MAX_ARGUMENT_BYTES, MAX_ARGUMENTS, MAX_COUNT
from tmws.domain.metrics import LARGEST, MAX_POINTER_CHARACTERS
from tmws.domain.timing import LONGEST_SECONDS, SHORTEST_SECONDS
from tmws.domain.verifications import (
    LONGEST_EFFORT_MINUTES,
    LONGEST_STATEMENT,
    LONGEST_WAIT_SECONDS,
    MOST_APPLIED,
    ClaimDraft,
    ClaimState,
    check_to_json,
)
from tmws.faces.mcp.fields import Identifier, Namespace
from tmws.faces.mcp.registry import Arguments, Call, Json, Result, tool
from tmws.faces.mcp.views import rounded
from tmws.services.scoring import TrustChange
from tmws.services.verification import VerificationReport

Path = Annotated[str, Field(max_length=500)]  # the grammar refuses an empty one
Targets = Annotated[tuple[Path, ...], Field(max_length=MAX_ARGUMENTS - 1)]


class Pytest(Arguments):
    """The named tests pass."""

    profile: Literal["pytest"]
    targets: Annotated[
        Targets, Field(description="Files, folders, `file.py::test` ids; all if empty.")
    ] = ()
    keyword: Annotated[
        str | None, Field(min_length=1, max_length=128, description="As pytest -k.")
    ] = None
    passed: Annotated[
        int | None, Field(ge=1, le=MAX_COUNT, description="Exactly so many pass.")
    ] = None
    allow_skipped: Annotated[int, Field(ge=0, le=MAX_COUNT)] = 0
    marker: Annotated[str | None, Field(max_length=128, description="As -m.")] = None

    def check(self) -> Check:
        return PytestCheck(self.targets, self.keyword, self.passed, self.allow_skipped, self.marker)


class Ruff(Arguments):
    """`ruff check` finds nothing."""

    profile: Literal["ruff"]
    targets: Targets = ()

    def check(self) -> Check:
        return RuffCheck(self.targets)


class Mypy(Arguments):
    """mypy finds no error."""

    profile: Literal["mypy"]
    targets: Targets = ()
    strict: bool = False

    def check(self) -> Check:
        return MypyCheck(self.targets, self.strict)


class Python(Arguments):
    """A script ends with this exit status."""

    profile: Literal["python"]
    script: Path
    exit_code: Annotated[int, Field(ge=0, le=125)] = 0

    def check(self) -> Check:
        return PythonCheck(self.script, self.exit_code)


class Coverage(Arguments):
    """Passing tests execute so much of `source`."""

    profile: Literal["coverage"]
    source: Path
    percent: Annotated[float, Field(gt=0, le=100)]
    branch: bool = False
    targets: Targets = ()

    def check(self) -> Check:
        return CoverageCheck(self.source, self.percent, self.branch, self.targets)


class Metric(Arguments):
    """The number that a run of the script writes is as claimed."""

    profile: Literal["metric"]
    script: Path | None = None
    file: Annotated[Path, Field(description="JSON that the script writes.")]
    pointer: Annotated[str, Field(max_length=MAX_POINTER_CHARACTERS)] = ""
    operator: Literal["<=", ">=", "=="]
    value: Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
    absolute: Annotated[float, Field(ge=0, le=LARGEST, description="Tolerance.")] = 0.0
    relative: Annotated[float, Field(ge=0, le=1)] = 0.0

    def check(self) -> Check:
        return MetricCheck(
            self.file,
            self.operator,
            self.value,
            self.script,
            self.pointer,
            self.absolute,
            self.relative,
        )


class Held(Arguments):
    """The code answers questions that an administrator keeps."""

    profile: Literal["held"]
    name: Annotated[str, Field(min_length=1, max_length=64)]

    def check(self) -> Check:
        return HeldCheck(self.name)


class Timing(Arguments):
    """Runs of a script take at most so long, timed from outside."""

    profile: Literal["timing"]
    script: Path
    seconds: Annotated[float, Field(ge=SHORTEST_SECONDS, le=LONGEST_SECONDS)]
    quantile: Annotated[float, Field(ge=0.5, le=0.95, description="0.5, 0.9, 0.95")] = 0.5
    clock: Literal["cpu", "wall"] = "cpu"

    def check(self) -> Check:
        return TimingCheck(self.script, self.seconds, self.quantile, self.clock)


class VerifyClaim(Arguments):
    """A claim as its author makes it."""

    statement: Annotated[
        str,
        Field(
            min_length=1,
            max_length=LONGEST_STATEMENT,
            description="The claim in words, for readers; the check decides.",
        ),
    ]
    workspace: Annotated[
        str, Field(min_length=1, max_length=64, description="Name of a registered workspace.")
    ]
    check: Annotated[
        Annotated[
            Pytest | Ruff | Mypy | Python | Coverage | Metric | Timing | Held,
            Field(discriminator="profile"),
        ]
        | None,
        Field(description="Paths are relative to the workspace."),
    ] = None
    command: Annotated[
        str | None,
        Field(
            max_length=MAX_ARGUMENT_BYTES,
            description="In place of check: pytest tests -k core; node --test; npm test",
        ),
    ] = None
    patterns: Annotated[
        tuple[Identifier, ...],
        Field(
            max_length=MOST_APPLIED,
            description="Ids of patterns you applied; the verdict counts as their use.",
        ),
    ] = ()
    confidence: Annotated[float | None, Field(ge=0.5, le=1, description="How sure you are.")] = None
    effort_minutes: Annotated[float | None, Field(gt=0, le=LONGEST_EFFORT_MINUTES)] = None
    level: Annotated[
        Literal["reproduced", "pinned", "independent"] | None,
        Field(description="Least level that the verdict shall reach."),
    ] = None
    namespace: Namespace = None
    wait_seconds: Annotated[
        int | None, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="Then answer with an id.")
    ] = None


class GetVerification(Arguments):
    """Which claim."""

    claim_id: Identifier
    wait_seconds: Annotated[
        int, Field(ge=0, le=LONGEST_WAIT_SECONDS, description="For a verdict.")
    ] = 0


class TrustMoved(BaseModel, frozen=True):
    """The claimant's score before and after this verdict."""

    before: float
    after: float


class Verified(Result):
    """A claim and what its check showed; what a verdict adds is absent before there is one.

    `accurate` is always there, because null is an answer: nothing was decided.
    """

    decisive = frozenset(
        {"claim_id", "state", "accurate", "verdict", "reason", "level", "detail", "trust"}
    )

    claim_id: str
    state: ClaimState
    accurate: bool | None
    detail: str
    agent: str
    statement: str
    workspace: str
    check: Json
    snapshot_digest: str
    repeated: bool
    flaky: bool | None = None
    verdict: Verdict | None = None
    reason: str | None = None
    level: str | None = None
    counts: dict[str, int] | None = None
    items: tuple[str, ...] | None = None
    flags: tuple[str, ...] | None = None
    wall_seconds: float | None = None
    evidence_digest: str | None = None
    ledger_index: int | None = None
    closed_at: datetime | None = None
    trust: TrustMoved | None = None


@tool(
    title="Verify a claim",
    read_only=False,
    destructive=False,
    idempotent=False,
    narrow="Check fewer targets at once.",
)
async def verify_claim(call: Call, claim: VerifyClaim) -> Verified:
    """Have a claim about a workspace checked by really running it, and get the verdict.

    Use it before you say that tests pass, code is clean, or a script works. A copy of the
    workspace is checked without network, under limits of time and memory, by pytest, ruff,
    mypy, coverage or a Python script of the workspace; nothing else runs. SUPPORTED and REFUTED
    move your trust; INCONCLUSIVE (time limit, missing package, ...) does not, and `detail` says
    what to do. The same check of an unchanged workspace returns its earlier verdict. Takes
    seconds to a minute; `state` open: it goes on, ask get_verification.
    """
    draft = ClaimDraft(
        statement=claim.statement,
        workspace=claim.workspace,
        check=_check(call, claim),
        applied=claim.patterns,
        confidence=claim.confidence,
        effort_minutes=claim.effort_minutes,
        namespace=claim.namespace,
        level=Level(claim.level) if claim.level else None,
    )
    given, usual = claim.wait_seconds, call.app.settings.verify_wait_seconds
    return _shown(
        await call.app.verification.verify(
            call.caller,
            draft,
            progress=call.progress,
            wait_seconds=usual if given is None else given,
        )
    )


@tool(
    title="Show a verification",
    read_only=True,
    destructive=False,
    idempotent=True,
    narrow="",
)
async def get_verification(call: Call, wanted: GetVerification) -> Json:
    """Show a claim and its verdict, yours or one of your namespaces', in verify_claim's form.

    Use it when verify_claim answered with `state` open, or to see what another agent's claim
    rests on. It starts nothing.
    """
    report = await call.app.verification.get(
        call.caller, wanted.claim_id, wait_seconds=wanted.wait_seconds
    )
    return _shown(report).told()


def _check(call: Call, claim: VerifyClaim) -> Check:
    if claim.check is not None and claim.command is None:
        return claim.check.check()
    if claim.command is not None and claim.check is None:
        return call.app.verification.read_command(call.caller, claim.command)
    raise InvalidInput("Give either check, with its profile, or command, such as 'pytest tests'.")


def _shown(report: VerificationReport) -> Verified:
    claim, judgement = report.claim, report.claim.judgement
    return Verified(
        claim_id=claim.id,
        state=claim.state,
        agent=claim.agent,
        statement=claim.statement,
        workspace=claim.workspace,
        check=check_to_json(claim.check),
        verdict=judgement.verdict if judgement else None,
        accurate=judgement.verdict.accurate if judgement and not claim.withdrawn else None,
        reason=judgement.reason if judgement else None,
        level=judgement.level if judgement else None,
        detail=claim.detail or _without_verdict(report),
        counts=judgement.counts if judgement else None,
        items=judgement.items if judgement else None,
        flags=judgement.flags if judgement else None,
        wall_seconds=rounded(claim.run.wall_seconds) if claim.run else None,
        snapshot_digest=claim.snapshot_digest,
        evidence_digest=claim.evidence_digest,
        ledger_index=claim.ledger_index,
        closed_at=claim.closed_at,
        trust=_moved(report.trust) if report.trust else None,
        repeated=report.repeated,
        flaky=True if judgement and judgement.flaky else None,
    )


def _without_verdict(report: VerificationReport) -> str:
    if report.claim.state is ClaimState.ABANDONED:
        return "The check was given up without a verdict; nothing was counted. Send it again."
    if report.stalled:
        return "Nobody is at work on this check any more. Send the same claim again."
    return "The check is running. Call get_verification with this claim_id and wait_seconds."


def _moved(change: TrustChange) -> TrustMoved:
    return TrustMoved(before=round(change.before.score, 4), after=round(change.after.score, 4))
