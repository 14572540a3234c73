"""Noticing that an agent is no longer who it was.

A CUSUM (Page, 1954) of the log likelihood ratio between "three logits weaker than
believed" and "as believed", claim by claim, so that a run of hard claims raises no
alarm. An alarm widens the uncertainty and asks for audits; it never multiplies a score.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from tmws.domain.trust.logistic import Belief, averaged, log_sigmoid
from tmws.domain.trust.model import UNCALIBRATED, Calibration

LOSS_LOGITS = 3.0
"""How much skill has to be gone for the alternative to fit."""

THRESHOLD = 6.6
"""At most 5 % of agents that stay as they are raise an alarm within 300 claims: what
`threshold` gives for claims as spread out as the default scales expect."""

WIDENED_VARIANCE = 0.5
"""An alarm makes the skill at least this uncertain, so that it is learned again."""


class Seen(NamedTuple):
    """One outcome and how likely it was; `margin` is the sharpened one, as before it."""

    margin: Belief
    sharpness: float
    supported: bool
    weight: float


class Watch(NamedTuple):
    """What is suspected of one agent.

    Attributes:
        loss: the CUSUM, 0.0 when nothing is suspected.
        anchor: the skill's mean when the suspicion began; outcomes are held against
            it, or the estimate would follow the agent down and hide the change.
        alarms: how often it rang.
    """

    loss: float = 0.0
    anchor: float = 0.0
    alarms: int = 0

    def after(self, skill: Belief, seen: Seen, calibration: Calibration) -> Watch:
        """Return the watch after one outcome; `skill` as before it."""
        anchor = self.anchor if self.loss > 0.0 else skill.mean
        (mean, variance), sharpness, supported, weight = seen
        held = Belief(mean + sharpness * (anchor - skill.mean), variance)
        loss = self.loss + weight * evidence_of_loss(
            held, supported, calibration, sharpness=sharpness
        )
        if loss > THRESHOLD:
            return Watch(0.0, skill.mean, self.alarms + 1)
        return Watch(max(0.0, loss), anchor, self.alarms)


UNSUSPECTED = Watch()


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
