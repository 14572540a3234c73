"""A verdict about a number: an administrator's module computes it, the claim is compared here."""

from __future__ import annotations

from tmws.domain import checkers, levels
from tmws.domain.checkers import MetricChecker
from tmws.domain.claims import ComputedCheck
from tmws.services.runs import Checked, Plan, Runs


async def check(plan: Plan, asked: ComputedCheck, checker: MetricChecker, runs: Runs) -> Checked:
    """Compute the number from the file of the snapshot, and compare it.

    Raises:
        SandboxUnavailable: nothing can be said; neither file nor module is to blame.
    """
    request = checkers.computing(checker, plan.request)
    result = await runs.run(request, what=f"computing by checker {checker.name}")
    found = checkers.read_computed(result)
    judgement = checkers.judge_computed(asked, result, found)
    way_out = levels.way_out(plan.level, asked)
    judgement = levels.held_to(plan.level, judgement, way_out, check=asked)
    return Checked(judgement, request, result, checkers.told(checker, request, found))
