"""The trust model's log as JSON: what the ledger holds of it, and how it is read back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from tmws.domain.canonical import Json, digest
from tmws.domain.claims import Check, Level, Verdict
from tmws.domain.trust.evidence import (
    Correction,
    Entry,
    Evidence,
    Link,
    Refit,
    Restoration,
    Task,
    Unlink,
)
from tmws.domain.trust.model import USUAL_EFFORT_MINUTES, Part
from tmws.domain.trust.rules import LEVEL_WEIGHTS
from tmws.domain.trust.state import NEWCOMER, Model
from tmws.domain.verifications import Claim, check_to_json, profile_of


class Kind(StrEnum):
    """Ledger events that the model reads."""

    VERDICT = "verdict"
    WITHDRAWN = "evidence_withdrawn"
    RESTORED = "evidence_restored"
    LINKED = "identities_linked"
    UNLINKED = "identities_unlinked"
    REFITTED = "trust_refitted"


FITS = (Kind.WITHDRAWN, Kind.RESTORED, Kind.LINKED, Kind.UNLINKED, Kind.REFITTED)
"""After each of these everything was fitted anew."""


_LEAST_EFFORT_MINUTES = USUAL_EFFORT_MINUTES / 4


@lru_cache(256)
def task_key(check: Check, workspace: str) -> str:
    """Return the name under which all who have this check of this workspace run share it.

    Each snapshot of the workspace is one more answer to the same question.
    """
    return digest({"check": check_to_json(check), "workspace": workspace})


def task_of(claim: Claim, key: str) -> Task:
    """Return the task of a claim that nobody met before; `key` is its `task_key`.

    What its author says of the effort counts from `_LEAST_EFFORT_MINUTES` to the usual: else
    each could have sure claims count as days of work and excuse those that fail, or as seconds
    where others failed at what they had taken for quick.
    """
    stated = claim.effort_minutes
    effort = None
    if stated is not None:
        effort = min(USUAL_EFFORT_MINUTES, max(_LEAST_EFFORT_MINUTES, stated))
    return Task(key, profile_of(claim.check), effort, claim.agent_id)


def weighed(evidence: Evidence) -> dict[str, Json]:
    """Return what the ledger holds of evidence beside claim, agent and verdict."""
    task = evidence.task
    return {
        "task": task.claim,
        "type": task.type,
        "effort_minutes": task.effort_minutes,
        "author": task.author,
        "relied_on": evidence.relied_on,
        "weight": evidence.weight,
        "confidence": evidence.stated_confidence,
        "severity": evidence.severity,
    }


def standing_of(model: Model, agent: str) -> dict[str, Json]:
    """Return an agent's counts and skill, as a verdict's entry tells them."""
    record, skill = model.records.get(agent, NEWCOMER), model.belief(Part("skill", agent))
    return {
        "supported": record.tally.supported,
        "refuted": record.tally.refuted,
        "inconclusive": record.inconclusive,
        "ignored": record.ignored,
        "skill": [skill.mean, skill.variance],
    }


def entry_of(kind: str, payload: Mapping[str, Any], at: datetime) -> Entry | None:
    """Return the model's entry of a ledger payload, None for events of other kinds.

    Raises:
        ValueError, KeyError, TypeError: the payload is none of its kind.
    """
    if kind == Kind.VERDICT:
        return _evidence(payload, at)
    read = _ACTS.get(kind)
    return None if read is None else read(payload, at)


_ACTS: dict[str, Callable[[Mapping[str, Any], datetime], Entry]] = {
    Kind.WITHDRAWN: lambda told, at: Correction(told["evidence"], told["reason"], told["by"], at),
    Kind.RESTORED: lambda told, at: Restoration(told["evidence"], told["reason"], told["by"], at),
    Kind.LINKED: lambda told, at: Link(
        told["agent"], told["owner"], told["reason"], told["by"], at
    ),
    Kind.UNLINKED: lambda told, at: Unlink(told["agent"], told["reason"], told["by"], at),
    Kind.REFITTED: lambda told, at: Refit(told["version"], at),
}


def _evidence(payload: Mapping[str, Any], at: datetime) -> Evidence:
    told = payload.get("weighed")
    evidence = Evidence(
        id=str(payload["claim"]),
        agent=str(payload["agent"]),
        at=at,
        verdict=Verdict(payload["verdict"]),
        # What was recorded before verdicts told their task: of no known kind.
        weight=LEVEL_WEIGHTS[Level(payload["level"])],
    )
    if told is None:
        return evidence
    return replace(
        evidence,
        task=Task(
            claim=told["task"],
            type=told["type"],
            effort_minutes=_number(told["effort_minutes"]),
            author=told["author"],
        ),
        relied_on=bool(told["relied_on"]),
        weight=float(told["weight"]),
        stated_confidence=_number(told["confidence"]),
        severity=float(told["severity"]),
    )


def _number(value: float | None) -> float | None:
    # Canonical JSON writes 5.0 as 5; the model's numbers are floats.
    return None if value is None else float(value)
