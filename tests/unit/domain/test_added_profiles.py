"""Profiles of an administrator: the command is their table's, whatever a caller gives."""

from __future__ import annotations

import json
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.written_reports import ran
from tmws.domain.added_judging import NOT_THERE, judge_added
from tmws.domain.added_profiles import AddedProfile, AddedProfiles, Kind, Option, Targets
from tmws.domain.claims import AddedCheck, Judgement, Level, Reason, Verdict
from tmws.domain.environments import Environment
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import Limits, Outcome
from tmws.domain.notation import parse
from tmws.domain.profile_files import read_profiles
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.verifications import check_from_json, check_to_json

FILE = """
[profiles.lint]
module = "flake8"
prefix = ["--isolated"]
suffixes = [".py"]
settings = [".flake8"]
seconds = 9
memory_mib = 256

[profiles.lint.options]
max-line-length = { kind = "integer", least = 60, most = 200 }
quiet = { kind = "flag", word = "-q" }
select = { kind = "choice", choices = ["E", "F"], word = "--select", separate = true }
config = { kind = "path" }

[profiles.sums]
executable = "/usr/bin/sha256sum"
prefix = ["--check"]
targets = "required"
passes = [0, 3]
fails = [1, 2]
level = "observed"
"""
ADDED = read_profiles(FILE)
LINT, SUMS = ADDED.every
RUNNER = ("/opt/tmws/python", "-I", "/opt/tmws/run_module.py")
SNAPSHOT = Snapshot.of(
    SnapshotFile.of(path, b"") for path in ("docs/a.txt", "src/app.py", "src/b.pyi", "x.toml")
)
EMPTY = Snapshot.of([SnapshotFile.of("docs/a.txt", b"")])
BENT = Snapshot.of(SnapshotFile.of(path, b"") for path in ("src/.flake8", "src/app.py"))


def argv(text: str, snapshot: Snapshot = SNAPSHOT) -> tuple[str, ...]:
    check = parse(text, ADDED)
    assert isinstance(check, AddedCheck)
    return ADDED.of(check).request(check, snapshot, Limits()).argv


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("lint", ("/workspace",)),
        ("lint src", ("/workspace/src",)),
        ("lint src --quiet src/app.py", ("-q", "/workspace/src", "/workspace/src/app.py")),
        ("lint --max-line-length=100", ("--max-line-length=100", "/workspace")),
        ("lint --select=F --quiet", ("-q", "--select", "F", "/workspace")),
        ("lint --config=x.toml", ("--config=/workspace/x.toml", "/workspace")),
    ],
)  # fmt: skip
def test_a_command_line_becomes_the_words_of_the_table(
    text: str, arguments: tuple[str, ...]
) -> None:
    assert argv(text) == (*RUNNER, "flake8", "--isolated", *arguments)


def test_a_program_of_its_own_is_started_by_its_path() -> None:
    assert argv("sums docs/a.txt") == ("/usr/bin/sha256sum", "--check", "/workspace/docs/a.txt")


def test_the_limits_are_the_profiles_own_and_the_environment_the_workspaces() -> None:
    packages = Environment("tools", "ab" * 32)
    request = LINT.request(AddedCheck("lint"), SNAPSHOT, Limits(), packages)
    assert (request.limits.wall_seconds, request.limits.memory_bytes) == (9.0, 256 * 2**20)
    assert request.environment == packages
    assert SUMS.request(AddedCheck("sums", (), ("x.toml",)), SNAPSHOT, Limits()).limits == Limits()


