"""What an administrator types, and what comes back."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.command import tmws, tmws_each


def test_an_agent_is_created_once_and_its_secret_is_not_shown_again(tmp_path: Path) -> None:
    created = tmws("agents", "create", "builder", "--json", data=tmp_path)
    secret = created.document()["secret"]
    again = tmws("agents", "create", "builder", data=tmp_path)
    listed = tmws("agents", "list", "--json", data=tmp_path)

    assert created.status == 0
    assert again.status == 4
    assert again.errors.startswith("CONFLICT: ")
    assert [agent["name"] for agent in listed.document()] == ["builder"]
    assert secret not in listed.output
    assert not any(
        secret.encode() in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_a_rotated_secret_replaces_the_old_one(tmp_path: Path) -> None:
    first = tmws("agents", "create", "builder", "--json", data=tmp_path).document()["secret"]
    second = tmws("agents", "rotate", "builder", "--json", data=tmp_path).document()["secret"]

    refused = tmws("serve", data=tmp_path, TMWS_AGENT_ID="builder", TMWS_AGENT_SECRET=first)
    served = tmws("serve", data=tmp_path, TMWS_AGENT_ID="builder", TMWS_AGENT_SECRET=second)
    assert refused.status == 5
    assert "PERMISSION_DENIED" in refused.errors
    assert served.status == 0  # its input ended at once


def test_tools_are_switched_with_a_reason_and_the_ledger_keeps_it(tmp_path: Path) -> None:
    tmws("tools", "disable", "verify_claim", "--reason", "engine upgrade", data=tmp_path)
    listed = tmws("tools", "list", "--json", data=tmp_path).document()
    off = {each["tool"]: each["reason"] for each in listed if not each["enabled"]}
    enabled = tmws("tools", "enable", "verify_claim", "--json", data=tmp_path).document()
    again = tmws("tools", "enable", "verify_claim", "--json", data=tmp_path).document()
    ledger = tmws("ledger", "verify", "--json", data=tmp_path)

    assert off == {"verify_claim": "engine upgrade"}
    assert enabled["changed"] is True
    assert again["changed"] is False
    assert ledger.status == 0
    assert ledger.document()["entries"] == 2


def test_disabling_needs_a_reason_and_a_tool_that_exists(tmp_path: Path) -> None:
    without = tmws("tools", "disable", "recall", data=tmp_path)
    unknown = tmws("tools", "disable", "teleport", "--reason", "x", data=tmp_path)
    assert without.status == 2
    assert "--reason" in without.errors
    assert unknown.status == 3
    assert "learn_pattern" in unknown.errors


def test_a_workspace_shows_what_a_check_would_see(tmp_path: Path) -> None:
    project = tmp_path / "project"
    (project / ".git").mkdir(parents=True)
    (project / ".git" / "config").write_text("[core]")
    (project / "main.py").write_text("print('hello')\n")
    data = tmp_path / "data"

    added = tmws("workspaces", "add", "here", str(project), "--json", data=data).document()
    taken = tmws("workspaces", "add", "here", str(tmp_path), data=data)
    listed = tmws("workspaces", "list", "--json", data=data).document()

    assert added["files"] == 1
    assert taken.status == 4
    assert listed == [{"name": "here", "root": str(project), "environment": None}]


def test_trust_of_newcomers_is_shown_compared_and_never_drawn(tmp_path: Path) -> None:
    for name in ("builder", "reviewer"):
        tmws("agents", "create", name, data=tmp_path)
    listed = tmws("trust", "list", "--json", data=tmp_path).document()
    shown = tmws("trust", "show", "builder", "--json", data=tmp_path).document()
    compared = tmws("trust", "compare", "reviewer", "builder", "--json", data=tmp_path)
    picture = tmws("trust", "history", "builder", "--svg", str(tmp_path / "b.svg"), data=tmp_path)
    calibration = tmws("trust", "calibration", data=tmp_path)
    audits = tmws("trust", "next-audits", "builder", data=tmp_path)

    assert [(each["agent"], each["known"]) for each in listed] == [
        ("builder", False),
        ("reviewer", False),
    ]
    assert shown["summary"].startswith("Unknown")
    assert (shown["largest"], shown["bound"]) == ([], 0.0)
    assert [each["apart"] for each in compared.document()] == [False, False]
    assert picture.status == calibration.status == 2
    assert "No claim of this agent waits" in audits.output


def test_acts_on_trust_need_a_reason_and_stand_in_the_ledger(tmp_path: Path) -> None:
    for name in ("builder", "builder2"):
        tmws("agents", "create", name, data=tmp_path)
    without = tmws("trust", "link", "builder2", "builder", data=tmp_path)
    linked = tmws("trust", "link", "builder2", "builder", "--reason", "one", data=tmp_path)
    again = tmws("trust", "link", "builder2", "builder", "--reason", "one", data=tmp_path)
    circle = tmws("trust", "link", "builder", "builder2", "--reason", "one", data=tmp_path)
    unknown = tmws("trust", "withdraw", "claim_0", "--reason", "x", data=tmp_path)
    fitted = tmws("trust", "refit", "--json", data=tmp_path).document()
    file = tmp_path / "feedback.json"
    tmws("trust", "export", "builder", "--erc8004", str(file), data=tmp_path)
    ledger = tmws("ledger", "verify", "--json", data=tmp_path)

    assert (without.status, linked.status, circle.status, unknown.status) == (2, 0, 4, 3)
    assert again.status == 0
    assert "was linked to builder before; nothing was written" in " ".join(again.output.split())
    assert fitted == {"verdicts": 0}
    assert (ledger.status, ledger.document()["entries"]) == (0, 4)
    feedback = json.loads(file.read_text())
    assert (feedback["value"], feedback["valueDecimals"], feedback["tag1"]) == (0, 4, "trust")


def test_a_file_that_cannot_be_written_is_refused_with_its_reason(tmp_path: Path) -> None:
    tmws("agents", "create", "builder", data=tmp_path)
    for file, reason in (
        (tmp_path / "nowhere" / "f.json", "No such file or directory"),
        (Path("/dev/full"), "No space left on device"),
        (Path("/proc/f.json"), "No such file or directory"),
    ):
        refused = tmws("trust", "export", "builder", "--erc8004", str(file), data=tmp_path)
        assert (refused.status, refused.output) == (2, "")
        assert f"INVALID_INPUT: '{file}' cannot be written: {reason}." in refused.errors


def test_an_absent_folder_is_refused(tmp_path: Path) -> None:
    refused = tmws("workspaces", "add", "here", str(tmp_path / "nowhere"), data=tmp_path / "data")
    assert refused.status == 2
    assert "No such file or directory" in refused.errors


def test_a_proof_names_its_entry_and_holds(tmp_path: Path) -> None:
    tmws("agents", "create", "builder", data=tmp_path)
    tmws("agents", "create", "reviewer", data=tmp_path)
    proof = tmws("ledger", "prove", "1", "--json", data=tmp_path).document()
    beyond = tmws("ledger", "prove", "2", data=tmp_path)
    assert proof["holds"] is True
    assert (proof["index"], proof["size"], len(proof["path"])) == (1, 2, 1)
    assert beyond.status == 3


def test_a_lost_key_stops_writing_instead_of_being_remade(tmp_path: Path) -> None:
    tmws("agents", "create", "builder", data=tmp_path)
    key = tmp_path / "keys" / "ed25519"
    kept = key.read_bytes()
    key.unlink()
    refused = tmws("agents", "create", "reviewer", data=tmp_path)
    assert refused.status == 7
    assert "Restore it from a backup" in refused.errors
    assert not key.exists()
    key.write_bytes(kept)
    assert tmws("ledger", "verify", "--json", data=tmp_path).document()["holds"] is True


@pytest.mark.parametrize(
    ("words", "way"),
    [
        ("agents list", "tmws agents create NAME"),
        ("patterns list", "the tool learn_pattern"),
        ("patterns list --removed", "Nothing is removed"),
        ("patterns list --category tests", "No pattern of category 'tests'"),
        ("claims list", "the tool verify_claim"),
        ("workspaces list", "tmws workspaces add NAME PATH"),
    ],
)
def test_an_empty_list_says_how_to_get_the_first_thing(
    words: str, way: str, tmp_path: Path
) -> None:
    shown = tmws(*words.split(), data=tmp_path)
    assert shown.status == 0
    assert way in " ".join(shown.output.split())


def test_a_misspelt_setting_is_refused_not_ignored(tmp_path: Path) -> None:
    refused = tmws("agents", "list", data=tmp_path, TMWS_CHECK_SECOND="5")
    assert refused.status == 2
    assert "TMWS_CHECK_SECONDS" in refused.errors


def test_the_doctor_finds_a_missing_engine_and_says_what_to_do(tmp_path: Path) -> None:
    seen = tmws("doctor", "--json", data=tmp_path, DOCKER_HOST=f"unix://{tmp_path / 'no.sock'}")
    by_name = {each["what"]: each for each in seen.document()}
    assert seen.status == 1
    assert by_name["database"]["well"] is True
    assert by_name["sandbox"]["well"] is False
    assert "Docker" in by_name["sandbox"]["remedy"]


def test_the_doctor_calls_a_wrong_setting_one(tmp_path: Path) -> None:
    seen = tmws("doctor", "--json", data=tmp_path, TMWS_EMBEDDER="nope")
    assert seen.status == 1
    [finding] = seen.document()
    assert (finding["what"], finding["well"]) == ("settings", False)
    assert "Installed: hashing" in finding["found"]


def test_an_address_without_http_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    refused = tmws("serve", "--port", "8080", data=tmp_path)
    assert refused.status == 2
    assert "Add --http" in refused.errors


def test_the_doctor_is_content_where_everything_is_there(tmp_path: Path) -> None:
    seen = tmws("doctor", "--json", data=tmp_path)
    assert seen.status == 0, seen.output
    assert all(each["well"] for each in seen.document())


def test_vectors_are_read_shown_and_checked(tmp_path: Path) -> None:
    empty = tmws("vectors", "status", data=tmp_path)
    filled = tmws("vectors", "fill", "--json", data=tmp_path)
    pruned = tmws("vectors", "prune", data=tmp_path)
    rebuilt, checked = tmws_each([["vectors", "rebuild"], ["vectors", "check"]], data=tmp_path)

    assert "No vectors yet." in empty.output
    assert filled.status == 0
    assert filled.document() == []
    assert pruned.status == 4  # the model took over a moment ago
    assert "one took over a moment ago" in pruned.errors
    assert (rebuilt.status, checked.status) == (0, 0)  # exact search has nothing to rebuild
    for each in (rebuilt, checked):
        assert "there is no index that could differ" in " ".join(each.output.split())


def test_patterns_are_found_as_an_agent_finds_them(tmp_path: Path) -> None:
    data = tmp_path / "data"
    for name, text in (("retry-calls", "Retry network calls."), ("again", "Call networks again.")):
        (tmp_path / f"{name}.md").write_text(f"---\nname: {name}\n---\n{text} Retry flaky ones.\n")
    tmws("patterns", "import", str(tmp_path), data=data)

    found = tmws("patterns", "find", "retry flaky network calls", "--json", data=data).document()
    like = tmws("patterns", "find", "--similar-to", found[0]["id"], "--json", data=data).document()

    assert {each["name"] for each in found} == {"retry-calls", "again"}
    assert [each["name"] for each in like] == [found[1]["name"]]
    assert like[0]["why"].startswith("words ")
