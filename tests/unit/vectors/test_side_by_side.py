"""Two threads share the work of a search, and neither waits for one that cannot begin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Barrier, Event, Thread, current_thread

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.vectors.side_by_side import SideBySide, one_by_one

PATIENCE_SECONDS = 60


@given(st.lists(st.integers()))
def test_what_comes_out_stands_where_the_work_stood(numbers: list[int]) -> None:
    threads = SideBySide()
    works = [partial(int, number) for number in numbers]
    assert threads.done(works) == one_by_one(works) == numbers
    threads.close()


def test_two_pieces_run_at_the_same_time() -> None:
    threads = SideBySide()
    met = Barrier(2, timeout=PATIENCE_SECONDS)
    assert sorted(threads.done([met.wait, met.wait])) == [0, 1]
    threads.close()


def test_who_finds_the_second_thread_busy_does_all_alone() -> None:
    threads = SideBySide()
    begun, go_on = Barrier(3, timeout=PATIENCE_SECONDS), Event()

    def held_up() -> None:
        begun.wait()
        go_on.wait(PATIENCE_SECONDS)

    other = Thread(target=threads.done, args=([held_up, held_up],))
    other.start()
    begun.wait()
    assert set(threads.done([current_thread] * 20)) == {current_thread()}
    go_on.set()
    other.join()
    threads.close()


def test_an_error_is_raised_and_ends_the_work_of_both() -> None:
    threads = SideBySide()
    met = Barrier(2, timeout=PATIENCE_SECONDS)
    done: list[int] = []

    def failing() -> int:
        met.wait()
        raise MemoryError

    works: list[Callable[[], object]] = [failing, failing]
    works += [partial(done.append, each) for each in range(9)]
    with pytest.raises(MemoryError):
        threads.done(works)
    assert done == []
    threads.close()


def test_after_its_end_it_can_begin_anew() -> None:
    threads = SideBySide()
    threads.close()
    assert threads.done([int]) == [0]
    threads.close()
    assert threads.done([int]) == [0]
    threads.close()
