"""Patterns in files: out and in again unchanged, and in from what others keep."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.command import tmws, tmws_each
from tests.integration.services import Installation, agent, learned, pattern, silent
from tmws.app import App
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.batches import BatchRefused, Incoming
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.patterns import Origin, Provenance
from tmws.domain.versions import Revision
from tmws.exchange import front_matter, lines, markdown, memory_server
from tmws.exchange.found import Found, Unreadable
from tmws.testing.clock import START

ANN = Agent("agent_1", "ann", Role.AGENT, ("home",), START)
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
    found = [each for each in lines.read(rows, importer=who) if isinstance(each, Found)]
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


async def test_whatever_an_agent_exported_comes_in_again(app: App) -> None:
    """Others' things come home as private, where nobody else was meant to read them."""
    root = await agent(app, "root", "home", "far", role=Role.ADMIN)
    bob, eve = await agent(app, "bob", "home", "far"), await agent(app, "eve", "home")
    await learned(app, root, "system", level="system", namespace="far")
    await learned(app, bob, "public", level="public")
    await learned(app, bob, "shared", level="shared", shared_with=("eve",))
    await learned(app, bob, "from afar", level="shared", shared_with=("eve",), namespace="far")
    mine = await learned(app, eve, "mine", level="shared", shared_with=("bob",))
    arrival = await taken(app, eve, await exported(app, eve))
    assert [each.like for each in arrival.duplicates if each.same_name] == [mine.id]
    stored = [await app.learning.get(eve, key) for key in arrival.ids.values()]
    assert {(each.name, each.level.value, each.namespace) for each in stored} == {
        ("system", "private", "home"),
        ("public", "public", "home"),
        ("shared", "private", "home"),
        ("from afar", "private", "home"),
    }
    assert {each.provenance.origin for each in stored} == {Origin.IMPORTED}


async def test_agents_that_are_not_known_are_left_out_and_named(app: App, tmp_path: Path) -> None:
    alice = await agent(app, "alice", "home")
    await agent(app, "bob"), await agent(app, "carol")
    await learned(app, alice, "both", level="shared", shared_with=("bob", "carol"))
    await learned(app, alice, "carols", level="shared", shared_with=("carol",))
    rows = await exported(app, alice)
    other = Installation(f"sqlite:///{tmp_path}/other.db", tmp_path / "other")
    async with other.open() as elsewhere:
        twin, bob = await agent(elsewhere, "alice", "home"), await agent(elsewhere, "bob", "home")
        found = [each for each in lines.read(rows, importer=twin) if isinstance(each, Found)]
        incoming = [each.incoming for each in found]
        seen = await elsewhere.transfer.examine(twin, incoming)
        arrival = await elsewhere.transfer.take(twin, incoming, progress=silent)
        names = [item.draft.name for item in incoming]
        assert seen.problems == ()
        for each in (seen, arrival):
            assert each.unknown == dict.fromkeys(range(2), ("carol",))
        ids = {names[index]: key for index, key in arrival.ids.items()}
        read = {name: await elsewhere.learning.get(twin, key) for name, key in ids.items()}
        assert {each.level for each in read.values()} == {AccessLevel.SHARED}
        assert (await elsewhere.learning.get(bob, ids["both"])).name == "both"
        with pytest.raises(NotFound):  # shared with nobody is nobody else's to read
            await elsewhere.learning.get(bob, ids["carols"])
        carol = await agent(elsewhere, "carol", "home")
        for key in ids.values():  # nor is it whoever's takes the name later
            with pytest.raises(NotFound):
                await elsewhere.learning.get(carol, key)
        assert await elsewhere.sharing.change(twin, ids["carols"], grant=["carol"]) == ("carol",)
        assert (await elsewhere.learning.get(carol, ids["carols"])).name == "carols"


async def test_what_was_closed_to_all_goes_out_and_comes_in_like_that(
    app: App, tmp_path: Path
) -> None:
    alice = await agent(app, "alice", "home")
    await agent(app, "bob")
    kept = await learned(app, alice, "closed", level="shared", shared_with=("bob",))
    await app.sharing.change(alice, kept.id, revoke=["bob"])
    rows = await exported(app, alice)
    other = Installation(f"sqlite:///{tmp_path}/other.db", tmp_path / "other")
    async with other.open() as elsewhere:
        twin = await agent(elsewhere, "alice", "home")
        assert (await taken(elsewhere, twin, rows)).unknown == {}
        assert said(await exported(elsewhere, twin)) == said(rows)
        assert [each.same_name for each in (await taken(elsewhere, twin, rows)).duplicates] == [
            True
        ]


