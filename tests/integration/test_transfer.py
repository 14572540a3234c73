"""Patterns in files: out and in again unchanged, and in from what others keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, learned, pattern, silent
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.batches import BatchRefused, Incoming
from tmws.domain.errors import InvalidInput
from tmws.domain.patterns import Origin
from tmws.domain.versions import Revision
from tmws.exchange import front_matter, lines, markdown, memory_server
from tmws.exchange.found import Found, Unreadable

CHANGING = {"id", "created_at", "written_at", "usage"}


async def exported(app: App, who: Agent) -> list[str]:
    rows = [
        lines.line_of(each.pattern, each.versions, each.shared_with)
        async for each in app.transfer.export(who)
    ]
    return [lines.header(who.name), *rows]


def said(rows: list[str]) -> list[Any]:
    """Return what an export says, without ids and times."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(inner) for key, inner in value.items() if key not in CHANGING}
        return [plain(inner) for inner in value] if isinstance(value, list) else value

    return sorted((plain(json.loads(row)) for row in rows[1:]), key=lambda row: str(row["name"]))


async def taken(app: App, who: Agent, rows: list[str]) -> Any:
    found = [each for each in lines.read(rows, importer=who.name) if isinstance(each, Found)]
    assert len(found) == len(rows) - 1
    return await app.transfer.take(who, [each.incoming for each in found], progress=silent)


async def test_export_then_import_is_the_identity(app: App, tmp_path: Path) -> None:
    alice = await agent(app, "alice", "home", "work")
    await agent(app, "bob")
    source = await learned(app, alice, "plain", summary="zwölf\nЖ 日本", data={"a": [1, 2.5, None]})
    await app.revisions.revise(
        alice,
        source.id,
        Revision(summary="newer", data={"b": {"~/": True}}, tags=("x",)),
        version=1,
    )
    await learned(
        app, alice, "full", category="c", subcategory="s", tags=("b", "a"), complexity=7,
        learning_weight=0.25, level="shared", shared_with=("bob",), derived_from=source.id,
    )  # fmt: skip
    await learned(app, alice, "open", namespace="work", level="public")
    rows = await exported(app, alice)
    other = Installation(f"sqlite:///{tmp_path}/other.db", tmp_path / "other")
    async with other.open() as elsewhere:
        twin = await agent(elsewhere, "alice", "home", "work")
        await agent(elsewhere, "bob")
        arrival = await taken(elsewhere, twin, rows)
        assert len(arrival.ids) == 3
        assert said(await exported(elsewhere, twin)) == said(rows)
        again = await taken(elsewhere, twin, rows)
        assert again.ids == {}
        assert [each.same_name for each in again.duplicates] == [True] * 3


async def test_an_export_holds_what_its_agent_may_read(app: App) -> None:
    alice, bob = await agent(app, "alice", "home"), await agent(app, "bob", "home")
    await learned(app, alice, "secret", summary="canary")
    await learned(app, alice, "shared", level="shared", shared_with=("bob",))
    removed = await learned(app, alice, "removed", level="public")
    await app.removal.remove(alice, removed.id)
    rows = await exported(app, bob)
    assert [row["name"] for row in said(rows)] == ["shared"]
    assert said(rows)[0]["shared_with"] == []
    assert "canary" not in "".join(rows)


async def test_what_others_wrote_comes_in_as_imported(app: App) -> None:
    alice, bob = await agent(app, "alice", "home"), await agent(app, "bob", "home")
    kept = await learned(app, alice, "open", level="public")
    arrival = await taken(app, bob, await exported(app, bob))
    made = (await app.learning.get(bob, arrival.ids[0])).provenance
    assert (made.origin, made.source) == (Origin.IMPORTED, f"alice: {kept.id} version 1")
    assert arrival.duplicates[0].like == kept.id


async def test_one_item_that_cannot_come_in_keeps_all_out(app: App) -> None:
    alice = await agent(app, "alice", "home")
    await learned(app, alice, "a"), await learned(app, alice, "b")
    rows = [row.replace('"home"', '"foreign"') for row in await exported(app, alice)]
    carol = await agent(app, "carol", "home")
    with pytest.raises(BatchRefused, match="2 of 2 items"):
        await taken(app, carol, rows)
    found = [each for each in lines.read(rows, importer="carol") if isinstance(each, Found)]
    seen = await app.transfer.examine(carol, [each.incoming for each in found])
    assert [problem.index for problem in seen.problems] == [0, 1]
    assert await exported(app, carol) == [lines.header("carol")]


