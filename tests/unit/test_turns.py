"""Agents take turns: nobody waits for another's whole line, and no place is lost."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.services.turns import Turns

pytestmark = pytest.mark.anyio


async def settled() -> None:
    """Let every task come as far as it can."""
    for _ in range(20):
        await asyncio.sleep(0)


class Bench:
    """Checks that wait for their turn, and end when they are told to."""

    def __init__(self, places: int) -> None:
        self.turns = Turns(places)
        self.running: dict[str, asyncio.Event] = {}
        self.begun: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def send(self, name: str) -> None:
        """Send a check; the first letter of its name is its agent."""
        self.tasks[name] = asyncio.create_task(self._check(name))
        await settled()

    async def end(self, name: str) -> None:
        self.running[name].set()
        await settled()

    async def _check(self, name: str) -> None:
        async with self.turns.turn(name[0]):
            self.begun.append(name)
            self.running[name] = asyncio.Event()
            try:
                await self.running[name].wait()
            finally:
                del self.running[name]


async def test_whoever_sent_one_waits_for_at_most_one_of_each_other() -> None:
    bench = Bench(1)
    for name in ("m1", "m2", "m3", "a1", "m4", "b1"):
        await bench.send(name)
    await bench.end("m1")
    await bench.send("a2")
    for _ in range(6):
        await bench.end(bench.begun[-1])
    assert bench.begun == ["m1", "a1", "b1", "m2", "a2", "m3", "m4"]


async def test_an_agent_alone_has_all_places_in_the_order_it_came() -> None:
    bench = Bench(2)
    for name in ("a1", "a2", "a3", "a4"):
        await bench.send(name)
    assert (set(bench.running), bench.turns.waiting) == ({"a1", "a2"}, 2)
    await bench.end("a2")
    await bench.end("a1")
    assert bench.begun == ["a1", "a2", "a3", "a4"]
    assert bench.turns.waiting == 0


async def test_who_leaves_while_being_called_hands_the_place_on() -> None:
    bench = Bench(1)
    for name in ("a1", "b1", "c1"):
        await bench.send(name)
    bench.running["a1"].set()
    await asyncio.sleep(0)  # a1 wakes, ends, and calls b1 ...
    bench.tasks["b1"].cancel()  # ... which leaves before it hears of it
    await settled()
    assert bench.begun == ["a1", "c1"]


async def test_who_left_before_being_called_is_passed_over() -> None:
    bench = Bench(1)
    for name in ("a1", "b1", "b2"):
        await bench.send(name)
    bench.running["a1"].set()
    bench.tasks["b1"].cancel()  # a1 ends before b1 has left the line
    await settled()
    assert (bench.begun, bench.turns.waiting) == (["a1", "b2"], 0)


@given(
    places=st.integers(1, 3),
    steps=st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["send", "end", "leave"]))),
)
def test_no_place_is_lost_or_doubled_whoever_comes_ends_or_leaves(
    places: int, steps: list[tuple[str, str]]
) -> None:
    async def lived() -> None:
        bench = Bench(places)
        for number, (agent, act) in enumerate(steps):
            own = [
                name for name, task in bench.tasks.items() if name[0] == agent and not task.done()
            ]
            if act == "send":
                await bench.send(f"{agent}{number}")
            elif act == "leave" and own:
                bench.tasks[own[0]].cancel()
                await settled()
            elif act == "end" and (ended := [name for name in own if name in bench.running]):
                await bench.end(ended[0])
            alive = sum(not task.done() for task in bench.tasks.values())
            assert len(bench.running) == min(places, alive)
            assert bench.turns.waiting == alive - len(bench.running)
        for task in bench.tasks.values():
            task.cancel()
        await asyncio.gather(*bench.tasks.values(), return_exceptions=True)
        assert bench.turns.waiting == 0

    asyncio.run(lived())
