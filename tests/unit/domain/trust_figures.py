"""The numbers that this version of the trust model gives for one fixed log.

usage: python -m tests.unit.domain.trust_figures     writes them anew, for a new VERSION
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from tests.unit.domain.trust_logs import DAY
from tmws.domain.canonical import Json
from tmws.domain.claims import Level, Verdict
from tmws.domain.trust import alarm, audits, integrity, rules
from tmws.domain.trust.confirmation import KNOWN_ANSWER, Answered, confirmed_share, held_back
from tmws.domain.trust.evidence import Correction, Entry, Evidence, Link, Refit, Task
from tmws.domain.trust.explanation import explain
from tmws.domain.trust.history import points
from tmws.domain.trust.integrity import NOTHING_STATED, exposure_budget
from tmws.domain.trust.log import History
from tmws.domain.trust.logistic import Belief, posterior
from tmws.domain.trust.model import UNCALIBRATED, VERSION, doublings, roles
from tmws.domain.trust.reference import Replay
from tmws.domain.trust.score import Standing, ability, mix_of, spread, standing, standing_by_type
from tmws.domain.trust.state import Tally

FILE = Path(__file__).with_suffix(".json")
NOW = DAY + timedelta(days=90)
_VERDICTS = (Verdict.SUPPORTED, Verdict.SUPPORTED, Verdict.REFUTED, Verdict.INCONCLUSIVE)


def log() -> list[Entry]:
    """Return verdicts of every kind, an agent that turns bad, and what people did."""
    chance = random.Random(7)  # noqa: S311  # repeatable, no secret
    entries: list[Entry] = []
    for n in range(150):
        agent, claim = f"agent{n % 5}", chance.choice([None, *(f"c{c}" for c in range(9))])
        entries.append(
            Evidence(
                f"e{n:03}",
                agent,
                DAY + timedelta(hours=5 * n - 9 * (n % 4)),
                chance.choice(_VERDICTS),
                Task(
                    claim,
                    chance.choice(["", "pytest", "ruff"]),
                    chance.choice([None, 0.01, 30.0, 200.0]),
                    chance.choice([None, agent, "agent1"]),
                ),
                relied_on=n % 3 == 0,
                weight=chance.choice([0.0, 0.3, 1.0, 1.0]),
                stated_confidence=chance.choice([None, 0.0, 0.5, 0.95, 1.0]),
                severity=chance.choice([1.0, 4.0]),
            )
        )
        if n % 10 == 9:
            turned = Verdict.SUPPORTED if n < 120 else Verdict.REFUTED
            entries += [
                Evidence(f"t{n}{i}", "turncoat", DAY + timedelta(days=n / 5), turned, Task(f"t{i}"))
                for i in range(6)
            ]
    entries.insert(60, Refit(VERSION, NOW))
    entries.insert(100, Correction("e004", "flaky", "root", NOW))
    entries.insert(140, Link("agent4", "agent3", "same key", "root", NOW))
    return entries


def figures() -> dict[str, Json]:
    """Return what the model makes of it, by name."""
    replay = Replay()
    for entry in log():
        replay.add(entry)
    past = replay.history
    return {
        "version": VERSION,
        "decided": [replay.decided, replay.reference.decided],
        "mix": [[p.type, *p.difficulty, p.weight] for p in replay.reference.mix.points],
        **_of_model(past),
        **_of_agents(past),
        **_of_rules(),
    }


def _of_model(past: History) -> dict[str, Json]:
    model = past.model
    return {
        "scales": list(model.scales),
        "calibration": list(model.calibration),
        "beliefs": {"/".join(part): list(b) for part, b in sorted(model.beliefs.items())},
        "records": {
            agent: [*_tally(r.tally), r.inconclusive, r.ignored, *r.watch]
            for agent, r in sorted(model.records.items())
        },
        "tallies": {"/".join(part): _tally(t) for part, t in sorted(model.tallies.items())},
        "census": sorted([repr(task), n] for task, n in model.census.items()),
    }


def _tally(tally: Tally) -> list[Json]:
    return [tally.supported, tally.refuted, str(tally.last_at), tally.form]


def _standing(shown: Standing) -> list[Json]:
    return [shown.score, shown.low, shown.high, shown.bound, shown.known]


def _of_agents(past: History) -> dict[str, Json]:
    model, mix = past.model, mix_of(past.model)
    agents = [*sorted(model.records), "nobody"]
    shown = {a: standing(model, a, mix, NOW) for a in agents}
    return {
        "standings": {a: _standing(s) for a, s in shown.items()},
        "by type": {
            a: {t: _standing(s) for t, s in standing_by_type(model, a, mix, NOW).items()}
            for a in agents
        },
        "held back": {
            a: held_back(s, model, a, mix, NOW, confirmed=0.4).bound for a, s in shown.items()
        },
        "explanations": {a: _explained(past, a) for a in agents},
        "histories": {
            a: [
                [p.claim_id, p.supported, p.score, p.low, p.high, p.alarmed]
                for p in points(model, a, past.paths[a], mix, newest=4)
            ]
            for a in agents
        },
        "audits": {a: _audits(past, a) for a in agents},
    }


def _explained(past: History, agent: str) -> list[Json]:
    mix = mix_of(past.model)
    told = explain(
        past.model, agent, past.paths[agent], mix, NOW, corrections=past.corrections(agent)
    )
    gains: list[Json] = [
        [g.evidence.id, g.difficulty, g.probability, g.logits] for g in told.largest
    ]
    return [
        told.prior,
        told.score,
        told.aging,
        told.remainder,
        told.audits,
        len(told.gains),
        len(told.withdrawn),
        *gains,
    ]


def _audits(past: History, agent: str) -> list[Json]:
    tasks = {f"o{n}": Task(f"c{n}", "pytest" if n % 2 else "") for n in range(9)}
    model, mix = past.model, mix_of(past.model)
    known = ability(model, agent, mix, NOW)
    found = audits.ranked(model, agent, tasks, NOW)
    until = audits.audits_until_settled(known, mix, model.calibration, enough=0.3)
    picked = [audits.pick(found, iter(draws).__next__) for draws in ((0.09, 0.99), (0.5, 0.99))]
    told: list[Json] = [[each.name, each.information, each.probability] for each in found]
    return [spread(known, mix), until, *told, *(each.name for each in picked if each)]


def _chance(seed: int) -> Callable[[], float]:
    return random.Random(seed).random  # noqa: S311  # repeatable, no secret


def _of_rules() -> dict[str, Json]:
    margins = [Belief(m, v) for m in (-6.0, -0.4, 0.0, 2.5) for v in (0.03, 1.1, 30.0)]
    surprises = [Belief(40.0, 400.0), Belief(-30.0, 50.0), Belief(-720.0, 0.5), Belief(720.0, 0.5)]
    usual = random.Random(3)  # noqa: S311  # repeatable, no secret
    entries = [e for e in log() if isinstance(e, Evidence)]
    record = NOTHING_STATED
    for evidence in entries:
        record = record.after(evidence, 0.6)
    return {
        "posteriors": [
            [*posterior(m, yes, weight)]
            for m in [*margins, *surprises]
            for yes in (True, False)
            for weight in (0.2, 1.0)
        ],
        "evidence of loss": [
            [alarm.evidence_of_loss(m, yes, UNCALIBRATED) for yes in (True, False)] for m in margins
        ],
        "thresholds": [
            alarm.threshold(margins, _chance(runs), horizon=horizon, runs=runs)
            for horizon, runs in ((40, 30), (41, 30), (40, 31), (40, 2), (5, 1))
        ],
        "usual threshold": [alarm.threshold(margins[:5], usual.random), usual.random()],
        "gates": [
            rules.opens(bound, 0.5, iter((draw,)).__next__)
            for bound in (0.0, 0.469, 0.471, 0.5, 0.529, 0.531)
            for draw in (0.0, 0.5, 0.999)
        ],
        "constants": [alarm.THRESHOLD, alarm.LOSS_LOGITS, alarm.WIDENED_VARIANCE, KNOWN_ANSWER],
        "integrity": [*record[:4], record.penalty_at(NOW), record.penalty_at(DAY)],
        "relative": [
            integrity.relative_log_score(said, 0.5, yes)
            for said in (0.0, 0.004, 0.3, 0.996)
            for yes in (True, False)
        ],
        "exposure": [exposure_budget(0.7, 12.5, 0.5), exposure_budget(0.7, 12.5, 2.0, stake=3.0)],
        "weights": [
            rules.weight(
                level,
                repeated=False,
                counted_today=today,
                own_pick=own,
                probability=0.9,
            )
            for level in Level
            for today in (0.0, 19.6, 25.0)
            for own in (True, False)
        ],
        "confirmed": [
            confirmed_share(answered)
            for answered in ([], [Answered(1.0, 0.0)], [Answered(1.0, 0.3), Answered(0.5, 2.0)])
        ],
        "doublings": [doublings(minutes) for minutes in (0.001, 7.0, 30.0, 90.0, 99_999.0)],
        "coefficients": [
            list(roles("ann", Task("c", "x", minutes, "bob"), relied_on=True).coefficients)
            for minutes in (None, 15.0, 120.0)
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(figures(), indent=1) + "\n", encoding="utf-8")