async def test_an_item_that_breaks_a_rule_keeps_all_out_whatever_it_resembles(app: App) -> None:
    alice = await agent(app, "alice", "home")
    await learned(app, alice, "retry", summary="wait between calls")
    like, broken = Incoming(pattern("retry")), Incoming(pattern("re\u202etry"))
    seen = await app.transfer.examine(alice, [like, broken])
    assert [each.index for each in seen.duplicates] == [0]
    assert [each.index for each in seen.problems] == [1]
    with pytest.raises(BatchRefused):
        await app.transfer.take(alice, [broken], progress=silent)


async def test_an_export_of_nothing_comes_in_as_nothing(app: App) -> None:
    alice, bob = await agent(app, "alice", "home"), await agent(app, "bob", "work")
    rows = await exported(app, alice)
    assert len(rows) == 1
    assert (await taken(app, bob, rows)).ids == {}
    assert (await app.transfer.examine(bob, [])).duplicates == ()
    assert await exported(app, bob) == [lines.header("bob")]


def test_lines_of_another_form_are_named() -> None:
    rows = [lines.header("x"), "{", '{"id": 1}', ""]
    found = list(lines.read(rows, importer="x"))
    assert [each.where for each in found] == ["line 2", "line 3"]
    assert all(isinstance(each, Unreadable) for each in found)
    with pytest.raises(InvalidInput, match="version '9'"):
        list(lines.read(['{"format": "tmws-patterns", "version": 9}'], importer="x"))
    assert not lines.is_ours("nonsense")


def test_entities_of_the_memory_server_become_patterns() -> None:
    rows = [
        '{"type":"entity","name":"Ann","entityType":"Team Lead","observations":["likes tea"]}',
        '{"type":"relation","from":"Ann","to":"Shop","relationType":"runs"}',
        "",
        "nonsense",
        '{"type":"entity","name":"Shop","observations":[]}',
    ]
    wrong, found, alone = memory_server.read(rows, source="m.jsonl")
    assert isinstance(wrong, Unreadable)
    assert wrong.where == "line 4"
    assert isinstance(alone, Found)
    assert (alone.incoming.draft.category, alone.incoming.draft.data) == (
        "entity",
        {"observations": []},
    )
    assert isinstance(found, Found)
    draft = found.incoming.draft
    assert (draft.name, draft.category, draft.summary) == ("Ann", "team-lead", "likes tea")
    assert draft.data == {
        "observations": ["likes tea"],
        "relations": [{"to": "Shop", "type": "runs"}],
    }


REVIEWER = """---
name: reviewer
description: Use when: code
tools: [a, b]
---
Read."""
SKILL = """---
description: |
  Fill
  forms
tags:
  - PDF x
---
# T

Do."""


def test_folders_of_markdown_become_patterns() -> None:
    files = [
        ("agents/rev.md", REVIEWER),
        ("skills/pdf/SKILL.md", SKILL),
        ("style.mdc", "# Style\n\nShort words."),
        ("README.md", "about"),
        ("empty.md", "---\nname: empty\n---\n"),
    ]  # fmt: skip
    reviewer, pdf, style, readme, empty = markdown.read(iter(files), source="dot")
    assert isinstance(readme, Unreadable)
    assert isinstance(empty, Unreadable)
    assert "nothing below" in empty.message
    drafts = [each.incoming.draft for each in (reviewer, pdf, style) if isinstance(each, Found)]
    assert [(each.name, each.category, each.summary) for each in drafts] == [
        ("reviewer", "agent", "Use when: code"),
        ("pdf", "skill", "Fill\nforms"),
        ("style", "rule", "Short words."),
    ]
    assert drafts[1].tags == ("pdf-x",)


@given(st.text(max_size=300))
def test_any_text_has_a_head_and_a_body(text: str) -> None:
    for each in (text, f"---\n{text}\n---\nbody"):
        fields, body = front_matter.split(each)
        assert isinstance(fields, dict)
        assert isinstance(body, str)


def test_files_go_out_and_come_in_at_the_command_line(tmp_path: Path) -> None:
    data, file = tmp_path / "data", tmp_path / "out.jsonl"
    notes = tmp_path / "rules"
    notes.mkdir()
    (notes / "short.md").write_text("Write short functions.")
    seen = tmws("patterns", "import", str(notes), "--dry-run", "--json", data=data).document()
    assert [row["id"] for row in seen] == [None]
    stored = tmws("patterns", "import", str(notes), "--json", data=data).document()
    out = tmws("patterns", "export", str(file), "--json", data=data).document()
    assert out["patterns"] == 1
    again = tmws("patterns", "import", str(file), "--json", data=data).document()
    assert again[0]["like"] == stored[0]["id"]
    assert tmws("patterns", "export", str(file), "--agent", "nobody", data=data).status == 3
