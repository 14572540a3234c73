"""From one run of an added tool to a verdict: its exit status is all that it says."""

from __future__ import annotations

from tmws.domain.added_profiles import AddedProfile
from tmws.domain.cases import Case, number
from tmws.domain.claims import AddedCheck, Judgement, Reason
from tmws.domain.execution import ExecutionResult, Outcome
from tmws.domain.judging import unfinished
from tmws.domain.snapshots import Snapshot

NOT_THERE = 127
"""Status of our runner where the module is not in the environment; 126 where it raised."""


def judge_added(
    profile: AddedProfile, check: AddedCheck, snapshot: Snapshot, result: ExecutionResult
) -> Judgement:
    """Decide what the status of a tool, as its profile counts it, says about the claim."""
    files = profile.looked_at(check, snapshot)
    case = Case({"files": len(files)}, tuple(sorted(profile.bent_by(snapshot))))
    if result.outcome is not Outcome.EXITED or result.exit_code is None:
        return unfinished(case, result)
    if not files:
        return case.refuted(
            Reason.NOTHING_CHECKED, f"No file for {profile.name} lies in what the claim names."
        )
    if profile.module is not None and result.exit_code == NOT_THERE:
        return case.missing([profile.module])
    return _by_status(profile, case, result.exit_code)


def _by_status(profile: AddedProfile, case: Case, status: int) -> Judgement:
    case.counts["exit_code"] = status
    ended = f"{profile.name} ended with status {status}"
    if status in profile.fails:
        return case.refuted(Reason.CHECK_FAILED, f"{ended}: it found something.")
    if status not in profile.passes:
        return case.open(Reason.USAGE_ERROR, f"{ended}, which its profile takes for a failure.")
    if case.flags:
        return case.only_observed(ended)
    return case.supported(f"{ended} on {number(case.counts['files'], 'file')}.")
