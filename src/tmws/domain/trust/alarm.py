"""Noticing that an agent is no longer who it was.

A CUSUM (Page, 1954) of the log likelihood ratio between "three logits weaker than
believed" and "as believed", claim by claim, so that a run of hard claims raises no
alarm. An alarm widens the uncertainty and asks for audits; it never multiplies a score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tmws.domain.trust.logistic import Belief, averaged, belief, log_sigmoid
from tmws.domain.trust.model import UNCALIBRATED, Calibration

LOSS_LOGITS = 3.0
"""How much skill has to be gone for the alternative to fit."""

THRESHOLD = 7.0
"""About 5 % of good agents that stay as they are raise an alarm within 300 claims, 7 % of any
that are drawn from a fitted model and learned as they go; of good ones up to 10 %, where skills
or claims differ little. `threshold` gives a little less, for agents who are known and claims
as spread out as the default scales expect."""

SUSPECTED = 1.0
"""From here on a loss is e times as likely as none, and audits look for it."""

SETTLED_VARIANCE, SETTLED_VERDICTS = 0.25, 30
"""A skill is known to half a logit, or after so many verdicts as well as it will be, before
outcomes are held against what it was: otherwise one newcomer in four rings, only because it
is not like the others."""

WIDENED_VARIANCE = 0.5
"""An alarm makes the skill at least this uncertain, so that it is learned again."""


class Seen(NamedTuple):
    """One outcome and how likely it was.

    Attributes:
        margin: the sharpened one, as before the outcome.
        settled: the agent's skill was known (`is_settled`).
    """

    margin: Belief
    sharpness: float
    supported: bool
    weight: float
    settled: bool


class Watch(NamedTuple):
    """What is suspected of one agent.

    Attributes:
        loss: the CUSUM, 0.0 when nothing is suspected.
        anchor: the skill's mean when the suspicion began; outcomes are held against
            it, or the estimate would follow the agent down and hide the change. While
            the skill is still being learned, it is the skill's mean now.
        alarms: how often it rang.
    """

    loss: float = 0.0
    anchor: float = 0.0
    alarms: int = 0

    def after(self, skill: Belief, seen: Seen, calibration: Calibration) -> Watch:
        """Return the watch after one outcome; `skill` as before it."""
        margin, sharpness, supported, weight, settled = seen
        anchor = self.anchor if self.loss > 0.0 and settled else skill.mean
        missed = anchor - skill.mean
        held = belief((margin[0] + sharpness * missed, margin[1])) if missed else margin
        loss = self.loss + weight * evidence_of_loss(
            held, supported, calibration, sharpness=sharpness
        )
        if loss > THRESHOLD:
            return Watch(0.0, skill.mean, self.alarms + 1)
        return Watch(loss if loss > 0.0 else 0.0, anchor, self.alarms)


UNSUSPECTED = Watch()


def is_settled(skill: Belief, decided: int) -> bool:
    """Is the skill known well enough, after so many decided verdicts, to miss a part of it?"""
    return skill.variance < SETTLED_VARIANCE or decided >= SETTLED_VERDICTS


def evidence_of_loss(
    margin: Belief, supported: bool, calibration: Calibration, *, sharpness: float = 1.0
) -> float:
    """Return the log likelihood ratio of one outcome, positive when it speaks for a loss."""
    mean, variance = margin
    slope, offset, _ = calibration
    believed = slope * averaged(mean, variance) + offset
    weaker = slope * averaged(mean - sharpness * LOSS_LOGITS, variance) + offset
    if supported:
        return log_sigmoid(weaker) - log_sigmoid(believed)
    return log_sigmoid(-weaker) - log_sigmoid(-believed)


def expected_evidence(margin: Belief, calibration: Calibration, *, sharpness: float) -> float:
    """Return how much one outcome would speak for a loss, on average, if there was one."""
    weaker = Belief(margin.mean - sharpness * LOSS_LOGITS, margin.variance)
    p = calibration.probability(weaker)
    held, failed = (
        evidence_of_loss(margin, supported, calibration, sharpness=sharpness)
        for supported in (True, False)
    )
    return p * held + (1.0 - p) * failed


def widened(skill: Belief) -> Belief:
    """Return the skill as it is believed after an alarm: the same, but less certain."""
    return Belief(skill.mean, max(skill.variance, WIDENED_VARIANCE))


def threshold(
    margins: Sequence[Belief],
    draw: Callable[[], float],
    *,
    horizon: int = 300,
    runs: int = 400,
    false_alarms: float = 0.05,
) -> float:
    """Return the threshold that an unchanged agent crosses in this share of runs.

    Simulates agents that answer `horizon` claims of these margins and are as good as
    believed. `draw` gives numbers uniform in [0, 1).
    """
    peaks = []
    for _ in range(runs):
        total = peak = 0.0
        for _ in range(horizon):
            margin = margins[int(draw() * len(margins))]
            supported = draw() < UNCALIBRATED.probability(margin)
            total = max(0.0, total + evidence_of_loss(margin, supported, UNCALIBRATED))
            peak = max(peak, total)
        peaks.append(peak)
    peaks.sort()
    return peaks[min(runs - 1, math.ceil((1.0 - false_alarms) * runs))]