@pytest.mark.parametrize(
    ("level", "names", "reason"),
    [
        ("private", ["carol"], "goes together"),
        ("shared", [f"agent-{number}" for number in range(51)], "limit is 50"),
    ],
)
async def test_readers_that_break_a_rule_are_refused_known_or_not(
    app: App, level: str, names: list[str], reason: str
) -> None:
    alice = await agent(app, "alice", "home")
    await learned(app, alice, "retry", level="private")
    head, row = await exported(app, alice)
    changed = json.dumps(json.loads(row) | {"level": level, "shared_with": names, "name": "new"})
    with pytest.raises(BatchRefused, match=reason):
        await taken(app, alice, [head, changed])


@pytest.mark.parametrize("name", ["nobody", "no\0body", "", "x" * 5000, "\ud800"])
async def test_a_name_that_nobody_can_have_is_nobodys(app: App, name: str) -> None:
    alice = await agent(app, "alice", "home")
    draft = pattern("retry", level="shared", shared_with=(name,))
    arrival = await app.transfer.examine(alice, [Incoming(draft, Provenance())])
    assert (arrival.problems, arrival.unknown) == ((), {0: (name,)})


async def test_one_item_that_cannot_come_in_keeps_all_out(app: App) -> None:
    alice = await agent(app, "alice", "home")
    await learned(app, alice, "a"), await learned(app, alice, "b")
    rows = [row.replace('"home"', '"foreign"') for row in await exported(app, alice)]
    before = await exported(app, alice)
    with pytest.raises(BatchRefused, match="2 of 2 items"):
        await taken(app, alice, rows)
    found = [each for each in lines.read(rows, importer=alice) if isinstance(each, Found)]
    seen = await app.transfer.examine(alice, [each.incoming for each in found])
    assert [problem.index for problem in seen.problems] == [0, 1]
    assert await exported(app, alice) == before


async def test_an_item_that_breaks_a_rule_keeps_all_out_whatever_it_resembles(app: App) -> None:
    alice = await agent(app, "alice", "home")
    await learned(app, alice, "retry", summary="wait between calls")
    like, broken = Incoming(pattern("retry")), Incoming(pattern("re\u202etry"))
    seen = await app.transfer.examine(alice, [like, broken])
    assert [each.index for each in seen.duplicates] == [0]
    assert [each.index for each in seen.problems] == [1]
    with pytest.raises(BatchRefused):
        await app.transfer.take(alice, [broken], progress=silent)


async def test_a_refused_item_is_named_by_its_place_in_the_file(app: App) -> None:
    """The attack: items that are left out before it, so that another would be blamed."""
    alice = await agent(app, "alice", "home")
    await learned(app, alice, "retry")
    items = [
        Incoming(pattern(name)) for name in ("retry", "wait", "wait", "re\u202etry", "a\u202eb")
    ]
    seen = await app.transfer.examine(alice, items)
    with pytest.raises(BatchRefused, match=r"2 of 5 items.*\[3\] .*\[4\] ") as refused:
        await app.transfer.take(alice, items, progress=silent)
    assert [each.index for each in refused.value.problems] == [3, 4]
    assert refused.value.problems == seen.problems


async def test_items_of_one_name_say_how_alike_they_are(app: App) -> None:
    alice = await agent(app, "alice", "home")
    said = ("wait between calls", "wait between calls", "ask somebody else")
    items = [Incoming(pattern("retry", summary=each)) for each in said]
    same, other = (await app.transfer.examine(alice, items)).duplicates
    assert (same.like, same.similarity) == ("item 0", 1.0)
    assert other.like == "item 0"
    assert 0.0 < other.similarity < 0.5


