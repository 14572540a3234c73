"""Two threads for one search: numpy and simsimd let go of the interpreter while they multiply."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


def one_by_one(works: Sequence[Callable[[], T]]) -> list[T]:
    """Return what each piece of work gives."""
    return [work() for work in works]


class SideBySide:
    """A second thread, which begins when it is first needed."""

    def __init__(self) -> None:
        self._second: ThreadPoolExecutor | None = None

    def done(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Return what each piece of work gives, in their order.

        Whichever thread is free takes the next one. Where the second does not get to run,
        the first does everything and waits for nothing. After an error nothing runs any more.
        """
        if self._second is None:
            self._second = ThreadPoolExecutor(1, thread_name_prefix="vectors")
        found: dict[int, T] = {}
        left = deque(enumerate(works))
        second = self._second.submit(_take, left, found)
        try:
            _take(left, found)
        finally:
            left.clear()
            if not second.cancel():
                second.result()
        return [found[place] for place in range(len(works))]

    def close(self) -> None:
        """End the second thread."""
        if self._second is not None:
            self._second.shutdown()
            self._second = None


def _take(left: deque[tuple[int, Callable[[], T]]], found: dict[int, T]) -> None:
    """Do what is left, until nothing is."""
    while left:
        try:
            place, work = left.popleft()
        except IndexError:
            return  # the other thread was faster
        found[place] = work()
