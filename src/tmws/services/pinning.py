"""A verdict at level `pinned`: trusted tests and settings, run until they are believed.

First the trusted tests as they are. Then again on a clean slot, in another order and
with tests of ours that must fail. Then with small faults in the tested code, until the
tests notice one. What fails in the first run is refuted; what the other runs do not
bear out is never supported.
"""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass, field

from tmws.domain import levels, mutation, rechecks, trusted_refs
from tmws.domain.canonical import Json, canonical_bytes, sha256_hex
from tmws.domain.cases import Case, number
from tmws.domain.claims import (
    Check,
    CoverageCheck,
    Judgement,
    Level,
    MypyCheck,
    PytestCheck,
    Reason,
    RuffCheck,
    Verdict,
)
from tmws.domain.commands import build_request, reordered
from tmws.domain.execution import ExecutionRequest, ExecutionResult
from tmws.domain.judging import judge
from tmws.domain.records import ReportInvalid
from tmws.domain.reports import (
    CoverageReport,
    LintReport,
    PytestReport,
    parse_report,
)
from tmws.domain.snapshots import Snapshot
from tmws.domain.trusted_refs import TrustedRef
from tmws.ports import Chance
from tmws.services.runs import Checked, OutOfTime, Plan, Runs

MOST_FAULTS = 6
MOST_LISTED_TESTS = 1000
_LEAST_FAULT_SECONDS = 5.0


async def check(plan: Plan, ref: TrustedRef, runs: Runs, chance: Chance) -> Checked:
    """Decide the check by the ref's tests and settings.

    Raises:
        SandboxUnavailable: nothing can be said; the program is not to blame.
    """
    pinned = await asyncio.to_thread(trusted_refs.pinned, plan.snapshot, ref)
    story = _Story(plan.check, pinned, ref, plan.request, runs, chance)
    result = await runs.run(plan.request)
    judgement = _at_pinned(await story.judged(result, pinned))
    if judgement.verdict is Verdict.SUPPORTED:
        try:
            judgement = await story.borne_out(judgement, result)
        except OutOfTime:
            judgement = _case(judgement).open(
                Reason.TIMED_OUT,
                "The runs that level pinned takes did not fit into its time, three times that of "
                "one check. Name fewer targets or ask for more time.",
            )
    way_out = (
        levels.way_out(plan.level, plan.check)
        if judgement.level is Level.PINNED
        else f"Mend what made the level fall, have an administrator renew the trusted ref "
        f"{ref.name}, or ask for level reproduced."
    )
    held = levels.held_to(plan.level, judgement, way_out, check=plan.check)
    return Checked(held, plan.request, result, story.told())


