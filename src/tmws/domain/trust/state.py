"""What the model knows now, moved by one piece of evidence at a time."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from tmws.domain.claims import Verdict
from tmws.domain.trust import alarm
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.logistic import Belief, doubt
from tmws.domain.trust.model import (
    DEFAULT_SCALES,
    UNCALIBRATED,
    VERSION,
    Calibration,
    Part,
    Roles,
    Scales,
    combined,
    observed,
    roles,
    sharpened,
)

DRIFT_PER_DAY = 0.002
"""Variance a skill gains with each day: old evidence fades, without a bias and without
forgetting any. About 0.85 logits a year."""

FORM_WEIGHT = 0.2
"""Weight of the newest outcome in recent form, which is shown and never decides."""

_SECONDS_PER_DAY = 86400.0


class Tally(NamedTuple):
    """Decided verdicts of one agent, on all claims or on one type.

    Attributes:
        form: moving average of recent outcomes (EWMA), None before the first.
        information: what they could tell in all; a coin toss tells 1/4, a sure outcome
            next to nothing.
        difficulty: how hard the claims were on average, each by what it could tell.
    """

    supported: int = 0
    refuted: int = 0
    last_at: datetime | None = None
    form: float | None = None
    information: float = 0.0
    difficulty: float = 0.0

    @property
    def decided(self) -> int:
        return self.supported + self.refuted

    def after(self, supported: bool, at: datetime, *, told: float, difficulty: float) -> Tally:
        """Return the tally with one more outcome, which could tell this much."""
        held, failed, last, form, information, mean = self
        before = 0.5 if form is None else form
        information += told
        return Tally(
            held + supported,
            failed + (not supported),
            at if last is None or at > last else last,
            before + FORM_WEIGHT * (supported - before),
            information,
            mean + (difficulty - mean) * told / information,
        )


class Record(NamedTuple):
    """What is kept of an agent beside beliefs.

    Attributes:
        inconclusive: checks that could not decide.
        ignored: verdicts of weight zero, e.g. verified by their own author.
    """

    tally: Tally = Tally()
    inconclusive: int = 0
    ignored: int = 0
    watch: alarm.Watch = alarm.UNSUSPECTED


class Outlook(NamedTuple):
    """How an agent stands before one task, at one moment.

    Attributes:
        beliefs: what is known of each part that takes part, the skill aged.
        signs: how much each of them counts on a claim this sharp.
        probability: how likely a yes is.
    """

    part: Roles
    beliefs: list[Belief]
    sharpness: float
    signs: tuple[float, ...]
    margin: Belief
    probability: float


class Step(NamedTuple):
    """What one piece of evidence did to its agent.

    Attributes:
        probability: how likely a yes was before it was known.
        difficulty: how hard the task was taken to be, before.
        skill: the agent's skill after; `affinity` to the claim's type likewise.
    """

    evidence: Evidence
    probability: float
    difficulty: float
    skill: Belief
    affinity: Belief | None
    alarmed: bool


@dataclass(slots=True)
class Model:
    """The whole state, or as much of it as one piece of evidence needs.

    `record` reads and writes only the beliefs that `roles` names, the agent's record,
    its tally for the type and the task's count, so a model loaded with just these
    gives the same numbers.

    Attributes:
        tallies: by agent and type, under the name of the affinity.
        census: how many decided verdicts each task has; the mix is drawn from it.
        seen: ids of all evidence so far.
    """

    scales: Scales = DEFAULT_SCALES
    calibration: Calibration = UNCALIBRATED
    beliefs: dict[Part, Belief] = field(default_factory=dict)
    records: dict[str, Record] = field(default_factory=dict)
    tallies: dict[Part, Tally] = field(default_factory=dict)
    census: dict[Task, int] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def belief(self, part: Part) -> Belief:
        """Return what is known of a part, its prior before any evidence."""
        return self.beliefs.get(part) or self.scales.prior(part.kind)

    def skill(self, agent: str, at: datetime) -> Belief:
        """Return the agent's skill as it is known at this moment, aged since the last."""
        belief = self.belief(Part("skill", agent))
        last = self.records.get(agent, NEWCOMER).tally.last_at
        return aged(belief, last, at, self.scales)

    def margin(self, agent: str, task: Task, at: datetime) -> Belief:
        """Return how far the agent stands above this task."""
        return self.outlook(agent, task, at).margin

    def sharpness(self, task: Task) -> float:
        """Return how many times as fast as usual the odds of this task grow with skill."""
        return self._sharpness(roles("", task))

    def predict(self, agent: str, task: Task, at: datetime) -> float:
        """Return the probability that a claim of this kind by this agent holds."""
        return self.outlook(agent, task, at).probability

    def outlook(self, agent: str, task: Task, at: datetime, *, relied_on: bool = False) -> Outlook:
        """Return how the agent stands before this task, with all that follows from."""
        part = roles(agent, task, relied_on=relied_on)
        beliefs, sharpness = self._now(agent, part, at), self._sharpness(part)
        signs = sharpened(part.coefficients, sharpness)
        margin = combined(beliefs, signs, self._noise(part))
        probability = self.calibration.probability(margin)
        return Outlook(part, beliefs, sharpness, signs, margin, probability)

    def suspects(self, agent: str, at: datetime) -> bool:
        """Is it likelier than not, by more than a doubt, that a known skill was lost?"""
        record = self.records.get(agent, NEWCOMER)
        settled = alarm.is_settled(self.skill(agent, at), record.tally.decided)
        return settled and record.watch.loss >= alarm.SUSPECTED

    def record(self, evidence: Evidence, foreseen: Outlook | None = None) -> Step | None:
        """Learn from one verdict; return what it did, or None when it moved nothing.

        A retry changes nothing at all. A check that could not decide, or a verdict of
        weight zero, moves nothing but its own counter.

        Args:
            foreseen: `outlook` of this very evidence by whoever looked at it just before.
        """
        if evidence.id in self.seen:
            return None
        self.seen.add(evidence.id)
        agent = evidence.agent
        record = self.records.get(agent, NEWCOMER)
        if evidence.verdict is Verdict.INCONCLUSIVE:
            self.records[agent] = record._replace(inconclusive=record.inconclusive + 1)
            return None
        if evidence.weight == 0.0:
            self.records[agent] = record._replace(ignored=record.ignored + 1)
            return None
        return self._learn(evidence, record, foreseen or self._outlook_of(evidence))

    def _outlook_of(self, evidence: Evidence) -> Outlook:
        seen = evidence
        return self.outlook(seen.agent, seen.task, seen.at, relied_on=seen.relied_on)

    def _learn(self, evidence: Evidence, record: Record, foreseen: Outlook) -> Step:
        task, weight = evidence.task, evidence.weight
        supported = evidence.verdict is Verdict.SUPPORTED
        part, beliefs, sharpness, signs, margin, probability = foreseen
        after = observed(beliefs, signs, margin, supported, weight)
        settled = alarm.is_settled(beliefs[0], record.tally.decided)
        seen = alarm.Seen(margin, sharpness, supported, weight, settled)
        watch = record.watch.after(beliefs[0], seen, self.calibration)
        alarmed = watch.alarms > record.watch.alarms
        skill = alarm.widened(after[0]) if alarmed else after[0]
        self.beliefs.update(zip(part.parts, (skill, *after[1:]), strict=True))
        self.calibration = self.calibration.after(margin, supported, weight)
        own = sum([mean for mean, _ in beliefs[: part.personal]])
        affinity = after[1] if task.type else None
        difficulty = own - margin.mean / sharpness
        step = Step(evidence, probability, difficulty, skill, affinity, alarmed)
        self._count(step, record, watch, part.parts[1])
        return step

    def _count(self, step: Step, record: Record, watch: alarm.Watch, name: Part) -> None:
        agent, task = step.evidence.agent, step.evidence.task
        tally = counted(record.tally, step)
        self.records[agent] = Record(tally, record.inconclusive, record.ignored, watch)
        self.census[task] = self.census.get(task, 0) + 1
        if task.type:
            self.tallies[name] = counted(self.tallies.get(name, NO_TALLY), step)

    def _now(self, agent: str, part: Roles, at: datetime) -> list[Belief]:
        known, prior = self.beliefs.get, self.scales.prior
        beliefs = [known(name) or prior(name[0]) for name in part.parts]
        last = self.records.get(agent, NEWCOMER).tally.last_at
        beliefs[0] = aged(beliefs[0], last, at, self.scales)
        return beliefs

    def _noise(self, part: Roles) -> float:
        return self.scales.claim * self.scales.claim if part.sharpness is None else 0.0

    def _sharpness(self, part: Roles) -> float:
        if part.sharpness is None:
            return 1.0
        known = self.beliefs.get(part.sharpness)
        return 1.0 if known is None else math.exp(known[0])

    def fingerprint(self) -> str:
        """Return a digest of every number in the state; equal only bit by bit."""
        digest = hashlib.sha256(repr((VERSION, self.scales, self.calibration)).encode())
        for table in (self.beliefs, self.records, self.tallies):
            digest.update(repr(sorted(table.items())).encode())
        digest.update(repr(sorted((repr(task), n) for task, n in self.census.items())).encode())
        return digest.hexdigest()


NO_TALLY = Tally()
NEWCOMER = Record()


def counted(tally: Tally, step: Step) -> Tally:
    """Return the tally with the verdict that this step learned from."""
    seen = step.evidence
    supported, told = seen.verdict is Verdict.SUPPORTED, seen.weight * doubt(step.probability)
    return tally.after(supported, seen.at, told=told, difficulty=step.difficulty)


def aged(belief: Belief, last: datetime | None, at: datetime, scales: Scales) -> Belief:
    """Return a skill after it had time to drift, at most as uncertain as a newcomer's."""
    if last is None or at <= last:
        return belief
    mean, variance = belief
    days = (at - last).total_seconds() / _SECONDS_PER_DAY
    widest = max(variance, scales.skill * scales.skill)
    return Belief(mean, min(widest, variance + DRIFT_PER_DAY * days))
