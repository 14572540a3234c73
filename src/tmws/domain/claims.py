"""What an agent claims, what checks it, and what the run says about it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What one check says about a claim, after the labels of fact verification."""

    SUPPORTED = "SUPPORTED"
    REFUTED = "REFUTED"
    INCONCLUSIVE = "INCONCLUSIVE"

    @property
    def accurate(self) -> bool | None:
        """The verdict as three-valued truth: None says that nothing was decided."""
        return {Verdict.SUPPORTED: True, Verdict.REFUTED: False}.get(self)


class Level(StrEnum):
    """How much a verdict rests on, weakest first.

    `observed` (it ran) alone is never SUPPORTED. `reproduced`: fresh snapshot,
    fixed argv, report and exit status agree, what ran is listed, nothing skipped.
    `pinned`: tests and settings come from whom the claimant cannot reach.
    `independent`: the code answered another process, which compared.
    """

    OBSERVED = "observed"
    REPRODUCED = "reproduced"
    PINNED = "pinned"
    INDEPENDENT = "independent"

    def reaches(self, other: Level) -> bool:
        """Tell whether this level is as strong as the other, or stronger."""
        order = list(Level)
        return order.index(self) >= order.index(other)


class Reason(StrEnum):
    """Why a verdict is what it is."""

    CHECK_PASSED = "check_passed"
    CHECK_FAILED = "check_failed"
    COUNT_DIFFERS = "count_differs"
    NOTHING_CHECKED = "nothing_checked"
    TIMED_OUT = "timed_out"
    OUT_OF_MEMORY = "out_of_memory"
    OUTPUT_EXCEEDED = "output_exceeded"
    SIGNALED = "signaled"
    USAGE_ERROR = "usage_error"
    MISSING_DEPENDENCY = "missing_dependency"
    SANDBOX_LIMIT = "sandbox_limit"
    TOO_NOISY = "too_noisy"
    TAMPER_SUSPECTED = "tamper_suspected"
    SKIPPED = "skipped"
    OBSERVED_ONLY = "observed_only"
    LEVEL_NOT_REACHED = "level_not_reached"
    RUNS_DIFFER = "runs_differ"
    CHECKER_FAILED = "checker_failed"


@dataclass(frozen=True, slots=True)
class PytestCheck:
    """The named tests pass, and no more of them than allowed are skipped.

    Attributes:
        targets: files, folders or `file::test` ids of the workspace; all if empty. Texts
            (.txt, .rst) are tested for the examples in them.
        keyword: pytest's `-k` in its plain form, or None.
        passed: exactly how many tests pass, or None for "at least one".
        allow_skipped: how many tests may be skipped or expected to fail; they never
            count as passed.
        marker: pytest's `-m` in its plain form, or None.
    """

    targets: tuple[str, ...] = ()
    keyword: str | None = None
    passed: int | None = None
    allow_skipped: int = 0
    marker: str | None = None


@dataclass(frozen=True, slots=True)
class RuffCheck:
    """`ruff check` finds nothing in the targets (the whole workspace if empty)."""

    targets: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MypyCheck:
    """mypy finds no error in the targets (the whole workspace if empty)."""

    targets: tuple[str, ...] = ()
    strict: bool = False


@dataclass(frozen=True, slots=True)
class PythonCheck:
    """A script of the workspace exits with the given status (0 to 125)."""

    script: str
    exit_code: int = 0


@dataclass(frozen=True, slots=True)
class CoverageCheck:
    """The named tests pass and execute at least so much of the named source.

    Attributes:
        source: the folder or Python file whose lines are counted, tests in it too.
        percent: executed lines of a hundred, > 0 and at most 100; compared exactly to
            two decimals, never rounded up.
        branch: count branches beside lines, as `coverage --branch` does.
        targets, keyword, marker, allow_skipped: which tests, as in `PytestCheck`.
    """

    source: str
    percent: float
    branch: bool = False
    targets: tuple[str, ...] = ()
    keyword: str | None = None
    marker: str | None = None
    allow_skipped: int = 0

    @property
    def tests(self) -> PytestCheck:
        """The claim about the tests that this claim contains."""
        return PytestCheck(
            self.targets, self.keyword, allow_skipped=self.allow_skipped, marker=self.marker
        )


