"""What the command line refuses says what was wrong, and the command that helps."""

from __future__ import annotations

from pathlib import Path

from tests.integration.command import tmws_each

NOT_THERE = {
    "patterns show X": "No pattern 'X'. See: tmws patterns list.",
    "patterns history X": "No pattern 'X'. See: tmws patterns list.",
    "patterns diff X": "No pattern 'X'. See: tmws patterns list.",
    "patterns remove X": "No pattern 'X'. See: tmws patterns list.",
    "patterns forget X --yes": "No pattern 'X'. See: tmws patterns list.",
    "patterns restore X": "No removed pattern 'X'. See: tmws patterns list --removed.",
    "patterns find --similar-to X": (
        "No pattern 'X' is visible to 'local'. See: tmws patterns list."
    ),
    "patterns stats --namespace X": (
        "No namespace 'X'. See: tmws levels list. Leave it out to count all."
    ),
    "patterns recommend retry --namespace X": (
        "No namespace 'X' holds anything that you may read. Yours: default. Leave it out to "
        "look into all that you may."
    ),
    "workspaces environment X": "No workspace 'X' is registered. See: tmws workspaces list.",
    "trust withdraw X --reason r": "No verdict of claim 'X' counts. See: tmws claims list.",
    "trust restore X --reason r": (
        "No verdict of claim 'X' is withdrawn. See what is: tmws trust show AGENT."
    ),
}


def test_a_folder_is_not_registered_where_its_environment_is_refused(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    add = ["workspaces", "add", "here", str(project)]
    refused, listed, added = tmws_each(
        [[*add, "--environment", "X"], ["workspaces", "list", "--json"], add],
        data=tmp_path / "data",
    )
    assert (refused.status, refused.output) == (3, "")
    assert "No environment 'X'. Add it first: tmws sandbox env add" in refused.errors
    assert listed.document() == []
    assert added.status == 0


def test_a_time_that_lies_ahead_is_refused_and_not_answered_with_nothing(tmp_path: Path) -> None:
    undo = ["patterns", "undo", "--agent", "local", "--since"]
    # The local agent begins with its first act.
    _, ahead, now = tmws_each(
        [["patterns", "find", "x"], [*undo, "2999-01-01"], [*undo, "2026-01-01"]], data=tmp_path
    )
    assert (ahead.status, ahead.output) == (2, "")
    assert "2999-01-01T00:00:00+00:00 lies ahead" in ahead.errors
    assert (now.status, now.output) == (0, "There is nothing to take back.\n")


def test_what_was_removed_is_listed_by_category(tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    for file in ("one.md", "two/SKILL.md"):
        (tmp_path / file).write_text(f"The way of {file}.\n")
    data, listed = tmp_path / "data", ["patterns", "list", "--json"]
    _, stored = tmws_each([["patterns", "import", str(tmp_path)], listed], data=data)
    ids = {each["category"]: each["id"] for each in stored.document()}
    removed = ["patterns", "list", "--removed", "--category"]
    assert ids.keys() == {"note", "skill"}
    *_, told, none = tmws_each(
        [
            *(["patterns", "remove", key] for key in ids.values()),
            [*removed, "skill", "--json"],
            [*removed, "other"],
        ],
        data=data,
    )
    assert [each["id"] for each in told.document()] == [ids["skill"]]
    assert none.output == "No removed pattern of category 'other'.\n"


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    told = tmws_each(
        [["workspaces", "add", "here", absent], ["sandbox", "env", "add", "e", absent]],
        data=tmp_path / "data",
    )
    assert [each.status for each in told] == [2, 2]
    for each in told:
        assert "No such file or directory)" in each.errors or each.errors.endswith("directory.\n")
        assert "Errno" not in each.errors


def test_a_key_that_is_none_is_bad_input_and_no_verdict(tmp_path: Path) -> None:
    verdict, key = tmp_path / "verdict.json", "ab" * 32
    verdict.write_text("{}")
    check = ("evidence", "verify", str(verdict), "--key")
    mistyped, missing, looked_at = tmws_each(
        [[*check, key[1:]], [*check, str(tmp_path / "absent.pub")], [*check, key]], data=tmp_path
    )
    for refused in (mistyped, missing):
        assert refused.status == 2
        assert "is no public key: neither 64 hex digits nor a file of them." in refused.errors
        assert "proves nothing" not in refused.errors
    assert looked_at.status == 8
    assert "proves nothing" in looked_at.errors


def test_what_is_not_there_is_refused_with_the_command_that_lists_it(tmp_path: Path) -> None:
    refused = tmws_each([line.split() for line in NOT_THERE], data=tmp_path)
    told = {line: each.errors for line, each in zip(NOT_THERE, refused, strict=True)}
    assert told == {line: f"NOT_FOUND: {way}\n" for line, way in NOT_THERE.items()}
    assert {(each.status, each.output) for each in refused} == {(3, "")}
