"""Whatever patterns there are: exported and imported they say the same."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.command import tmws
from tests.integration.services import Installation, agent
from tests.integration.test_transfer import exported, said, taken
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.canonical import Json
from tmws.domain.patterns import LONGEST_NAME, MOST_COMPLEX, PatternDraft
from tmws.domain.versions import Revision
from tmws.exchange import lines

# Letters with and without accents, of several scripts; joined, wide and beyond 16 bits; signs that
# JSON, SQL, Markdown and file names give a meaning.
SIGNS = "aZ9 é\u0301ßЖ日本語한\u200d\u0646\u0627\u0643🙂👩🏽\"'\\/{}[]:;,%_-*#`$<>|&?!~^=+.()@"
printable = st.text(st.sampled_from(SIGNS), max_size=40)
lines_of_text = st.text(st.sampled_from(SIGNS + "\n\t"), max_size=80)
names = printable.map(lambda text: f"x{text}y"[:LONGEST_NAME])
slugs = st.from_regex(r"[a-z0-9]([a-z0-9_-]{0,8}[a-z0-9])?", fullmatch=True)
numbers = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | numbers | lines_of_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(printable, inner, max_size=3),
    max_leaves=8,
)
documents = st.dictionaries(printable, values, max_size=3)
tags = st.lists(slugs, max_size=4, unique=True).map(tuple)
complexities = st.none() | st.integers(1, MOST_COMPLEX)
weights = st.floats(0, 1) | st.sampled_from([0, 1])


@dataclass(frozen=True)
class Written:
    """A pattern as it was first written, and how it was revised then."""

    draft: PatternDraft
    revisions: tuple[Revision, ...]


writings = st.builds(
    Written,
    st.builds(
        PatternDraft,
        name=names,
        category=slugs,
        summary=lines_of_text,
        data=documents,
        tags=tags,
        level=st.sampled_from(AccessLevel),
        namespace=st.sampled_from([None, "home", "work"]),
        subcategory=st.none() | slugs,
        complexity=complexities,
        learning_weight=weights,
    ),
    st.lists(
        st.builds(
            Revision,
            category=st.none() | slugs,
            subcategory=st.none() | st.just("") | slugs,
            data=st.none() | documents,
            tags=st.none() | tags,
            complexity=complexities,
            learning_weight=st.none() | weights,
        ),
        max_size=3,
    ).map(tuple),
)


@pytest.fixture
async def elsewhere(tmp_path: Path) -> AsyncIterator[App]:
    """Another installation, where everything is taken in."""
    place = Installation(f"sqlite:///{tmp_path}/other.db", tmp_path / "other")
    async with place.open() as app:
        await agent(app, "friend")
        yield app


async def author(app: App, name: str) -> Agent:
    return await agent(app, name, "home", "work", role=Role.ADMIN)


async def kept(app: App, who: Agent, written: list[Written]) -> None:
    """Store patterns and their revisions; each next one is derived from the one before."""
    source: str | None = None
    for number, each in enumerate(written):
        draft = replace(each.draft, name=f"{number} {each.draft.name}"[:LONGEST_NAME])
        if draft.level is AccessLevel.SHARED:
            draft = replace(draft, shared_with=("friend",))
        pattern = await app.learning.learn(who, replace(draft, derived_from=source))
        for version, revision in enumerate(each.revisions, start=1):
            # A summary of its own makes sure that something changes.
            change = replace(revision, summary=f"version {version + 1}")
            await app.revisions.revise(who, pattern.id, change, version=version)
        source = pattern.id


async def test_any_patterns_go_out_and_come_in_as_they_are(app: App, elsewhere: App) -> None:
    await agent(app, "friend")
    examples: list[list[Written]] = []

    @settings(max_examples=12, suppress_health_check=list(HealthCheck))
    @given(st.lists(writings, max_size=4))
    def draw(written: list[Written]) -> None:
        examples.append(written)

    draw()
    numbers = count()
    for written in examples:
        name = f"author-{next(numbers)}"
        who, twin = await author(app, name), await author(elsewhere, name)
        await kept(app, who, written)
        rows = await own(app, who)
        arrival = await taken(elsewhere, twin, rows)
        assert len(arrival.ids) == len(written)
        again = await own(elsewhere, twin)
        assert said(again) == said(rows)
        assert len((await taken(elsewhere, twin, again)).ids) == 0


async def own(app: App, who: Agent) -> list[str]:
    """Export what an agent wrote itself: what is public or system is everybody's to read."""
    head, *rows = await exported(app, who)
    return [head, *(row for row in rows if json.loads(row)["owner"] == who.name)]


async def test_files_say_the_same_after_a_way_through_the_command_line(tmp_path: Path) -> None:
    there = Installation(f"sqlite:///{tmp_path}/there/tmws.db", tmp_path / "there")
    here = Installation(f"sqlite:///{tmp_path}/here/tmws.db", tmp_path / "here")
    full = PatternDraft(
        SIGNS, "build", f"{SIGNS}\n\t{SIGNS}", {SIGNS: [SIGNS, -0.5, None, {"a\u0301": 1e300}]},
        ("a", "b"), AccessLevel.SHARED, subcategory="s", complexity=3, learning_weight=0.1,
    )  # fmt: skip
    written = [
        Written(full, (Revision(data={}), Revision(category="other", learning_weight=0.0))),
        Written(replace(full, level=AccessLevel.SYSTEM, namespace="work"), ()),
    ]
    async with here.open() as app:
        await agent(app, "friend")
        await author(app, "alice")
    async with there.open() as app:
        await agent(app, "friend")
        who = await author(app, "alice")
        await kept(app, who, written)
        rows = await exported(app, who)
    out, back = tmp_path / "out.jsonl", tmp_path / "back.jsonl"
    asked = ("--agent", "alice", "--json")
    for words, folder in (
        (("export", str(out)), there.folder),
        (("import", str(out)), here.folder),
        (("export", str(back)), here.folder),
    ):
        done = tmws("patterns", *words, *asked, data=folder)
        assert done.status == 0, done.errors
    assert said(back.read_text("utf-8").split("\n")[:-1]) == said(rows)
    assert back.read_text("utf-8").split("\n")[0] == lines.header("alice")