@dataclass(frozen=True, slots=True)
class MetricCheck:
    """A number in a JSON file is as claimed.

    Attributes:
        file: where the number stands; the script has to write it anew.
        operator: `<=`, `>=` or `==`.
        script: computes the number from the workspace; without one, the file is only read.
        pointer: the number's place in the file (RFC 6901); the whole file if empty.
        absolute, relative: tolerance, the greater of the two; `relative` to the value.
    """

    file: str
    operator: str
    value: float
    script: str | None = None
    pointer: str = ""
    absolute: float = 0.0
    relative: float = 0.0


@dataclass(frozen=True, slots=True)
class ComputedCheck:
    """The number that an administrator's checker computes from a file is as claimed.

    Attributes:
        checker: name of the registered module.
        file: of the workspace; its bytes are all that the module gets.
        operator, value, absolute, relative: as in `MetricCheck`.
    """

    checker: str
    file: str
    operator: str
    value: float
    absolute: float = 0.0
    relative: float = 0.0


@dataclass(frozen=True, slots=True)
class HeldCheck:
    """The code answers the questions that an administrator keeps under this name."""

    name: str


@dataclass(frozen=True, slots=True)
class TimingCheck:
    """A script takes at most so long, the start of an interpreter not counted.

    Attributes:
        seconds: the bound on the quantile of its runs.
        clock: `cpu` or `wall`.
    """

    script: str
    seconds: float
    quantile: float = 0.5
    clock: str = "cpu"


@dataclass(frozen=True, slots=True)
class NodeTestCheck:
    """The tests of Node's own runner pass in the targets.

    Attributes:
        targets: test files and folders; all that `node --test` finds if empty.
        passed: exactly how many tests pass, or None for "at least one".
        allow_skipped: how many may be skipped, `todo` or expected to fail.
    """

    targets: tuple[str, ...] = ()
    passed: int | None = None
    allow_skipped: int = 0


@dataclass(frozen=True, slots=True)
class NpmTestCheck:
    """What package.json's `test` script runs passes, where that is `node --test`."""

    passed: int | None = None
    allow_skipped: int = 0


@dataclass(frozen=True, slots=True)
class AddedCheck:
    """A tool that an administrator added ends with a status that its profile counts as well.

    Attributes:
        tool: name of the profile.
        options: names and values, in the order of the profile; the value of a flag is empty.
        targets: files and folders of the workspace.
    """

    tool: str
    options: tuple[tuple[str, str], ...] = ()
    targets: tuple[str, ...] = ()


ScriptCheck = PythonCheck | MetricCheck | TimingCheck
Check = (
    PytestCheck
    | RuffCheck
    | MypyCheck
    | CoverageCheck
    | HeldCheck
    | ComputedCheck
    | ScriptCheck
    | NodeTestCheck
    | NpmTestCheck
    | AddedCheck
)


WITHDRAWN = "Withdrawn by an administrator: it counts for nothing."
"""What stands before whatever a verdict says that was taken back."""

_UNFINISHED = frozenset(
    {Reason.TIMED_OUT, Reason.OUT_OF_MEMORY, Reason.OUTPUT_EXCEEDED, Reason.SIGNALED}
)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict with all that it rests on.

    Attributes:
        detail: one or two sentences for the agent: what was seen, and what to do
            when the check could not decide.
        counts: numbers from the machine report, e.g. passed, failed, findings.
        items: ids of what failed or was found, at most 50.
        flags: what in the workspace lowered the level, `file: what` each.
        flaky: the same check of the same snapshot came out otherwise, now or before.
    """

    verdict: Verdict
    reason: Reason
    level: Level
    detail: str
    counts: dict[str, int]
    items: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    flaky: bool = False

    def differs_from(self, earlier: Iterable[Judgement]) -> bool:
        """Say whether one snapshot both held and failed, or once came to no end."""
        ends = {end for each in (self, *earlier) if (end := each._end()) is not None}
        return len(ends) > 1

    def _end(self) -> Verdict | None:
        """Return how the run came out; None where something else than the run decided."""
        if self.verdict is Verdict.INCONCLUSIVE and self.reason not in _UNFINISHED:
            return None
        return self.verdict
