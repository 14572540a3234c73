"""What one update, one score and one replay of the trust model cost.

usage: python -m tests.performance.trust_cost

Processor time, so that a busy machine disturbs less; no storage is involved.
"""

from __future__ import annotations

import gc
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.explanation import explain
from tmws.domain.trust.log import replay
from tmws.domain.trust.logistic import Belief, sigmoid
from tmws.domain.trust.model import combined, observed
from tmws.domain.trust.refit import refit
from tmws.domain.trust.score import mix_of, standing

OUTCOMES, AGENTS, CLAIMS, TYPES = 100_000, 200, 2_000, 8
START = datetime(2026, 1, 1, tzinfo=UTC)


def log() -> list[Evidence]:
    """Return 100,000 outcomes of 200 agents on 2,000 shared claims of 8 types."""
    chance = random.Random(1)  # noqa: S311  # repeatable, no secret
    skills = [chance.gauss(0.0, 1.5) for _ in range(AGENTS)]
    hard = [chance.gauss(0.0, 2.0) for _ in range(CLAIMS)]
    entries = []
    for n in range(OUTCOMES):
        agent, claim = chance.randrange(AGENTS), chance.randrange(CLAIMS)
        held = chance.random() < sigmoid(skills[agent] - hard[claim])
        entries.append(
            Evidence(
                f"e{n:06}",
                f"agent{agent}",
                START + timedelta(minutes=n),
                Verdict.SUPPORTED if held else Verdict.REFUTED,
                Task(f"claim{claim}", f"type{claim % TYPES}"),
            )
        )
    return entries


def seconds(act: Callable[[], object]) -> float:
    """Return the processor time of one call."""
    before = time.process_time()
    act()
    return time.process_time() - before


def microseconds(act: Callable[[], object], *, repeats: int, batch: int = 1) -> str:
    """Return median and 95th percentile of one call, in microseconds, as text."""

    def many() -> None:
        for _ in range(batch):
            act()

    taken = sorted(seconds(many) / batch * 1e6 for _ in range(repeats))
    return f"p50 {statistics.median(taken):8.2f} us   p95 {taken[int(0.95 * repeats)]:8.2f} us"


def main() -> None:
    """Print the figures."""
    gc.disable()  # as the commands do that replay a ledger
    beliefs = [Belief(0.3, 0.2), Belief(0.1, 0.1), Belief(0.0, 0.01), Belief(0.2, 0.05)]
    beliefs.append(Belief(-0.5, 1.5))
    signs = [1.0, 1.0, -1.0, -1.0, -1.0]

    def update() -> object:
        return observed(beliefs, signs, combined(beliefs, signs, 0.0), True)

    print(f"mathematics of one update  {microseconds(update, repeats=300, batch=100)}")
    entries = log()
    print(f"replay of {OUTCOMES:,}         {seconds(lambda: replay(entries)):8.2f} s")
    past = replay(entries)
    print(f"mix of {CLAIMS:,} claims        {seconds(lambda: mix_of(past.model)) * 1e3:8.2f} ms")
    mix, now = mix_of(past.model), entries[-1].at
    shown = microseconds(lambda: standing(past.model, "agent7", mix, now), repeats=200)
    print(f"standing of an agent       {shown}")
    path = past.paths["agent7"]
    told = seconds(lambda: explain(past.model, "agent7", path, mix, now)) * 1e3
    print(f"explanation, {len(path)} verdicts  {told:8.2f} ms")
    print(f"refit of {OUTCOMES:,}          {seconds(lambda: refit(entries)):8.2f} s")


if __name__ == "__main__":
    main()
