"""Who may run, who waits, and when an engine that fails is left alone."""

from __future__ import annotations

import asyncio

import pytest

from tmws.domain.errors import LimitExceeded, SandboxUnavailable
from tmws.sandbox.admission import Admission, Breaker

pytestmark = pytest.mark.anyio


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_no_more_run_at_once_than_there_are_places() -> None:
    admission = Admission(places=2, waiting=10)
    running, most = 0, 0

    async def work() -> None:
        nonlocal running, most
        async with admission.place():
            running += 1
            most = max(most, running)
            for _ in range(5):
                await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(work() for _ in range(8)))
    assert most == 2
    assert admission.waiting == 0


async def test_who_comes_when_the_line_is_full_is_told_when_to_come_back() -> None:
    admission = Admission(places=1, waiting=1)
    async with admission.place():
        waiting = asyncio.create_task(admission.place().__aenter__())
        await asyncio.sleep(0)
        assert admission.waiting == 1
        with pytest.raises(LimitExceeded, match=r"Retry after \d+ s") as refused:
            async with admission.place():
                pytest.fail("the line was full")
        assert refused.value.retryable
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
    assert admission.waiting == 0


async def test_a_place_is_given_back_when_its_work_fails() -> None:
    admission = Admission(places=1, waiting=0)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError):
            async with admission.place():
                raise ZeroDivisionError


def test_a_breaker_opens_after_its_failures_and_lets_one_try_later() -> None:
    clock = Hand()
    breaker = Breaker(failures=3, window_seconds=30.0, rest_seconds=5.0, now=clock)
    for _ in range(3):
        breaker.admit()
        breaker.failed()
    with pytest.raises(SandboxUnavailable, match="retry after 5 s"):
        breaker.admit()
    clock.now += 5.0
    breaker.admit()
    with pytest.raises(SandboxUnavailable):
        breaker.admit()


def test_a_success_closes_the_breaker() -> None:
    clock = Hand()
    breaker = Breaker(failures=2, now=clock)
    breaker.failed()
    breaker.failed()
    clock.now += 5.0
    breaker.admit()
    breaker.succeeded()
    breaker.failed()
    breaker.admit()


def test_failures_far_apart_do_not_open_it() -> None:
    clock = Hand()
    breaker = Breaker(failures=3, window_seconds=30.0, now=clock)
    for _ in range(6):
        breaker.admit()
        breaker.failed()
        clock.now += 20.0
    breaker.admit()
