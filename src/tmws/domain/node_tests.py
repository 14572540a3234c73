"""Which files Node's test runner takes for tests, and what an npm script asks it to do."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterable, Iterator

from tmws.domain.errors import InvalidInput
from tmws.domain.grammar import refused, shown, validate_path
from tmws.domain.snapshots import Snapshot

SUFFIXES = ("cjs", "cts", "js", "mjs", "mts", "ts")
FORM = "node --test [FILE|FOLDER|PATTERN ...]"
MOST_FILES = 500

# As `node --test` without a path finds them (Node 24, "Running tests from the command line").
_NAMED = re.compile(
    r"(^|/)(test|test-[^/]*|[^/]*[._-]test)\.(cjs|cts|js|mjs|mts|ts)$"
    r"|(^|/)test/(.*/)?[^/]+\.(cjs|cts|js|mjs|mts|ts)$"
)
# What only changes the display, or is what happens here anyway.
_HARMLESS = re.compile(
    r"--test-(reporter|reporter-destination)=(spec|tap|dot|junit|lcov|stdout|stderr)"
    r"|--test-(concurrency|timeout|isolation)=(\d+|process)"
    r"|--(no-warnings|enable-source-maps|experimental-test-coverage|trace-warnings)"
)
_PATTERN_CHARACTERS = re.compile(r"[A-Za-z0-9_./*?{},@-]+")


def files_of(targets: Iterable[str], snapshot: Snapshot) -> tuple[str, ...]:
    """Return the test files that these files and folders stand for; all if none is named.

    Raises:
        InvalidInput: there are more than 500.
    """
    wanted = tuple(targets) or ("",)
    found = sorted({path for target in wanted for path in _below(target, snapshot)})
    if len(found) > MOST_FILES:
        raise InvalidInput(
            f"{len(found)} test files are too many; the limit is {MOST_FILES}. Name fewer."
        )
    return tuple(found)


def is_test(path: str) -> bool:
    """Tell whether Node's runner finds this file by its name."""
    return _NAMED.search(path) is not None and "node_modules" not in path.split("/")


def script_files(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the test files that package.json's own `test` script runs.

    Raises:
        InvalidInput: there is no such script, or it is more than `node --test`.
    """
    words = _script(snapshot)
    patterns = []
    for word in words:
        if word.startswith("-"):
            if not _HARMLESS.fullmatch(word):
                raise refused("option of the test script", word, FORM)
        else:
            patterns.append(word.removeprefix("./").rstrip("/"))
    found = {
        path
        for pattern in patterns or [""]
        for path in (
            _matching(pattern, snapshot)
            if re.search(r"[*?{]", pattern)
            else _below(pattern, snapshot)
        )
    }
    return files_of(sorted(found), snapshot) if found else ()


def _script(snapshot: Snapshot) -> list[str]:
    """Return the words behind `node --test`."""
    file = snapshot.file("package.json")
    try:
        scripts = json.loads(file.content)["scripts"] if file is not None else {}
        text = scripts["test"]
        words = shlex.split(text)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InvalidInput(
            f"The workspace's package.json has no test script that can be read. Give it {FORM}, "
            "or claim the command node --test with files."
        ) from error
    for name in ("pretest", "posttest"):
        if name in scripts:
            raise InvalidInput(
                f"package.json has a script {name!r}, and no shell runs here. Claim the command "
                "node --test with files instead."
            )
    if words[:2] != ["node", "--test"] or not all(map(_is_plain, words[2:])):
        raise InvalidInput(
            f"The test script {shown(str(text))} is not run: there is no shell. The allowed form "
            f"is {FORM}; or claim the command node --test with files."
        )
    return words[2:]


def _is_plain(word: str) -> bool:
    return _HARMLESS.fullmatch(word) is not None or _PATTERN_CHARACTERS.fullmatch(word) is not None


def _below(target: str, snapshot: Snapshot) -> Iterator[str]:
    if target:
        validate_path(target)
    for file in snapshot.below(target):
        if file.path == target:
            if file.path.endswith(tuple(f".{suffix}" for suffix in SUFFIXES)):
                yield file.path
        elif is_test(file.path):
            yield file.path


def _matching(pattern: str, snapshot: Snapshot) -> Iterator[str]:
    matches = re.compile(_translated(pattern))
    for file in snapshot.files:
        if matches.fullmatch(file.path) and "node_modules" not in file.path.split("/"):
            yield file.path


def _translated(pattern: str) -> str:
    """Return a glob as a regular expression: `*`, `**`, `?` and `{a,b}`."""
    out = ""
    for part in re.findall(r"\*\*/|\*\*|\*|\?|\{[^{}]*\}|[^*?{}]+|[{}]", pattern):
        match part:
            case "**/":
                out += "(?:.*/)?"
            case "**":
                out += ".*"
            case "*":
                out += "[^/]*"
            case "?":
                out += "[^/]"
            case _ if part.startswith("{") and part.endswith("}"):
                out += "(?:" + "|".join(map(re.escape, part[1:-1].split(","))) + ")"
            case _:
                out += re.escape(part)
    return out