@pytest.mark.parametrize(
    "text",
    [
        "lint --max-line-length=59", "lint --max-line-length=0100", "lint --max-line-length=1e2",
        "lint --max-line-length=", "lint --max-line-length", "lint --max-line-length 100",
        "lint --max-line-length=\uff19\uff19", "lint --quiet=", "lint --quiet=1",
        "lint --quiet --quiet",
        "lint --select=-F", "lint --select=E,F", "lint --select=", "lint -q", "lint ---quiet",
        "lint --quie", "lint --config=../x", "lint --config=/etc/passwd", "lint --config=-x",
        "lint --plugins=evil", "lint --", "lint -- src", "lint @args", "lint ~", "lint /etc",
        "lint ..", "lint src src", "lint -", "lint 'src;id'", "lint ''", "sums", "sums --check x",
        "lints src", "LINT src", "./lint src", "x=1 lint",
    ],
)  # fmt: skip
def test_whatever_the_table_does_not_say_is_refused_with_its_form(text: str) -> None:
    with pytest.raises(InvalidInput, match=r"Give |needs a path|twice") as refusal:
        parse(text, ADDED)
    assert len(refusal.value.message) <= 300
    assert refusal.value.message.isprintable()


@pytest.mark.parametrize("text", ["lint gone", "lint --config=gone.toml", "lint docs/a.txt"])
def test_a_path_has_to_be_in_the_snapshot_and_of_the_kind(text: str) -> None:
    with pytest.raises(InvalidInput):
        argv(text)


def test_an_unknown_command_names_the_added_ones_too() -> None:
    with pytest.raises(InvalidInput, match=r"pytest; .*lint; sums"):
        parse("eslint src", ADDED)
    with pytest.raises(InvalidInput, match="no profile 'gone'"):
        ADDED.of(AddedCheck("gone"))


@pytest.mark.parametrize("text", ["lint --quiet --select=E src", "sums x.toml", "lint"])
def test_a_check_reads_back_from_json_though_the_profile_is_gone(text: str) -> None:
    check = parse(text, ADDED)
    assert isinstance(check, AddedCheck)
    stored = json.loads(json.dumps(check_to_json(check)))
    assert stored["profile"] == check.tool
    assert check_from_json(stored) == check


NAMES = st.from_regex(r"[a-z][a-z0-9-]{0,9}", fullmatch=True)
TOOL_WORDS = st.from_regex(r"--?[a-z][a-z-]{0,9}", fullmatch=True)
HOSTILE = st.text(st.sampled_from("ab09-_=@~/.[]() ;|&$`'\"\\\n\0\u202e\ud800%"), max_size=12)
PATHS = st.sampled_from(["docs", "docs/a.txt", "src", "src/app.py", "src/b.pyi", "x.toml"])


@st.composite
def options(draw: st.DrawFn, name: str) -> Option:
    word = draw(TOOL_WORDS)
    separate = draw(st.booleans())
    kind = draw(st.sampled_from(Kind))
    if kind is Kind.CHOICE:
        return Option(name, kind, word, draw(st.tuples(NAMES, NAMES)), separate=separate)
    if kind is Kind.INTEGER:
        least = draw(st.integers(0, 50))
        return Option(name, kind, word, (), least, least + draw(st.integers(0, 50)), separate)
    return Option(name, kind, word, separate=separate and kind is Kind.PATH)


@st.composite
def profiles(draw: st.DrawFn) -> AddedProfile:
    names = draw(st.lists(NAMES, max_size=4, unique=True))
    return AddedProfile(
        "tool",
        ("/opt/tools/bin/tool", "run"),
        options=tuple(draw(options(name)) for name in names),
        targets=draw(st.sampled_from(Targets)),
    )


@st.composite
def lines(draw: st.DrawFn, profile: AddedProfile) -> list[str]:
    words = []
    for option in profile.options:
        value = draw(
            st.one_of(
                st.integers(0, 100).map(str),
                st.sampled_from([*option.choices, "x"]),
                PATHS,
                HOSTILE,
            )
        )
        written = f"--{option.name}" if option.kind is Kind.FLAG else f"--{option.name}={value}"
        words += draw(st.sampled_from([[], [written]]))
    words += draw(st.lists(st.one_of(PATHS, HOSTILE), max_size=3))
    return draw(st.permutations(words))


