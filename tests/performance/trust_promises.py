"""Hold the trust model to its promises on outcome files, and say which it keeps.

usage: python -m tests.performance.trust_promises SHARED.csv.gz TYPES.csv SMALL.csv.gz

SHARED: many agents on the same claims; TYPES: its claims' types; SMALL: few agents.
Ends with 1 when a promise is broken.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

from tmws.evaluation.report import Evaluation, evaluate_file, lines
from tmws.evaluation.trust import Result

FEWEST_ARGUMENTS = 4


def kept(name: str, value: float, low: float, high: float) -> bool:
    """Print one promise and whether the value lies where it should."""
    inside = low <= value <= high
    print(f"  {'kept  ' if inside else 'BROKEN'} {name}: {value:.4f} in [{low:g}, {high:g}]")
    return inside


def intervals(skill: Result) -> list[bool]:
    return [
        kept(f"90 % interval after {m.claims}", m.coverage, 0.86, 0.94)
        for m in skill.moments
        if m.coverage is not None
    ]


def shared(found: Evaluation) -> list[bool]:
    skill, attacks = found.replay.of("skill"), found.attacks
    results = [
        kept("Brier", skill.accuracy.brier, 0, 0.112),
        kept("ECE", skill.accuracy.ece, 0, 0.025),
        *intervals(skill),
    ]
    if attacks is None:
        return results
    for name, change in (
        ("change", attacks.change),
        ("change, chosen claims", attacks.change_chosen),
        ("change, difficulties from everybody", attacks.change_met),
    ):
        if change is not None:
            results += [
                kept(f"{name}, median", change.median or math.inf, 0, 8),
                kept(f"{name}, p90", change.p90 or math.inf, 0, 15),
                kept(f"{name}, false alarms", change.false_alarms, 0, 0.05),
            ]
    onoff = attacks.on_off
    if onoff is not None:
        results += [
            kept("on-off, lies", onoff.malicious, 0, 0.08),
            kept("on-off, honest trusted", onoff.trusted, 0.86, 1),
        ]
    audits = {a.audits: a.within for a in attacks.audits}
    for name, farm, most in (
        ("known difficulty", attacks.farming_known, 0.05),
        ("three peers", attacks.farming_peers, 0.15),
    ):
        if farm is not None:
            results += [
                kept(f"farming, {name}", farm.lift, -1, most),
                kept(f"farming, {name}, bound too high", farm.over, 0, 0.05),
            ]
    return [
        *results,
        kept("within .10 after 10 audits", audits[10], 0.87, 1),
        kept("within .10 after 15 audits", audits[15], 0.94, 1),
        kept("re-registering", attacks.reregistering.gaining, 0, 0),
    ]


def by_type(found: Evaluation) -> list[bool]:
    skill = found.replay.of("skill")
    return [kept("Brier by type", skill.accuracy.brier, 0, 0.184), *intervals(skill)]


def small(found: Evaluation) -> list[bool]:
    skill, counted = found.replay.of("skill"), found.replay.of("Beta(1,1)")
    ranks = [
        kept(f"rank against Beta after {s.claims}", s.rank - b.rank, -0.02, 1)
        for s, b in zip(skill.moments, counted.moments, strict=True)
        if s.claims in (5, 10, 20, 50) and s.rank is not None and b.rank is not None
    ]
    return [kept("Brier", skill.accuracy.brier, 0, 0.096), *ranks]


def main(arguments: list[str]) -> int:
    """Return 0 when every promise was kept."""
    if len(arguments) != FEWEST_ARGUMENTS:
        print(__doc__)
        return 2
    many, types, few = (Path(a) for a in arguments[1:])
    results = []
    for judged, found in (
        (shared, evaluate_file(many)),
        (by_type, evaluate_file(many, types=types, shared=False, attack=False)),
        (small, evaluate_file(few, attack=False)),
    ):
        print("\n".join(lines(found)), flush=True)
        results += judged(found)
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
