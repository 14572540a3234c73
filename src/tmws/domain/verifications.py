"""A claim from the moment it is sent until its verdict stands."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any

from tmws.domain.agents import Agent, require_member
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.claims import WITHDRAWN, AddedCheck, Check, Judgement, Level, Reason, Verdict
from tmws.domain.commands import PROFILES
from tmws.domain.errors import InvalidInput
from tmws.domain.wording import require_text

LONGEST_STATEMENT = 500
MOST_APPLIED = 20
LONGEST_EFFORT_MINUTES = 60 * 24 * 30.0
LEASE = timedelta(seconds=10)
"""How long a claim is somebody's without a word from him: a dead server's is free soon."""

LONGEST_WAIT_SECONDS = 300.0
MOST_ATTEMPTS = 3
"""Runs that a fault of the sandbox or of a server may cost a claim before it is given up."""

_PROFILES: dict[str, type[Check]] = {profile.name: profile.check for profile in PROFILES}


class ClaimState(StrEnum):
    """`abandoned`: no verdict was reached, by a fault that is not the agent's."""

    OPEN = "open"
    CLOSED = "closed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class ClaimDraft:
    """What an agent claims, before anything has run.

    Attributes:
        statement: the claim in words, for readers; the check decides.
        workspace: the name of a registered folder.
        applied: ids of patterns that led here; the verdict counts as their use.
        confidence: how sure the agent says it is, in [0.5, 1].
        effort_minutes: how long the work took or should take, > 0.
        level: the least level that the verdict shall reach; others may ask for more.
    """

    statement: str
    workspace: str
    check: Check
    applied: tuple[str, ...] = ()
    confidence: float | None = None
    effort_minutes: float | None = None
    namespace: str | None = None
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Run:
    """What a run used, as the sandbox measured it from outside."""

    outcome: str
    exit_code: int | None
    wall_seconds: float
    cpu_seconds: float
    peak_memory_bytes: int
    image_digest: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A claim on record. What a verdict adds is None until there is one.

    Attributes:
        attempt: which try at checking it holds the lease; a late one is fenced off.
        lease_until: until when somebody is at work on it, unless he says so again.
        ledger_index: where the ledger holds the verdict.
        level: the least level that the verdict has to reach.
        basis: SHA-256 (hex) of what it is judged by beside the workspace, e.g. a trusted ref.
        withdrawn: an administrator took the verdict back.
    """

    id: str
    agent_id: str
    agent: str
    namespace: str
    statement: str
    workspace: str
    check: Check
    applied: tuple[str, ...]
    confidence: float | None
    effort_minutes: float | None
    state: ClaimState
    attempt: int
    lease_until: datetime | None
    created_at: datetime
    snapshot_digest: str
    judgement: Judgement | None = None
    run: Run | None = None
    evidence_digest: str | None = None
    ledger_index: int | None = None
    closed_at: datetime | None = None
    level: Level = Level.REPRODUCED
    basis: str | None = None
    withdrawn: bool = False

    @property
    def decision(self) -> Verdict | None:
        """The verdict if it says something and still stands."""
        said = None if self.judgement is None or self.withdrawn else self.judgement.verdict
        return None if said is Verdict.INCONCLUSIVE else said

    @property
    def detail(self) -> str | None:
        """What the check showed, in words that begin with it if the verdict was withdrawn."""
        if self.judgement is None:
            return None
        return f"{WITHDRAWN} {self.judgement.detail}" if self.withdrawn else self.judgement.detail

    def covers(self, other: Claim) -> bool:
        """Say whether a verdict of this claim is one for the other, equal, claim too."""
        return self.level.reaches(other.level) and other.basis in {None, self.basis}

    def answers(self, other: Claim) -> bool:
        """Say whether this claim is decided, and for the other one too."""
        return self.decision is not None and self.covers(other)

    def is_stalled(self, *, at: datetime) -> bool:
        """Say whether whoever checked it is gone: it may be sent again."""
        expired = self.lease_until is not None and self.lease_until < at
        return self.state is ClaimState.OPEN and expired


def validated(draft: ClaimDraft, author: Agent) -> ClaimDraft:
    """Return the draft in normal form, with its namespace filled in.

    Raises:
        InvalidInput: a field breaks its rule. The check has rules of its own.
    """
    if len(draft.applied) > MOST_APPLIED:
        raise InvalidInput(f"{len(draft.applied)} applied patterns; the limit is {MOST_APPLIED}.")
    if draft.confidence is not None and not 0.5 <= draft.confidence <= 1.0:
        raise InvalidInput(
            f"confidence {draft.confidence} is refused: give 0.5 (a coin toss) to 1 (certain)."
        )
    effort = draft.effort_minutes
    if effort is not None and not 0 < effort <= LONGEST_EFFORT_MINUTES:
        raise InvalidInput(
            f"effort_minutes {effort} is refused: "
            f"more than 0, at most {LONGEST_EFFORT_MINUTES:.0f}."
        )
    return dataclasses.replace(
        draft,
        statement=require_text(
            draft.statement, what="Statement", longest=LONGEST_STATEMENT, multiline=True
        ),
        applied=tuple(dict.fromkeys(draft.applied)),
        namespace=require_member(author, draft.namespace or author.home),
    )


def profile_of(check: Check) -> str:
    """Return the name of the command profile that runs this check."""
    if isinstance(check, AddedCheck):
        return check.tool
    return next(name for name, kind in _PROFILES.items() if isinstance(check, kind))


def check_to_json(check: Check) -> dict[str, Json]:
    """Return the check as plain JSON; `check_from_json` reads it back."""
    return {"profile": profile_of(check), **dataclasses.asdict(check)}


@lru_cache(256)
def check_text(check: Check) -> str:
    """Return the check in the form in which it is stored and found: canonical JSON."""
    return canonical_bytes(check_to_json(check)).decode()


def check_from_json(value: dict[str, Any]) -> Check:
    """Return the check that `check_to_json` wrote."""
    fields = {name: _tupled(field) for name, field in value.items() if name != "profile"}
    # By its own field: the name of an added profile may be taken by a later version.
    kind = AddedCheck if "tool" in fields else _PROFILES[value["profile"]]
    return kind(**fields)


def judgement_to_json(judgement: Judgement) -> dict[str, Json]:
    """Return the judgement as plain JSON; `judgement_from_json` reads it back."""
    return dataclasses.asdict(judgement)


def judgement_from_json(value: dict[str, Any]) -> Judgement:
    """Return the judgement that `judgement_to_json` wrote."""
    fields = {name: _tupled(field) for name, field in value.items()}
    return Judgement(
        **{
            **fields,
            "verdict": Verdict(value["verdict"]),
            "reason": Reason(value["reason"]),
            "level": Level(value["level"]),
        }
    )


def _tupled(field: Any) -> Any:
    return tuple(map(_tupled, field)) if isinstance(field, list) else field
