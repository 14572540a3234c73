"""What the trust model reads: one log of decided claims and of what was done to it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from tmws.domain.claims import Verdict
from tmws.domain.errors import InvalidInput


@dataclass(frozen=True, slots=True)
class Task:
    """What is known of a claim before it is checked.

    Attributes:
        claim: key that several agents share when they answer the same claim, or None
            when nobody else can.
        author: the agent that brought the claim up, None when the service did or the
            claim is everybody's. Who picks its own claims can pick easy ones.
        type: kind of claim, e.g. `pytest`; "" when there is only one.
        effort_minutes: estimate of the work behind it, made before the outcome.
    """

    claim: str | None = None
    type: str = ""
    effort_minutes: float | None = None
    author: str | None = None

    def __post_init__(self) -> None:
        if self.effort_minutes is not None and not 0.0 < self.effort_minutes < 1e6:
            raise InvalidInput(
                f"effort_minutes {self.effort_minutes} is refused: give more than 0 and less "
                "than a million, or none."
            )


ANY_TASK = Task()
"""A claim of which nothing is known."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """One verdict about one claim of one agent.

    Attributes:
        id: name of the verdict; a second entry with the same id is a retry.
        relied_on: somebody let the claim count before it was checked, because a gate
            was open for the agent.
        weight: how much of one whole observation it is, 0 to 1 (`rules.weight`).
        stated_confidence: the probability the agent gave that its claim holds.
        severity: what a false claim would cost, 1.0 for an ordinary one.
    """

    id: str
    agent: str
    at: datetime
    verdict: Verdict
    task: Task = ANY_TASK
    relied_on: bool = False
    weight: float = 1.0
    stated_confidence: float | None = None
    severity: float = 1.0

    def __post_init__(self) -> None:
        if not 0.0 <= self.weight <= 1.0:
            raise InvalidInput(f"weight {self.weight} is refused: give 0 to 1.")
        if self.stated_confidence is not None and not 0.0 <= self.stated_confidence <= 1.0:
            raise InvalidInput(
                f"stated_confidence {self.stated_confidence} is refused: give a probability."
            )
        if not 0.0 < self.severity <= 100.0:
            raise InvalidInput(f"severity {self.severity} is refused: give more than 0, up to 100.")


@dataclass(frozen=True, slots=True)
class Correction:
    """A person with the right to do so withdrew one piece of evidence.

    Nobody writes a score: what can be corrected is what the score is computed from.
    """

    evidence: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Restoration:
    """A withdrawal turned out to be wrong: the evidence counts again."""

    evidence: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Link:
    """Two identities turned out to be one: what `agent` did counts for `owner`."""

    agent: str
    owner: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Unlink:
    """A link turned out to be wrong: `agent` counts for itself again, with whom it stood for."""

    agent: str
    reason: str
    by: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Refit:
    """Everything so far was fitted again, by this version of the model."""

    version: str
    at: datetime


Entry = Evidence | Correction | Restoration | Link | Unlink | Refit
"""One entry of the log from which every score can be computed again."""