async def test_an_export_of_nothing_comes_in_as_nothing(app: App) -> None:
    alice, bob = await agent(app, "alice", "home"), await agent(app, "bob", "work")
    rows = await exported(app, alice)
    assert len(rows) == 1
    assert (await taken(app, bob, rows)).ids == {}
    assert (await app.transfer.examine(bob, [])).duplicates == ()
    assert await exported(app, bob) == [lines.header("bob")]


def test_lines_of_another_form_are_named() -> None:
    rows = [lines.header("x"), "{", '{"id": 1}', ""]
    found = list(lines.read(rows, importer=ANN))
    assert [each.where for each in found] == ["line 2", "line 3"]
    assert all(isinstance(each, Unreadable) for each in found)
    with pytest.raises(InvalidInput, match="version '9'"):
        list(lines.read(['{"format": "tmws-patterns", "version": 9}'], importer=ANN))
    assert not any(lines.is_ours(line) for line in ("nonsense", "[" * 100_000, "[]", "1"))


def test_entities_of_the_memory_server_become_patterns() -> None:
    rows = [
        '{"type":"entity","name":"Ann","entityType":"Team Lead","observations":["likes tea"]}',
        '{"type":"relation","from":"Ann","to":"Shop","relationType":"runs"}',
        "",
        "nonsense",
        '{"type":"entity","name":"Shop","observations":[]}',
        '{"type":"relation","from":"Nobody","to":"Shop","relationType":"runs"}',
    ]
    wrong, loose, found, alone = memory_server.read(rows, source="m.jsonl")
    assert isinstance(wrong, Unreadable)
    assert wrong.where == "line 4"
    assert loose == Unreadable("line 6", "a relation from an entity that the file does not hold")
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


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    """As a project has them: notes beside every skill, instructions in every folder."""
    files = {
        "CLAUDE.md": "CLAUDE",
        "web/CLAUDE.md": "web/CLAUDE",
        "skills/pdf/SKILL.md": "pdf",
        "skills/pdf/references/details.md": "pdf/references/details",
        "skills/xls/references/details.md": "xls/references/details",
        "skills/xls/references/forms.md": "forms",
        "a/rules/ts.mdc": "a/rules/ts",
        "b/rules/ts.mdc": "b/rules/ts",
        "agents/one.md": "ts",
        "agents/two.md": "ts",
        "SKILL.md": "SKILL",
    }
    texts = [
        (path, "---\nname: ts\n---\nIt." if name == "ts" else "It.") for path, name in files.items()
    ]
    found = [each for each in markdown.read(texts, source="dot") if isinstance(each, Found)]
    assert {each.where: each.incoming.draft.name for each in found} == files
    deep = "/".join(["a" * 50] * 5)
    twins = [(f"{deep}/{name}/same.md", "It.") for name in "bc"]
    names = [each.incoming.draft.name for each in markdown.read(twins, source="dot")
             if isinstance(each, Found)]  # fmt: skip
    assert names == ["b/same", "c/same"]


def test_fields_of_either_form_name_describe_and_tag() -> None:
    """As people write them, who know no YAML."""
    files = [
        ("rules/ts.mdc", "---\ntags: Type Script, web,\ndescription: [short, words]\n---\nB"),
        ("a/NOTE.MD", "---\nname: [a, b]\ntags:\n---\n# Title\nSaid below it.\n\nMore."),
        ("b/only.md", "# Title\n"),
    ]
    drafts = [each.incoming.draft for each in markdown.read(iter(files), source="dot")
              if isinstance(each, Found)]  # fmt: skip
    assert [(each.name, each.summary, {*each.tags}) for each in drafts] == [
        ("ts", "short, words", {"type-script", "web"}),
        ("a, b", "Said below it.", set()),
        ("only", "", set()),
    ]


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


def test_the_command_names_the_agents_that_are_not_known(tmp_path: Path) -> None:
    record = {
        "id": "pattern_1", "namespace": "default", "owner": "local", "level": "shared",
        "shared_with": ["carol"], "version": 1, "created_at": "2026-03-01T00:00:00Z",
        "usage": {"count": 0, "success_rate": None}, "name": "retry", "category": "build",
        "author": "local", "written_at": "2026-03-01T00:00:00Z",
    }  # fmt: skip
    file = tmp_path / "patterns.jsonl"
    file.write_text(f"{lines.header('local')}\n{json.dumps(record)}\n")
    words = ("patterns", "import", str(file))
    tried, told = tmws_each([[*words, "--dry-run"], [*words, "--json"]], data=tmp_path / "data")
    assert tried.status == 0
    assert "Not known here, so not among their readers: carol." in " ".join(tried.output.split())
    [row] = told.document()
    assert (row["problem"], row["unknown_agents"]) == (None, ["carol"])
    assert row["id"].startswith("pattern_")


