"""How much one agent may keep, and how fast it may write: bounds that only a loop meets.

What is kept can be forgotten, so it is bounded by its size. What stays for good, such as a
reported use or an entry of the ledger, is bounded by how much of it comes in a day.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from tmws.domain.canonical import canonical_bytes
from tmws.domain.errors import InvalidInput, LimitExceeded
from tmws.domain.patterns import Pattern
from tmws.domain.versions import Content, content_of

ROW_BYTES = 4096
"""What a pattern, a version or a note takes beside its text: its row, vector and indexes."""

MOST_MIB = 1_048_576
FEWEST_DAILY_WRITES, MOST_DAILY_WRITES = 500, 100_000_000

_DAY_MICROSECONDS = timedelta(days=1) // timedelta(microseconds=1)
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Quota:
    """What one agent may have, all names that are known to be its own together.

    Attributes:
        stored_bytes: of its patterns with all their versions, and of its notes.
        daily_writes: of all that is written in its name; so many at once, then one after
            another as the day goes on.
    """

    stored_bytes: int
    daily_writes: int

    def but(self, allowed: Allowed) -> Quota:
        """Return what one agent may have that is allowed something else."""
        if allowed == NOTHING_ELSE:
            return self
        mib, writes = allowed.mib, allowed.daily_writes
        return replace(
            self,
            stored_bytes=self.stored_bytes if mib is None else mib * _MIB,
            daily_writes=self.daily_writes if writes is None else writes,
        )

    @property
    def spacing_microseconds(self) -> int:
        """How long a write takes to be given back."""
        # Rounded down: all of a day's together never take longer than that day.
        return _DAY_MICROSECONDS // self.daily_writes

    def require_room(self, used: Used, need: Need) -> None:
        """Return if what is about to be written fits in beside what there is.

        Raises:
            LimitExceeded: it does not; says which bound was met, and the way out.
        """
        if need.stored_bytes and used.stored_bytes + need.stored_bytes > self.stored_bytes:
            raise LimitExceeded(
                f"Not stored: it takes {_told(need.stored_bytes)}, and you keep "
                f"{_told(used.stored_bytes)} of {_told(self.stored_bytes)} in patterns, their "
                "versions and notes. Forget what you need no longer (remove_pattern, act "
                "'forget'), or ask the administrator: tmws agents quota."
            )
        ahead = used.ahead_microseconds + need.writes * self.spacing_microseconds
        over = ahead - self.daily_writes * self.spacing_microseconds
        if over <= 0:
            return
        if need.writes > self.daily_writes:
            raise LimitExceeded(
                f"Not stored: {need.writes} at once are more than the {self.daily_writes} that one "
                "agent may write a day. Send fewer, or ask the administrator: "
                "tmws agents quota."
            )
        seconds = -(-over // 1_000_000)
        raise LimitExceeded(
            f"Nothing was written: you wrote {self.written(used)} of {self.daily_writes} a day. "
            f"Retry after {seconds} s. If it is no loop, ask the administrator: tmws "
            "agents quota.",
            retryable=True,
            retry_after_seconds=float(seconds),
        )

    def written(self, used: Used) -> int:
        """Return how many writes have not been given back yet, counting a part as one."""
        return -(-used.ahead_microseconds // self.spacing_microseconds)


@dataclass(frozen=True, slots=True)
class Allowed:
    """What an administrator allows one agent in place of what all are allowed; None: that."""

    mib: int | None = None
    daily_writes: int | None = None

    @classmethod
    def together(cls, names: Iterable[Allowed]) -> Allowed:
        """Return what several names are allowed that are one agent's: the least that was said."""
        every = list(names)
        return cls(
            min((each.mib for each in every if each.mib is not None), default=None),
            min((n for each in every if (n := each.daily_writes) is not None), default=None),
        )

    def require_sound(self) -> None:
        """Return if an agent can be allowed this.

        Raises:
            InvalidInput: it is less or more than a setting may say.
        """
        for what, value, least, most in (
            ("MiB", self.mib, 1, MOST_MIB),
            ("writes a day", self.daily_writes, FEWEST_DAILY_WRITES, MOST_DAILY_WRITES),
        ):
            if value is not None and not least <= value <= most:
                raise InvalidInput(f"{value} {what} is refused: give {least} to {most}.")


NOTHING_ELSE = Allowed()
"""Than what all are allowed."""


@dataclass(frozen=True, slots=True)
class Used:
    """What one agent uses of its quota.

    Attributes:
        ahead_microseconds: time until all that it wrote is given back.
    """

    stored_bytes: int = 0
    ahead_microseconds: int = 0

    @classmethod
    def together(cls, names: Iterable[Used]) -> Used:
        """Return what several names use that are one agent's."""
        every = list(names)
        return cls(
            sum(each.stored_bytes for each in every),
            sum(each.ahead_microseconds for each in every),
        )


@dataclass(frozen=True, slots=True)
class Need:
    """What is about to be written."""

    stored_bytes: int = 0
    writes: int = 1

    @classmethod
    def together(cls, needs: Iterable[Need]) -> Need:
        """Return what several need that are written at once or not at all."""
        every = list(needs)
        return cls(sum(each.stored_bytes for each in every), sum(each.writes for each in every))


WRITE = Need()
"""What stays for good and cannot be forgotten, once."""


def ahead(until_microseconds: int, *, at_microseconds: int) -> int:
    """Return the time until all is given back, given when that is.

    No more than a day can be owed: what says so was written while a clock went wrong.
    """
    found = until_microseconds - at_microseconds
    return found if 0 < found <= _DAY_MICROSECONDS else 0


def need_of_pattern(pattern: Pattern, earlier: Iterable[Content] = ()) -> Need:
    """Return what a pattern takes, with all that it said before."""
    every = [need_of_version(content_of(pattern)), *map(need_of_version, earlier)]
    return Need.together(every)


def need_of_version(content: Content) -> Need:
    """Return what one version of a pattern takes."""
    text = len(content.summary.encode()) + len(canonical_bytes(content.data))
    return Need(ROW_BYTES + text)


def need_of_note(text: str) -> Need:
    """Return what a note takes."""
    return Need(ROW_BYTES + len(text.encode()))


def _told(size: int) -> str:
    return f"{size / _MIB:.1f} MiB" if size >= _MIB else f"{size / 1024:.1f} KiB"
