"""A verdict at level `independent`: questions from another process, answers compared here."""

from __future__ import annotations

import asyncio

from tmws.domain import levels
from tmws.domain.canonical import Json
from tmws.domain.comparing import judge_answers
from tmws.domain.held import Held, asking
from tmws.ports import Chance
from tmws.services.runs import Checked, Plan, Runs


async def check(plan: Plan, held: Held, runs: Runs, chance: Chance) -> Checked:
    """Ask the questions in an order that nobody could foresee, and compare the answers.

    Raises:
        SandboxUnavailable: nothing can be said; the program is not to blame.
    """
    order = _drawn(len(held.questions), chance)
    request = asking(held, plan.request, order=order, token=chance(8).hex())
    result = await runs.run(request)
    judgement = await asyncio.to_thread(judge_answers, held, order, result)
    way_out = levels.way_out(plan.level, plan.check)
    judgement = levels.held_to(plan.level, judgement, way_out, check=plan.check)
    told: dict[str, Json] = {"name": held.name, "sha256": held.digest, "cases": len(order)}
    return Checked(judgement, request, result, {"held": told})


def _drawn(count: int, chance: Chance) -> list[int]:
    """Return the numbers below `count` in an order drawn by chance."""
    keys = {place: chance(8) for place in range(count)}
    return sorted(keys, key=keys.__getitem__)