def test_files_that_attack_their_reader_are_told_of_and_steer_nothing(tmp_path: Path) -> None:
    """The attack: words for the terminal, half characters, depth, marks, folders in disguise."""
    entity = '{"type":"entity","name":"%s","entityType":"x","observations":["o"]}'
    (tmp_path / "deep.jsonl").write_text("[" * 100_000)
    (tmp_path / "half.jsonl").write_text(
        "\n".join(entity % name for name in ("a\\ud800", "b\\u001b[31m", "c\\u202e"))
    )
    notes = tmp_path / "notes"
    (notes / "folder.md").mkdir(parents=True)
    (notes / "loop").symlink_to(notes)
    (notes / "elsewhere.md").symlink_to("/etc/passwd")
    (notes / "e\x1b[31mvil.md").write_text("says\x1b[2Jnothing")
    (notes / "large.md").write_text("x" * 70_000)
    (notes / "binary.md").write_bytes(b"\xff\x00\xfe")
    for name in ("deep.jsonl", "half.jsonl", "notes"):
        told = tmws("patterns", "import", str(tmp_path / name), "--dry-run", data=tmp_path)
        assert told.status == 0, told.errors
        assert not {"\x1b", "\u202e"} & set(told.output + told.errors)
    nothing = tmws("patterns", "import", str(tmp_path / "deep.jsonl"), data=tmp_path)
    assert (nothing.status, "is a pattern. Nothing was stored" in nothing.errors) == (2, True)
    half = tmws("patterns", "import", str(tmp_path / "half.jsonl"), "--json", data=tmp_path)
    assert (half.status, half.document()[0]["name"]) == (2, "a\ud800")
    rows = tmws("patterns", "import", str(notes), "--dry-run", "--json", data=tmp_path).document()
    assert {row["where"]: row["problem"] is None for row in rows} == {
        "e\x1b[31mvil.md": False,
        "large.md": False,
        "binary.md": False,
    }


def test_files_that_windows_wrote_are_read_like_others(tmp_path: Path) -> None:
    entity = '{"type":"entity","name":"Ann","entityType":"x","observations":["o"]}'
    (tmp_path / "memory.jsonl").write_bytes(f"\ufeff{entity}\r\n".encode())
    (tmp_path / "plain.md").write_bytes("\ufeffBe brief.\r\nBe kind.".encode())
    for name, said in (
        ("memory.jsonl", {"observations": ["o"]}),
        ("plain.md", {"body": "Be brief.\nBe kind."}),
    ):
        [row] = tmws("patterns", "import", str(tmp_path / name), "--json", data=tmp_path).document()
        assert row["problem"] is None
        assert (
            tmws("patterns", "show", row["id"], "--json", data=tmp_path).document()["data"] == said
        )


def test_of_a_project_what_others_wrote_is_left_out_and_told(tmp_path: Path) -> None:
    """The attack: packages by the thousand, whose own notes would come in as this project's."""
    project = tmp_path / "project"
    for place in (".claude/agents", "web/node_modules/left-pad", ".venv/lib", ".git"):
        (project / place).mkdir(parents=True)
        (project / place / "One.MD").write_text(f"Said in {place}.")
    rows = tmws("patterns", "import", str(project), "--json", data=tmp_path / "data").document()
    assert [row["where"] for row in rows if row["problem"] is None] == [".claude/agents/One.MD"]
    assert {row["where"] for row in rows if row["problem"] is not None} == {
        ".git",
        ".venv",
        "web/node_modules",
    }


def test_a_stream_without_an_end_is_left(tmp_path: Path) -> None:
    endless = tmws("patterns", "import", "/dev/zero", "--dry-run", data=tmp_path)
    assert endless.status == 2
    assert "more than 67108864 bytes" in endless.errors
