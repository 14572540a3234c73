"""Batches: all of it or nothing, however an item or the process fails."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.services import Installation, agent, learned, pattern, silent
from tests.patience import ENOUGH_SECONDS
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.batches import BatchRefused, Incoming, Problem, fingerprint
from tmws.domain.errors import Conflict, InvalidInput
from tmws.domain.patterns import PatternDraft
from tmws.services.learning import PatternQuery
from tmws.storage import tables

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice", "home", "work")


def drafts(count: int, prefix: str = "p") -> list[PatternDraft]:
    return [
        pattern(f"{prefix}{n}", summary=f"words{n}", data={"n": n}, tags=("t",))
        for n in range(count)
    ]


async def counts(place: Installation) -> dict[str, int]:
    """Count the rows of every table."""
    names = list(tables.metadata.tables)
    async with place.database() as database, database.read() as connection:
        found = {
            name: await connection.scalar(sa.text(f"SELECT count(*) FROM {name}")) or 0
            for name in names
        }
        revisions = (await connection.execute(sa.select(tables.namespaces))).all()
    return found | {f"revision of {row.name}": row.revision for row in revisions}


async def test_a_batch_is_stored_in_its_order_and_found(app: App, alice: Agent) -> None:
    stored = await app.batches.learn(alice, drafts(5), progress=silent)
    names = [(await app.learning.get(alice, key)).name for key in stored.ids]
    assert names == ["p0", "p1", "p2", "p3", "p4"]
    found = await app.learning.find(alice, PatternQuery("words3"))
    assert found.items[0].pattern.name == "p3"


async def test_items_may_lie_in_several_namespaces_and_be_shared(app: App, alice: Agent) -> None:
    bob = await agent(app, "bob", "home")
    items = [
        pattern("a", namespace="work"),
        pattern("a", level="shared", shared_with=("bob", "alice")),
        pattern("b", level="public"),
    ]
    await app.batches.learn(alice, items, progress=silent)
    seen = (await app.learning.find(bob, PatternQuery())).items
    assert sorted(item.pattern.name for item in seen) == ["a", "b"]


BREAK: dict[str, tuple[Callable[[PatternDraft], PatternDraft], str]] = {
    "an invalid field": (lambda item: replace(item, category="No"), "Category 'No'"),
    "a foreign namespace": (lambda item: replace(item, namespace="x"), "not one of yours"),
    "a taken name": (lambda item: replace(item, name="taken"), "already has a pattern"),
    "an unknown agent": (
        lambda item: replace(item, level=AccessLevel.SHARED, shared_with=("nobody",)),
        "No agent 'nobody'",
    ),
    "a source that is hidden": (
        lambda item: replace(item, derived_from="pattern_0"),
        "No pattern 'pattern_0' is visible",
    ),
    "a level of admins": (lambda item: replace(item, level=AccessLevel.SYSTEM), "Only an admin"),
}


@pytest.mark.parametrize("kind", BREAK)
async def test_whichever_item_fails_nothing_of_the_batch_stays(
    app: App, installation: Installation, alice: Agent, kind: str
) -> None:
    await learned(app, alice, "taken")
    damage, what = BREAK[kind]
    before = await counts(installation)
    for size in range(1, 5):
        for place in range(size):
            items = drafts(size)
            items[place] = damage(items[place])
            with pytest.raises(BatchRefused, match="nothing was stored") as refused:
                await app.batches.learn(alice, items, key="k", progress=silent)
            [problem] = refused.value.problems
            assert problem.index == place
            assert what in problem.message
            assert await app.batches.check(alice, items) == (problem,)
    assert await counts(installation) == before
    await app.batches.learn(alice, drafts(4), key="k", progress=silent)


async def test_whichever_items_fail_exactly_those_are_named_and_nothing_stays(
    app: App, installation: Installation, alice: Agent
) -> None:
    await learned(app, alice, "taken")
    before = await counts(installation)
    broken: list[dict[int, str]] = []

    @settings(max_examples=15, suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(st.integers(0, 24), st.sampled_from(sorted(BREAK)), min_size=1))
    def draw(kinds: dict[int, str]) -> None:
        broken.append(kinds)

    draw()
    for kinds in broken:
        items = drafts(25)
        for place, kind in kinds.items():
            items[place] = BREAK[kind][0](items[place])
        with pytest.raises(BatchRefused, match="nothing was stored") as refused:
            await app.batches.learn(alice, items, progress=silent)
        problems = {problem.index: problem.message for problem in refused.value.problems}
        assert problems.keys() == kinds.keys()
        for place, kind in kinds.items():
            if kind != "a taken name":  # a second one is told of the first
                assert BREAK[kind][1] in problems[place]
        assert await app.batches.check(alice, items) == refused.value.problems
    assert await counts(installation) == before


async def test_every_failing_item_is_named_at_once(app: App, alice: Agent) -> None:
    await learned(app, alice, "taken")
    items = [*drafts(4), pattern("p1"), pattern("taken"), pattern("x", category="No")]
    with pytest.raises(BatchRefused, match=r"3 of 7 items .*\[4\] Item 1 has") as refused:
        await app.batches.learn(alice, items, progress=silent)
    assert [problem.index for problem in refused.value.problems] == [4, 5, 6]
    assert len(refused.value.message) <= 300


@given(st.lists(st.tuples(st.integers(0, 499), st.text(max_size=400)), min_size=1, max_size=500))
def test_a_refusal_of_any_batch_is_short(problems: list[tuple[int, str]]) -> None:
    refused = BatchRefused([Problem(*problem) for problem in problems], of=500)
    assert len(refused.message) <= 340
    assert [problem.index for problem in refused.problems] == sorted(n for n, _ in problems)


async def test_a_dry_run_stores_nothing(app: App, installation: Installation, alice: Agent) -> None:
    before = await counts(installation)
    assert await app.batches.check(alice, drafts(3)) == ()
    assert await counts(installation) == before


@pytest.mark.parametrize("size", [0, 501])
async def test_a_batch_of_another_size_is_refused(app: App, alice: Agent, size: int) -> None:
    for act in (app.batches.learn(alice, drafts(size), progress=silent),
                app.batches.check(alice, drafts(size))):  # fmt: skip
        with pytest.raises(InvalidInput, match="give 1 to 500"):
            await act


async def test_a_large_batch_says_how_far_it_is(app: App, alice: Agent) -> None:
    told: list[str] = []

    async def listen(message: str) -> None:
        told.append(message)

    await app.batches.learn(alice, drafts(120), progress=listen)
    assert told == ["prepared 50 of 120", "prepared 100 of 120", "storing 120"]


class TestAKey:
    async def test_stores_a_repeated_batch_once(
        self, app: App, installation: Installation, alice: Agent
    ) -> None:
        first = await app.batches.learn(alice, drafts(3), key="k", progress=silent)
        before = await counts(installation)
        again = await app.batches.learn(alice, drafts(3), key="k", progress=silent)
        assert (again.ids, again.repeated, first.repeated) == (first.ids, True, False)
        assert await counts(installation) == before

    async def test_stores_a_batch_sent_at_once_once(self, installation: Installation) -> None:
        async with installation.open() as one, installation.open() as two:
            alice = await agent(one, "alice")
            ends = await asyncio.gather(
                *(
                    app.batches.learn(alice, drafts(3), key="k", progress=silent)
                    for app in (one, two, one, two)
                )
            )
            assert len({end.ids for end in ends}) == 1
            assert sum(not end.repeated for end in ends) == 1

    async def test_stands_for_one_content_of_one_agent(self, app: App, alice: Agent) -> None:
        await app.batches.learn(alice, drafts(3), key="k", progress=silent)
        with pytest.raises(Conflict, match="used for another batch"):
            await app.batches.learn(alice, drafts(2), key="k", progress=silent)
        bob = await agent(app, "bob", "home")
        assert not (await app.batches.learn(bob, drafts(2), key="k", progress=silent)).repeated

    @pytest.mark.parametrize("key", ["", " ", "x" * 101, "a\n", "\u202e"])
    async def test_of_another_form_is_refused(self, app: App, alice: Agent, key: str) -> None:
        with pytest.raises(InvalidInput, match="Idempotency key"):
            await app.batches.learn(alice, drafts(1), key=key, progress=silent)

    async def test_keeps_no_fingerprint_of_what_is_forgotten(
        self, app: App, installation: Installation, alice: Agent
    ) -> None:
        stored = await app.batches.learn(alice, drafts(2), key="k", progress=silent)
        await app.removal.forget(alice, stored.ids[0])
        async with installation.database() as database, database.read() as connection:
            assert await connection.scalar(sa.select(tables.batches.c.fingerprint)) == ""
        with pytest.raises(Conflict, match="another batch"):
            await app.batches.learn(alice, drafts(2), key="k", progress=silent)


def test_any_change_of_an_item_is_another_content() -> None:
    base = pattern("a", data={"x": 1}, tags=("t",))
    changes: list[dict[str, Any]] = [
        {"name": "b"}, {"category": "c"}, {"summary": "s"}, {"data": {"x": 2}}, {"tags": ()},
        {"level": AccessLevel.PUBLIC}, {"shared_with": ("b",)}, {"namespace": "n"},
        {"subcategory": "s"}, {"complexity": 1}, {"learning_weight": 0.5}, {"derived_from": "p"},
    ]  # fmt: skip
    seen = {fingerprint([Incoming(replace(base, **change))]) for change in [{}, *changes]}
    assert len(seen) == 1 + len(changes)


DYING = """
import asyncio, json, sys
from pathlib import Path
from tests.integration.services import Installation, agent, silent
from tests.integration.test_batches import counts, drafts
from tests.security.dying_recorder import Deadline, forked

