"""Several runs of one verdict, under one budget of time."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from tmws.domain.added_profiles import AddedProfile
from tmws.domain.canonical import Json
from tmws.domain.checkers import MetricChecker
from tmws.domain.claims import Check, Judgement, Level
from tmws.domain.execution import ExecutionRequest, ExecutionResult
from tmws.domain.held import Held
from tmws.domain.snapshots import Snapshot
from tmws.domain.trusted_refs import TrustedRef
from tmws.ports import Progress, Sandbox

_LEAST_SECONDS = 1.0


class OutOfTime(Exception):
    """The runs before took all the time that the verdict may take."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A check on a snapshot, ready to be run; making it refused what can't be run.

    Attributes:
        seconds: what all its runs together may take.
        ref: whose tests and settings are run, None for the workspace's own.
        held: the questions that are asked instead.
        checker: the module that computes the claimed number.
        added: the administrator's profile that decides, None for a built-in one.
    """

    check: Check
    snapshot: Snapshot
    request: ExecutionRequest
    level: Level
    seconds: float
    ref: TrustedRef | None = None
    held: Held | None = None
    checker: MetricChecker | None = None
    added: AddedProfile | None = None

    @property
    def basis(self) -> str | None:
        """Return the digest of what it is judged by beside the workspace."""
        by = self.ref or self.held or self.checker or self.added
        return by.digest if by else None


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check showed, and the run that it rests on.

    Attributes:
        assurance: what was done beside that run, for the evidence.
    """

    judgement: Judgement
    request: ExecutionRequest
    result: ExecutionResult
    assurance: dict[str, Json] | None = None


class Runs:
    """Runs one request after the other, each in a fresh slot."""

    def __init__(self, sandbox: Sandbox, seconds: float, progress: Progress) -> None:
        self._sandbox = sandbox
        self._progress = progress
        self._left = seconds
        self.count = 0

    async def run(
        self, request: ExecutionRequest, *, what: str | None = None, most: float | None = None
    ) -> ExecutionResult:
        """Run it within what is left of the time.

        Args:
            what: told to whoever waits.
            most: seconds that this run may take, if less than its limits say.

        Raises:
            OutOfTime: nothing is left.
            SandboxUnavailable: no run took place, or its result was lost.
        """
        if self._left < _LEAST_SECONDS:
            raise OutOfTime
        if what is not None:
            await self._progress(what)
        wall = min(request.limits.wall_seconds, self._left, most or self._left)
        limits = dataclasses.replace(request.limits, wall_seconds=wall)
        limited = dataclasses.replace(request, limits=limits)
        result = await self._sandbox.run(limited, progress=self._progress)
        self._left -= result.wall_seconds
        self.count += 1
        return result
