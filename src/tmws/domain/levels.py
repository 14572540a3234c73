"""What a verdict has to reach, and what it cannot exclude although it did."""

from __future__ import annotations

import dataclasses

from tmws.domain.claims import (
    AddedCheck,
    Check,
    ComputedCheck,
    CoverageCheck,
    Judgement,
    Level,
    MetricCheck,
    MypyCheck,
    PytestCheck,
    PythonCheck,
    Reason,
    RuffCheck,
    TimingCheck,
    Verdict,
)

CANNOT_EXCLUDE = {
    Level.OBSERVED: "At level observed it is only known that something ran.",
    Level.REPRODUCED: (
        "Level reproduced cannot exclude tests that check nothing, set-up that replaces what is "
        "tested, and code that deceives the test run from inside its process."
    ),
    Level.PINNED: (
        "Level pinned cannot exclude trusted tests that check too little, and code that deceives "
        "the test run from inside its process."
    ),
    Level.INDEPENDENT: (
        "Level independent cannot exclude what its cases do not ask, and code that knows their "
        "answers by heart."
    ),
}
"""Told with every verdict that holds, and in its evidence."""

COMPUTED_CANNOT_EXCLUDE = (
    "The checker is the administrator's and no code of the workspace ran, but it cannot be "
    "excluded that the file was made up: how it came to be, nobody watched."
)

# What the words above say of tests would mislead where no test ran.
_WITHOUT_TESTS: tuple[tuple[type[Check], Level, str], ...] = (
    (ComputedCheck, Level.REPRODUCED, COMPUTED_CANNOT_EXCLUDE),
    *(
        (linter, level, told)
        for linter in (RuffCheck, MypyCheck)
        for level, told in {
            Level.REPRODUCED: (
                "Level reproduced cannot exclude settings and comments of the workspace that "
                "leave little to find."
            ),
            Level.PINNED: "Level pinned cannot exclude trusted settings that leave little to find.",
        }.items()
    ),
    (
        PythonCheck,
        Level.REPRODUCED,
        "Level reproduced says how the script ended; it cannot exclude that it would end so "
        "whatever it was to show.",
    ),
    (
        MetricCheck,
        Level.REPRODUCED,
        "Level reproduced says that this run wrote this number; it cannot exclude a script that "
        "hides where the number comes from.",
    ),
    (
        TimingCheck,
        Level.REPRODUCED,
        "Level reproduced says how long the script took on this machine; it cannot exclude that "
        "it did less than it was to do.",
    ),
    (
        AddedCheck,
        Level.REPRODUCED,
        "Level reproduced rests on the tool's exit status; it cannot exclude settings and files "
        "of the workspace that leave the tool little to find.",
    ),
)


def cannot_exclude(level: Level, check: Check) -> str:
    """Say what a verdict about this check cannot exclude although it reached the level."""
    told = (told for kind, at, told in _WITHOUT_TESTS if level is at and isinstance(check, kind))
    return next(told, CANNOT_EXCLUDE[level])


def strongest(*asked: Level | None) -> Level:
    """Return the most that anybody asks for; nobody asks for less than `reproduced`."""
    order = list(Level)
    return max((Level.REPRODUCED, *filter(None, asked)), key=order.index)


def held_to(needed: Level, judgement: Judgement, way_out: str, *, check: Check) -> Judgement:
    """Return the judgement as it counts where `needed` is the least level.

    What failed has failed at any level; what held has to reach the level to count.

    Args:
        way_out: what would help where it does not reach it.
        check: what was claimed.
    """
    if judgement.verdict is not Verdict.SUPPORTED:
        return judgement
    if judgement.level.reaches(needed):
        told = f"{judgement.detail} {cannot_exclude(judgement.level, check)}"
        return dataclasses.replace(judgement, detail=told)
    return dataclasses.replace(
        judgement,
        verdict=Verdict.INCONCLUSIVE,
        reason=Reason.LEVEL_NOT_REACHED,
        detail=(
            f"{judgement.detail} That is level {judgement.level.value}; this verdict has to reach "
            f"{needed.value}. {way_out}"
        ),
    )


def way_out(needed: Level, check: Check) -> str:
    """Say what would let a verdict about this check reach the level."""
    if needed is Level.INDEPENDENT:
        return "Only a held check reaches it: ask an administrator for one, or ask for less."
    if isinstance(check, PythonCheck | MetricCheck | TimingCheck):
        return "How a script ends is known at level reproduced at most; claim by tests."
    if isinstance(check, ComputedCheck):
        return "How the file came to be is not known; a held check asks the code itself."
    if isinstance(check, AddedCheck):
        return f"Profile {check.tool} reaches level reproduced at most; claim by another one."
    what = "tests and settings" if isinstance(check, PytestCheck | CoverageCheck) else "settings"
    return f"Ask an administrator to register trusted {what}, or ask for level reproduced."