async def live(url: str, folder: str, point: int) -> None:
    place = Installation(url, Path(folder))
    deadline = Deadline(point)
    deadline.listen()
    async with place.open() as app:
        known = [each for each in await app.agents.every() if each.name == "alice"]
        alice = known[0] if known else await agent(app, "alice")
        found = await counts(place)
        if point:
            print(json.dumps({"left": found}), flush=True)
        await deadline.arm()
        stored = await app.batches.learn(alice, drafts(3), key="k", progress=silent)
        deadline.disarm()
        print(json.dumps({"stored": len(stored.ids), "repeated": stored.repeated,
                          "holds": (await app.audit.verify()).holds}), flush=True)

def main(url: str, folder: str) -> None:
    for point in range(200):
        status = forked(lambda: asyncio.run(live(url, folder, point)))
        if status == 0:
            return

main(*sys.argv[1:])
"""


def test_killed_between_any_two_statements_a_batch_is_whole_or_absent(
    database_url: str, tmp_path: Path
) -> None:
    run = subprocess.run(
        [sys.executable, "-c", DYING, database_url, str(tmp_path / "data")],
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines() if line.startswith("{")]
    points = [line["killed_before"] for line in lines if "killed_before" in line]
    left = [line["left"] for line in lines if "left" in line]
    assert "after COMMIT" in points, run.stderr
    assert len(points) > 20
    committed = points.index("after COMMIT", points.index("COMMIT"))
    assert all(each == left[0] for each in left[:committed])
    assert (left[0]["patterns"], left[0]["batches"]) == (0, 0)
    assert lines[-1] == {"stored": 3, "repeated": True, "holds": True}
