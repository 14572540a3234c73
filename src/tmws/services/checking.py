"""The step between a claim and its verdict: run the check, read what the runs showed."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tmws.domain import levels
from tmws.domain.added_judging import judge_added
from tmws.domain.added_profiles import NONE_ADDED, AddedProfiles
from tmws.domain.checkers import MetricChecker
from tmws.domain.claims import AddedCheck, Check, ComputedCheck, Judgement, Level
from tmws.domain.commands import build_request, validate
from tmws.domain.environments import Environment
from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import ExecutionResult, Limits
from tmws.domain.held import Held
from tmws.domain.judging import judge
from tmws.domain.notation import parse
from tmws.domain.snapshots import Snapshot
from tmws.domain.trusted_refs import TrustedRef, pinned
from tmws.ports import Chance, Progress, Sandbox
from tmws.services import asking, computing, pinning
from tmws.services.runs import Checked, Plan, Runs

_PINNED_TIMES = 3
"""All runs of a verdict at level `pinned` together may take so many times one run's time."""


@dataclass(frozen=True, slots=True)
class Basis:
    """What a verdict rests on beside the workspace.

    Attributes:
        level: the least that the verdict has to reach.
        ref: the trusted ref of the workspace, if there is one.
        held: the held check that the claim is about, if it is about one.
        checker: the module that computes what the claim is about, if one does.
        environment: the packages of the workspace, None for the tools alone.
    """

    level: Level
    ref: TrustedRef | None = None
    held: Held | None = None
    checker: MetricChecker | None = None
    environment: Environment | None = None


class Checker:
    """Decides checks by running them in the sandbox."""

    def __init__(
        self,
        sandbox: Sandbox,
        limits: Limits,
        chance: Chance,
        added: AddedProfiles = NONE_ADDED,
        *,
        modules: Sandbox | None = None,
    ) -> None:
        """Take the sandbox that runs commands, and the one that runs modules, if any does."""
        self._sandbox = sandbox
        self._modules = modules
        self._limits = limits
        self._chance = chance
        self._added = added

    def read(self, command: str) -> Check:
        """Return the check that a command line is notation for; it is never run as text.

        Raises:
            InvalidInput: with the allowed forms.
        """
        return parse(command, self._added)

    def validate(self, check: Check) -> None:
        """Refuse a check whose words break the grammar, before anything is read or started.

        Raises:
            InvalidInput: naming the part and the allowed form.
        """
        if isinstance(check, AddedCheck):
            self._added.of(check).validate(check)
        else:
            validate(check)

    def plan(self, check: Check, snapshot: Snapshot, basis: Basis) -> Plan:
        """Return how the check will be run.

        Raises:
            InvalidInput: the check breaks the grammar, or names what the snapshot lacks.
        """
        if isinstance(check, AddedCheck):
            added = self._added.of(check)
            request = added.request(check, snapshot, self._limits, basis.environment)
            seconds = request.limits.wall_seconds
            return Plan(check, snapshot, request, basis.level, seconds, added=added)
        if isinstance(check, ComputedCheck):
            require_modules(self._modules)
            request = build_request(check, snapshot, self._limits)
            seconds = request.limits.wall_seconds
            return Plan(check, snapshot, request, basis.level, seconds, checker=basis.checker)
        seconds, ref, packages = self._limits.wall_seconds, basis.ref, basis.environment
        if basis.level.reaches(Level.PINNED) and ref and ref.serves(check):
            request = build_request(check, pinned(snapshot, ref), self._limits, packages)
            return Plan(check, snapshot, request, basis.level, seconds * _PINNED_TIMES, ref)
        request = build_request(check, snapshot, self._limits, packages)
        return Plan(check, snapshot, request, basis.level, seconds, held=basis.held)

    async def check(self, plan: Plan, *, progress: Progress) -> Checked:
        """Run the check and judge it.

        Raises:
            SandboxUnavailable: nothing can be said; the program is not to blame.
            LimitExceeded: too many checks are waiting already.
        """
        if plan.checker is not None and isinstance(plan.check, ComputedCheck):
            runs = Runs(require_modules(self._modules), plan.seconds, progress)
            return await computing.check(plan, plan.check, plan.checker, runs)
        runs = Runs(self._sandbox, plan.seconds, progress)
        if plan.ref is not None:
            return await pinning.check(plan, plan.ref, runs, self._chance)
        if plan.held is not None:
            return await asking.check(plan, plan.held, runs, self._chance)
        result = await runs.run(plan.request)
        # In a thread: reading tedious code takes seconds, and others are being served.
        judgement = await asyncio.to_thread(_judged, plan, result)
        way_out = levels.way_out(plan.level, plan.check)
        judgement = levels.held_to(plan.level, judgement, way_out, check=plan.check)
        return Checked(judgement, plan.request, result)

    async def prepare(self) -> int:
        """Make the sandbox ready; return how many dead owners' runs it removed.

        Raises:
            SandboxUnavailable: no check can run now.
        """
        removed = await self._sandbox.sweep()
        await self._sandbox.warm(self._limits)
        return removed


def require_modules(modules: Sandbox | None) -> Sandbox:
    """Return what runs modules.

    Raises:
        SandboxUnavailable: an administrator switched it off; nothing else runs them.
    """
    if modules is None:
        raise SandboxUnavailable(
            "Checkers are switched off here (TMWS_CHECKERS=off), and nothing else runs modules. "
            "Claim by another profile, or ask an administrator.",
            retryable=False,
        )
    return modules


def _judged(plan: Plan, result: ExecutionResult) -> Judgement:
    if plan.added is not None and isinstance(plan.check, AddedCheck):
        return judge_added(plan.added, plan.check, plan.snapshot, result)
    return judge(plan.check, plan.snapshot, result)
