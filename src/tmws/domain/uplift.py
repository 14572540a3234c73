"""What a recommendation is worth: tasks that saw the best pattern against those that did not."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tmws.domain.proportions import Interval, difference, wilson


@dataclass(frozen=True, slots=True)
class Trials:
    """Days on which agents had a task for which a pattern was the best.

    Attributes:
        count: an agent counts once a day, however often it asks.
        reported: those of which the outcome was told.
        good: how much of these went well, a partial success as half.
    """

    count: int = 0
    reported: int = 0
    good: float = 0.0

    def __add__(self, other: Trials) -> Trials:
        """Return both together."""
        return Trials(
            self.count + other.count, self.reported + other.reported, self.good + other.good
        )


NONE = Trials()


@dataclass(frozen=True, slots=True)
class Uplift:
    """How tasks went that saw a pattern, and how those from which it was withheld."""

    shown: Trials = NONE
    withheld: Trials = NONE

    @property
    def outcomes(self) -> int:
        """How many outcomes there are to compare: those of the side that has fewer."""
        return min(self.shown.reported, self.withheld.reported)

    @property
    def difference(self) -> Interval | None:
        """Success of the one less that of the other, with its 90 % interval.

        None until both have an outcome.
        """
        shown = wilson(self.shown.good, self.shown.reported)
        withheld = wilson(self.withheld.good, self.withheld.reported)
        return difference(shown, withheld) if shown and withheld else None

    def __add__(self, other: Uplift) -> Uplift:
        """Return both together."""
        return Uplift(self.shown + other.shown, self.withheld + other.withheld)


UNTRIED = Uplift()
"""Where nothing was measured."""


def is_withheld(salt: bytes, *, agent_id: str, pattern_id: str, day: int, share: float) -> bool:
    """Say whether a pattern is withheld from an agent today.

    It is so all day: whoever asks again must not get to see it by luck.

    Args:
        salt: chance that nobody can foresee, the same all day.
        day: counted from any day on.
        share: of agents' days on which it is withheld.
    """
    named = f"{agent_id}\n{pattern_id}\n{day}".encode()
    return uniform(hashlib.sha256(salt + named).digest()) < share


def uniform(random: bytes) -> float:
    """Return a number strictly between 0 and 1 from at least six bytes of chance."""
    return (int.from_bytes(random[:6], "big") + 0.5) / 256**6