@dataclass(slots=True)
class _Story:
    """What is done for one verdict."""

    check: Check
    pinned: Snapshot
    ref: TrustedRef
    first: ExecutionRequest
    runs: Runs
    chance: Chance
    tests: tuple[str, ...] = ()
    planted: int = 0
    faults: list[str] = field(default_factory=list)
    noticed: bool = False

    async def judged(
        self, result: ExecutionResult, snapshot: Snapshot, asked: Check | None = None
    ) -> Judgement:
        check, trusted = asked or self.check, self.ref.file_paths
        return await asyncio.to_thread(judge, check, snapshot, result, trusted=trusted)

    async def borne_out(self, judgement: Judgement, result: ExecutionResult) -> Judgement:
        """Return what the further runs leave of a verdict that holds."""
        first = parse_report(result.report or b"")
        asked = self.check
        if isinstance(first, CoverageReport) and isinstance(asked, CoverageCheck):
            first, asked = first.tests, asked.tests
        if isinstance(first, PytestReport) and isinstance(asked, PytestCheck):
            self.tests = first.collected
            against = await self._second_tests(asked, judgement, first)
            return against or await self._faulty(judgement, asked, first, result)
        if isinstance(first, LintReport) and isinstance(self.check, RuffCheck | MypyCheck):
            against = await self._second_findings(self.check, judgement, first)
            return against or self._unsilenced(judgement)
        return judgement

    def _request(self, check: Check, snapshot: Snapshot) -> ExecutionRequest:
        """Return another run with the limits and the packages of the first."""
        return build_request(check, snapshot, self.first.limits, self.first.environment)

    async def _second_tests(
        self, asked: PytestCheck, judgement: Judgement, first: PytestReport
    ) -> Judgement | None:
        token = self.chance(8).hex()
        planted = rechecks.plant_tests(asked, self.pinned, first, self.ref.file_paths, token)
        self.planted = len(planted.ids)
        if not planted.ids:
            return _case(judgement).distrusted("No test that passed is one of the trusted ref.")
        request = self._request(planted.check, planted.snapshot)
        seed = int.from_bytes(self.chance(4), "big")
        result = await self.runs.run(reordered(request, seed), what="running in another order")
        second = await asyncio.to_thread(_report, result)
        if isinstance(second, PytestReport):
            return rechecks.recheck_tests(_case(judgement), asked, first, second, planted.ids)
        return _case(judgement).distrusted("The second run did not come to its end.")

    async def _faulty(
        self, judgement: Judgement, asked: PytestCheck, first: PytestReport, result: ExecutionResult
    ) -> Judgement:
        """Put faults into the tested code, one at a time, until the tests notice one."""
        ran = {test.id.partition("::")[0] for test in first.tests if test.outcome.passed}
        tests = [file for file in self.ref.files if file.path in ran]
        untrusted = _without(self.pinned, self.ref)
        sampled = await asyncio.to_thread(
            mutation.sample, untrusted, tests, order=self.chance(8), most=MOST_FAULTS
        )
        most = max(_LEAST_FAULT_SECONDS, 3 * result.wall_seconds)
        for fault in sampled:
            faulty = fault.applied(self.pinned)
            request = self._request(asked, faulty)
            seen = await self.runs.run(request, what=f"with a fault: {fault}", most=most)
            self.faults.append(str(fault))
            found = await self.judged(seen, faulty, asked)
            if found.reason is Reason.CHECK_FAILED and any("::" in item for item in found.items):
                self.noticed = True
                return self._told(judgement, "the tests noticed a fault that was put into the code")
        return _fallen(judgement, _unnoticed(self.faults))

    async def _second_findings(
        self, asked: RuffCheck | MypyCheck, judgement: Judgement, first: LintReport
    ) -> Judgement | None:
        planted = rechecks.plant_findings(asked, self.pinned, first, self.chance(8).hex())
        self.planted = len(planted.ids)
        request = self._request(asked, planted.snapshot)
        result = await self.runs.run(request, what="with something to be found")
        second = await asyncio.to_thread(_report, result)
        if isinstance(second, LintReport):
            return rechecks.recheck_findings(_case(judgement), second, planted.ids)
        return _case(judgement).distrusted("The second run did not come to its end.")

    def _unsilenced(self, judgement: Judgement) -> Judgement:
        """Let comments silence no more than they do in the source of the ref."""
        silenced = trusted_refs.silencing_comments(self.pinned.python_files())
        if silenced > self.ref.silenced:
            return _fallen(
                judgement,
                f"{number(silenced, 'comment')} silence the tool, "
                f"{self.ref.silenced} do where {self.ref.name} was taken from",
            )
        return self._told(judgement, "what was put in to be found was found")

    def _told(self, judgement: Judgement, last: str) -> Judgement:
        counts = {**judgement.counts, "runs": self.runs.count}
        told = (
            f"{judgement.detail} By the trusted ref {self.ref.name}: a second run agrees, {last}."
        )
        return dataclasses.replace(judgement, counts=counts, detail=told)

    def told(self) -> dict[str, Json]:
        """Return what was done, for the evidence."""
        return {
            "ref": {
                "name": self.ref.name,
                "source": self.ref.source,
                "sha256": self.ref.digest,
            },
            "pinned_snapshot_sha256": self.pinned.digest,
            "runs": self.runs.count,
            "tests": list(self.tests[:MOST_LISTED_TESTS]),
            "tests_sha256": sha256_hex(canonical_bytes(list(self.tests))),
            "planted": self.planted,
            "faults": list(self.faults),
            "fault_noticed": self.noticed,
        }


def _at_pinned(judgement: Judgement) -> Judgement:
    """Trusted files decided: what they showed without a doubt is of that level."""
    if judgement.level is Level.REPRODUCED:
        return dataclasses.replace(judgement, level=Level.PINNED)
    return judgement


def _fallen(judgement: Judgement, why: str) -> Judgement:
    detail = f"{judgement.detail} The level falls: {why}."
    return dataclasses.replace(judgement, level=Level.REPRODUCED, detail=detail)


def _unnoticed(faults: list[str]) -> str:
    if not faults:
        return "no function was found to put a fault into, so the tests could not be tried"
    told = "; ".join(faults[:3])
    return f"the tests noticed none of {number(len(faults), 'fault')} put into the code ({told})"


def _case(judgement: Judgement) -> Case:
    return Case(judgement.counts, judgement.flags)


def _without(snapshot: Snapshot, ref: TrustedRef) -> Snapshot:
    trusted = ref.file_paths
    return Snapshot.of(file for file in snapshot.files if file.path not in trusted)


def _report(result: ExecutionResult) -> object:
    """Return the report of a run that came to its end, None of any other."""
    try:
        report = parse_report(result.report or b"")
    except ReportInvalid:
        return None
    if not isinstance(report, PytestReport | LintReport):
        return None
    return report if report.status is not None and report.status == result.exit_code else None