def is_of_the_table(words: list[str], profile: AddedProfile) -> bool:
    """Read the arguments as the tool would, knowing the table and the snapshot only."""
    places = {f"/workspace/{file.path}" for file in SNAPSHOT.files}
    places |= {"/workspace", "/workspace/docs", "/workspace/src"}
    values = {
        value
        for each in profile.options
        for value in (*each.choices, *map(str, range(each.least, each.most + 1)))
    } | places
    heads = {each.word for each in profile.options}
    return all(
        word in values | heads
        or (word.partition("=")[0] in heads and word.partition("=")[2] in values)
        for word in words
    )


@given(st.data())
def test_no_accepted_claim_has_a_word_that_is_not_the_tables(data: st.DataObject) -> None:
    profile = data.draw(profiles())
    table = AddedProfiles((profile,))
    words = data.draw(lines(profile))
    try:
        check = parse(shlex.join(["tool", *words]), table)
        assert isinstance(check, AddedCheck)
        found = profile.request(check, SNAPSHOT, Limits()).argv
    except InvalidInput:
        return
    assert found[:2] == profile.prefix
    assert is_of_the_table(list(found[2:]), profile)
    assert not any(word.startswith(("@", "~")) for word in found[2:])


def judged(
    text: str,
    status: int | None,
    snapshot: Snapshot = SNAPSHOT,
    outcome: Outcome = Outcome.EXITED,
) -> Judgement:
    check = parse(text, ADDED)
    assert isinstance(check, AddedCheck)
    result = ran(exit_code=status, outcome=outcome)
    return judge_added(ADDED.of(check), check, snapshot, result)


@pytest.mark.parametrize(
    ("text", "status", "snapshot", "verdict", "reason"),
    [
        ("lint", 0, SNAPSHOT, Verdict.SUPPORTED, Reason.CHECK_PASSED),
        ("lint", 1, SNAPSHOT, Verdict.REFUTED, Reason.CHECK_FAILED),
        ("lint", 2, SNAPSHOT, Verdict.INCONCLUSIVE, Reason.USAGE_ERROR),
        ("lint", 126, SNAPSHOT, Verdict.INCONCLUSIVE, Reason.USAGE_ERROR),
        ("lint", NOT_THERE, SNAPSHOT, Verdict.INCONCLUSIVE, Reason.MISSING_DEPENDENCY),
        ("lint", 0, EMPTY, Verdict.REFUTED, Reason.NOTHING_CHECKED),
        ("lint", 0, BENT, Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY),
        ("lint", 1, BENT, Verdict.REFUTED, Reason.CHECK_FAILED),
        ("sums x.toml", 0, SNAPSHOT, Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY),
        ("sums x.toml", 3, SNAPSHOT, Verdict.INCONCLUSIVE, Reason.OBSERVED_ONLY),
        ("sums x.toml", 2, SNAPSHOT, Verdict.REFUTED, Reason.CHECK_FAILED),
        ("sums x.toml", NOT_THERE, SNAPSHOT, Verdict.INCONCLUSIVE, Reason.USAGE_ERROR),
    ],
)
def test_the_status_counts_as_the_profile_says(
    text: str, status: int, snapshot: Snapshot, verdict: Verdict, reason: Reason
) -> None:
    judgement = judged(text, status, snapshot)
    assert (judgement.verdict, judgement.reason) == (verdict, reason)


def test_a_run_without_an_end_decides_nothing() -> None:
    judgement = judged("lint", None, outcome=Outcome.TIMED_OUT)
    assert judgement.reason is Reason.TIMED_OUT
    assert judgement.level is Level.OBSERVED


def test_every_word_of_a_profile_is_in_its_digest() -> None:
    changed = FILE.replace("most = 200", "most = 201"), FILE.replace("[1, 2]", "[1]")
    digests = {each.digest for text in (FILE, *changed) for each in read_profiles(text).every}
    assert len(digests) == 4
