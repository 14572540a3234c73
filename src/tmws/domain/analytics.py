"""What the use of many patterns says: how often, how well, what rises, what decays."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Self

from tmws.domain.errors import InvalidInput
from tmws.domain.proportions import (
    Interval,
    binomial_tail,
    discoveries,
    hypergeometric_tail,
    wilson,
)

DEFAULT_SPAN = timedelta(weeks=12)
LONGEST_SPAN = timedelta(days=3660)

TREND_SPAN = timedelta(weeks=4)
"""A trend compares the last four weeks with the four before."""

FALSE_SHARE = 0.1
"""Of all trends that are told, at most this share is expected to be there by chance."""

FEWEST_USES = 5
"""Patterns with fewer uses in both spans together are not tested: nothing could be said."""

WEEK = timedelta(weeks=1)

_MOST_BUCKETS = 26
_BUCKET_WEEKS = (1, 4, 13, 52)
_FIRST_MONDAY = datetime(1969, 12, 29, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Outcomes:
    """How often patterns were used and how that went."""

    successes: int = 0
    partials: int = 0
    failures: int = 0

    @property
    def uses(self) -> int:
        return self.successes + self.partials + self.failures

    @property
    def success(self) -> Interval | None:
        """Share of uses that succeeded, a partial one as half, with its 90 % interval."""
        return wilson(self.successes + self.partials / 2, self.uses)

    def __add__(self, other: Self) -> Self:
        """Return both together."""
        sums = (mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True))
        return type(self)(*sums)

    def __sub__(self, other: Self) -> Self:
        """Return what is left without those."""
        rest = (mine - theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True))
        return type(self)(*rest)


@dataclass(frozen=True, slots=True)
class Tally(Outcomes):
    """How often and how well patterns of some kind were used.

    Attributes:
        proven: uses that a checked claim backs.
        patterns: how many there are; `never_used` of them have no use at all.
    """

    proven: int = 0
    patterns: int = 0
    never_used: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """The uses of one stretch of time that begins here."""

    start: datetime
    outcomes: Outcomes


@dataclass(frozen=True, slots=True)
class Span:
    """The time that is looked at, cut into stretches of equal length.

    Attributes:
        start: a Monday, midnight UTC, at or before what was asked for.
        bucket: length of one stretch, whole weeks.
    """

    start: datetime
    end: datetime
    bucket: timedelta

    @property
    def starts(self) -> list[datetime]:
        """Where each stretch begins, oldest first."""
        count = math.ceil((self.end - self.start) / self.bucket) or 1
        return [self.start + number * self.bucket for number in range(count)]


class Direction(StrEnum):
    """Where a pattern is going."""

    RISING = "rising"
    DECAYING = "decaying"


class Cause(StrEnum):
    """What changed: how often it is used, or how well that goes."""

    USE = "use"
    SUCCESS = "success"


@dataclass(frozen=True, slots=True)
class Windows:
    """A pattern's uses in the last span and in the one before.

    An agent counts once a day, and the pattern's owner not at all, so that nobody makes
    a trend alone in an afternoon.
    """

    recent: int = 0
    recent_good: int = 0
    before: int = 0
    before_good: int = 0


@dataclass(frozen=True, slots=True)
class Trend:
    """A change beyond chance.

    Attributes:
        chance: how probable so large a change is if nothing changed.
    """

    pattern_id: str
    direction: Direction
    cause: Cause
    windows: Windows
    chance: float


def span_of(since: datetime | timedelta | None, *, at: datetime) -> Span:
    """Return the time to look at: the last twelve weeks unless told otherwise.

    Args:
        since: a moment, or how long before the present one.

    Raises:
        InvalidInput: it begins in the future or more than ten years ago.
    """
    if isinstance(since, datetime):
        asked = since.astimezone(UTC)
    else:
        asked = at - (DEFAULT_SPAN if since is None else since)
    if not at - LONGEST_SPAN <= asked <= at:
        raise InvalidInput(
            f"since {asked:%Y-%m-%d} is refused: give a day of the last ten years, or leave it "
            "out for the last twelve weeks."
        )
    start = _FIRST_MONDAY + week_of(asked) * WEEK
    fitting = (weeks for weeks in _BUCKET_WEEKS if (at - start) <= _MOST_BUCKETS * weeks * WEEK)
    return Span(start, at, next(fitting) * WEEK)


def week_of(at: datetime) -> int:
    """Return the number of the week, counted from the Monday before 1970 began."""
    return (at - _FIRST_MONDAY) // WEEK


def over_time(span: Span, counted: Mapping[int, Outcomes]) -> tuple[Bucket, ...]:
    """Return every stretch of the span, those without a use as well.

    Args:
        counted: by the number of the stretch, 0 for the first.
    """
    return tuple(
        Bucket(start, counted.get(number, Outcomes())) for number, start in enumerate(span.starts)
    )


def grouped(parts: Iterable[tuple[str, Tally]]) -> tuple[tuple[str, Tally], ...]:
    """Return the sums by name, those with most patterns first."""
    sums: dict[str, Tally] = {}
    for name, tally in parts:
        sums[name] = sums.get(name, Tally()) + tally
    return tuple(sorted(sums.items(), key=lambda each: (-each[1].patterns, each[0])))


def trends(seen: Mapping[str, Windows], *, tested: int) -> tuple[Trend, ...]:
    """Return what changed beyond chance, the surest first.

    More use, less use and less success are three questions, and each is asked of every
    tested pattern. Use: would so uneven a split of all uses over two equal spans come by
    chance (exact binomial test)? Success: would so few of the recent uses be good ones if
    nothing had changed (Fisher's exact test)? What passes is bounded by its share of
    false discoveries, so five uses after none are no rise among a thousand patterns.

    Args:
        tested: how many patterns had enough uses to be asked about; those that are not
            in `seen` had no chance to pass.
    """
    found = [trend for pattern_id, each in seen.items() for trend in _asked(pattern_id, each)]
    limit = discoveries(
        [trend.chance for trend in found], tested=3 * tested, false_share=FALSE_SHARE
    )
    passed = [trend for trend in found if trend.chance <= limit]
    return tuple(sorted(passed, key=lambda trend: (trend.chance, trend.pattern_id)))


def _asked(pattern_id: str, seen: Windows) -> list[Trend]:
    count = seen.recent + seen.before
    if count < FEWEST_USES:
        return []
    worse = hypergeometric_tail(
        seen.recent_good, seen.recent, seen.recent_good + seen.before_good, count
    )
    return [
        Trend(pattern_id, Direction.RISING, Cause.USE, seen, binomial_tail(seen.recent, count)),
        Trend(pattern_id, Direction.DECAYING, Cause.USE, seen, binomial_tail(seen.before, count)),
        Trend(pattern_id, Direction.DECAYING, Cause.SUCCESS, seen, worse),
    ]
