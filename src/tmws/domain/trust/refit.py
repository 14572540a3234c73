"""Fitting the whole log again, so that what was learned later corrects what was earlier.

Expectation propagation (Minka, 2001): every outcome keeps a message to each of its
parts; a sweep takes one message out, learns the outcome again against all the others,
and puts the new message in. Between sweeps the scales are fitted to the beliefs
(empirical Bayes), and how sharp each claim is to what its answers told of it. A last
pass in time order gives each agent its path.

Same evidence, same version: the same bits, whatever order it is handed in.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import islice

from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence
from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.model import (
    DEFAULT_SCALES,
    NARROWEST_SKILL,
    PERSONAL,
    UNCALIBRATED,
    Calibration,
    Kind,
    Part,
    Roles,
    combined,
    observed,
    roles,
    sharpened,
)
from tmws.domain.trust.sharpness import FEWEST_ANSWERS, Answer, learned
from tmws.domain.trust.state import Model, Step

SWEEPS = 3
_SCALE_STEPS = 10
_SCALE_EVIDENCE = 6.0
"""The default scales count like this many parts seen."""

_MEAN_EVIDENCE = 1.0
"""The default mean of skills counts like this many agents."""

_NARROWEST = 0.05


def refit(
    evidence: Iterable[Evidence],
    *,
    calibration: Calibration = UNCALIBRATED,
    owners: Mapping[str, str] | None = None,
) -> tuple[Model, list[Step]]:
    """Return the model fitted to this evidence, and every agent's path through it.

    Args:
        calibration: learned from predictions as they were made; a fit that has seen
            the outcomes cannot judge it, so it is carried over.
        owners: identities that turned out to belong to somebody else.
    """
    log = _in_order(evidence, owners or {})
    fit = _Fit([e for e in log if e.verdict is not Verdict.INCONCLUSIVE and e.weight > 0.0])
    for sweep in range(SWEEPS):
        if sweep:
            fit.learn_sharpness()
        fit.sweep()
        fit.learn_scales()
    return fit.path(log, calibration)


def _in_order(evidence: Iterable[Evidence], owners: Mapping[str, str]) -> list[Evidence]:
    """Return each piece once, oldest first, under the name of who owns the identity."""
    once = {e.id: e for e in sorted(evidence, key=lambda e: (e.at, e.id), reverse=True)}
    return [
        replace(e, agent=owners[e.agent]) if e.agent in owners else e
        for e in sorted(once.values(), key=lambda e: (e.at, e.id))
    ]


class _Fit:
    """Natural parameters of every part, and the messages that make them up."""

    def __init__(self, log: list[Evidence]) -> None:
        self.scales = DEFAULT_SCALES
        self.names: dict[Part, int] = {}
        self.rows: list[tuple[Evidence, Roles, tuple[int, ...]]] = []
        for e in log:
            role = roles(e.agent, e.task, relied_on=e.relied_on)
            places = tuple(self.names.setdefault(p, len(self.names)) for p in role.parts)
            self.rows.append((e, role, places))
        self.precision = [1.0 / self.scales.prior(p.kind).variance for p in self.names]
        self.pull = [0.0] * len(self.names)
        self.messages = [((0.0, 0.0),) * len(places) for _, _, places in self.rows]
        self.claims = [
            None if role.sharpness is None else role.parts.index(_claim(role.sharpness))
            for _, role, _ in self.rows
        ]
        self.sharpness: dict[Part, Belief] = {}
        self.answers: dict[Part, list[Answer]] = {}

    def sweep(self) -> None:
        """Learn every outcome once against what all the others say."""
        precision, pull = self.precision, self.pull
        self.answers = defaultdict(list)
        for row, (e, role, places) in enumerate(self.rows):
            without = self.without(row)
            supported = e.verdict is Verdict.SUPPORTED
            margin = combined(without, role.coefficients, self.noise(role))
            signs, part, at = role.coefficients, role.sharpness, self.claims[row]
            if part is not None and at is not None:
                claim = without[at]
                rest = Belief(margin.mean + claim.mean, margin.variance - claim.variance)
                self.answers[part].append(Answer(rest, supported, e.weight))
                if part in self.sharpness:
                    signs = sharpened(signs, math.exp(self.sharpness[part].mean))
                    margin = combined(without, signs, 0.0)
            after = observed(without, signs, margin, supported, e.weight)
            messages = []
            for place, (m, v), (mean, variance) in zip(places, without, after, strict=True):
                precision[place] = 1.0 / variance
                pull[place] = mean / variance
                messages.append((1.0 / variance - 1.0 / v, mean / variance - m / v))
            self.messages[row] = tuple(messages)

    def without(self, row: int) -> list[Belief]:
        """Return what is believed of the parts of a row without that row's own message."""
        beliefs = []
        for place, (tau, nu) in zip(self.rows[row][2], self.messages[row], strict=True):
            variance = 1.0 / (self.precision[place] - tau)
            beliefs.append(Belief((self.pull[place] - nu) * variance, variance))
        return beliefs

    def noise(self, role: Roles) -> float:
        return self.scales.claim * self.scales.claim if role.sharpness is None else 0.0

    def mean(self, part: Part) -> float:
        """Return the mean of what is believed of a part."""
        place = self.names[part]
        return self.pull[place] / self.precision[place]

    def learn_sharpness(self) -> None:
        """Fit how sharp each claim is to the answers of the last sweep, and how much it varies."""
        hard, prior = self.scales.prior("claim"), self.scales.prior("sharpness")
        self.sharpness = {
            part: learned(answers, difficulty=hard, sharpness=prior, start=self.mean(_claim(part)))
            for part, answers in self.answers.items()
            if len(answers) >= FEWEST_ANSWERS
        }
        total = math.fsum(b.mean * b.mean + b.variance for b in self.sharpness.values())
        total += _SCALE_EVIDENCE * DEFAULT_SCALES.sharpness**2
        spread = math.sqrt(total / (_SCALE_EVIDENCE + len(self.sharpness)))
        self.scales = self.scales._replace(sharpness=max(_NARROWEST, spread))

    def learn_scales(self) -> None:
        """Fit the prior of each kind to what its parts look like (EM steps)."""
        for kind in ("skill", "affinity", "type", "claim"):
            places = [place for part, place in self.names.items() if part.kind == kind]
            old = self.scales.prior(kind)
            own = [
                (self.precision[p] - 1.0 / old.variance, self.pull[p] - old.mean / old.variance)
                for p in places
            ]
            new = _prior(kind, own, old)
            for p in places:
                self.precision[p] += 1.0 / new.variance - 1.0 / old.variance
                self.pull[p] += new.mean / new.variance - old.mean / old.variance
            self.scales = self.scales._replace(**{kind: math.sqrt(new.variance)})
            if kind == "skill":
                self.scales = self.scales._replace(newcomer=new.mean)

    def path(self, log: list[Evidence], calibration: Calibration) -> tuple[Model, list[Step]]:
        """Walk through the log once more, agents from their prior, tasks as now known."""
        model = Model(scales=self.scales, calibration=calibration, beliefs=dict(self.sharpness))
        steps = []
        row = 0
        for e in log:
            if e.verdict is not Verdict.INCONCLUSIVE and e.weight > 0.0:
                role = self.rows[row][1]
                known = zip(role.parts, self.without(row), strict=True)
                model.beliefs.update(islice(known, role.personal, None))
                row += 1
            step = model.record(e)
            if step is not None:
                steps.append(step)
        for part, place in self.names.items():
            if part.kind not in PERSONAL:
                variance = 1.0 / self.precision[place]
                model.beliefs[part] = Belief(self.pull[place] * variance, variance)
        model.calibration = calibration
        return model, steps


def _claim(sharpness: Part) -> Part:
    return Part("claim", "", sharpness.topic)


def _prior(kind: Kind, own: list[tuple[float, float]], old: Belief) -> Belief:
    """Return the prior under which parts with these messages are most likely.

    Skills have a mean as well as a width: what they share cannot be told from the level,
    and the level alone was found to keep newcomers a whole logit too high.
    """
    default: float = getattr(DEFAULT_SCALES, kind)
    narrowest = NARROWEST_SKILL if kind == "skill" else _NARROWEST
    mean, spread = old
    for _ in range(_SCALE_STEPS):
        found = []
        for tau, nu in own:
            variance = 1.0 / (tau + 1.0 / spread)
            found.append(Belief((nu + mean / spread) * variance, variance))
        if kind == "skill":
            mean = math.fsum(b.mean for b in found) / (_MEAN_EVIDENCE + len(found))
        total = math.fsum((b.mean - mean) ** 2 + b.variance for b in found)
        total += _SCALE_EVIDENCE * default * default
        spread = max(narrowest**2, total / (_SCALE_EVIDENCE + len(found)))
    return Belief(mean, spread)
