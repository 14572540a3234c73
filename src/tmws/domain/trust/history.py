"""How a score came to where it stands: what was known after each verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from tmws.domain.claims import Verdict
from tmws.domain.trust.model import Part
from tmws.domain.trust.score import Mix, standing
from tmws.domain.trust.state import Model, Record, Step, Tally, counted


@dataclass(frozen=True, slots=True)
class Point:
    """What was known after one verdict, seen over the mix of today."""

    at: datetime
    claim_id: str
    supported: bool
    score: float
    low: float
    high: float
    alarmed: bool


def points(
    model: Model, owner: str, steps: Sequence[Step], mix: Mix, *, newest: int | None = None
) -> list[Point]:
    """Walk the agent's path again, with all that is known of the claims now.

    Args:
        steps: in the order in which the model took them.
        newest: how many points to return, all of them by default; oldest first.
    """
    walked = Model(scales=model.scales, calibration=model.calibration)
    first = 0 if newest is None else max(0, len(steps) - newest)
    tally, found = Tally(), []
    for place, step in enumerate(steps):
        seen = step.evidence
        supported = seen.verdict is Verdict.SUPPORTED
        tally = counted(tally, step)
        walked.beliefs[Part("skill", owner)] = step.skill
        if step.affinity is not None:
            walked.beliefs[Part("affinity", owner, seen.task.type)] = step.affinity
        walked.records[owner] = Record(tally)
        if place >= first:
            now = standing(walked, owner, mix, seen.at)
            found.append(
                Point(seen.at, seen.id, supported, now.score, now.low, now.high, step.alarmed)
            )
    return found
