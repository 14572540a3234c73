"""The step between a claim and its verdict: run the check, read what the run showed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tmws.domain.claims import Check, Judgement, Level
from tmws.domain.commands import build_request
from tmws.domain.execution import ExecutionRequest, ExecutionResult, Limits
from tmws.domain.judging import judge
from tmws.domain.levels import held_to
from tmws.domain.snapshots import Snapshot
from tmws.ports import Progress, Sandbox


@dataclass(frozen=True, slots=True)
class Plan:
    """A check on a snapshot, ready to be run; making it refused what can't be run.

    Attributes:
        level: the least that the verdict has to reach.
    """

    check: Check
    snapshot: Snapshot
    request: ExecutionRequest
    level: Level


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check showed, and the run that it rests on."""

    judgement: Judgement
    request: ExecutionRequest
    result: ExecutionResult


class Checker:
    """Decides checks by running them in the sandbox."""

    def __init__(self, sandbox: Sandbox, limits: Limits) -> None:
        self._sandbox = sandbox
        self._limits = limits

    def plan(self, check: Check, snapshot: Snapshot, level: Level) -> Plan:
        """Return how the check will be run.

        Raises:
            InvalidInput: the check breaks the grammar, or names what the snapshot lacks.
        """
        return Plan(check, snapshot, build_request(check, snapshot, self._limits), level)

    async def check(self, plan: Plan, *, progress: Progress) -> Checked:
        """Run the check and judge it.

        Raises:
            SandboxUnavailable: nothing can be said; the program is not to blame.
            LimitExceeded: too many checks are waiting already.
        """
        result = await self._sandbox.run(plan.request, progress=progress)
        # In a thread: reading tedious code takes seconds, and others are being served.
        judgement = await asyncio.to_thread(judge, plan.check, plan.snapshot, result)
        return Checked(held_to(plan.level, judgement, plan.check), plan.request, result)

    async def prepare(self) -> int:
        """Make the sandbox ready; return how many dead owners' runs it removed.

        Raises:
            SandboxUnavailable: no check can run now.
        """
        removed = await self._sandbox.sweep()
        await self._sandbox.warm(self._limits)
        return removed
