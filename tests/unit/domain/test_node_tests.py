"""Which files are tests for Node, and which npm scripts are understood without a shell."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.errors import InvalidInput
from tmws.domain.node_tests import files_of, script_files
from tmws.domain.snapshots import Snapshot, SnapshotFile

PATHS = (
    "index.js", "index.test.js", "lib/test.js", "lib/test-utils.mjs", "lib/a-test.cjs",
    "lib/a_test.ts", "lib/atest.js", "node_modules/x/test/a.js", "test/helper/h.js", "test/a.js",
    "test/data.json", "tests/b.js",
)  # fmt: skip
FOUND = (
    "index.test.js", "lib/a-test.cjs", "lib/a_test.ts", "lib/test-utils.mjs", "lib/test.js",
    "test/a.js", "test/helper/h.js",
)  # fmt: skip


def project(script: object = "node --test", **scripts: str) -> Snapshot:
    package = json.dumps({"scripts": {"test": script, **scripts}}).encode()
    files = [SnapshotFile.of(path, b"") for path in PATHS]
    return Snapshot.of([*files, SnapshotFile.of("package.json", package)])


def test_tests_are_found_as_node_finds_them() -> None:
    assert files_of((), project()) == FOUND
    assert files_of(("lib",), project()) == tuple(p for p in FOUND if p.startswith("lib/"))


def test_a_file_that_is_named_is_a_test_whatever_its_name() -> None:
    assert files_of(("tests/b.js", "index.js"), project()) == ("index.js", "tests/b.js")
    assert files_of(("test/data.json",), project()) == ()


@pytest.mark.parametrize(
    ("script", "files"),
    [
        ("node --test", FOUND),
        ("node --test test", ("test/a.js", "test/helper/h.js")),
        ("node --test ./test/", ("test/a.js", "test/helper/h.js")),
        ("node --test 'test/*.js'", ("test/a.js",)),
        ("node --test \"**/*.{cjs,mjs}\"", ("lib/a-test.cjs", "lib/test-utils.mjs")),
        ("node --test test/**/*.js", ("test/a.js", "test/helper/h.js")),
        ("node --test --test-reporter=spec tests/b.js", ("tests/b.js",)),
        ("node --test --test-concurrency=1 --no-warnings lib/?test.js", ("lib/atest.js",)),
        ("node --test nowhere", ()),
    ],
)  # fmt: skip
def test_a_plain_script_stands_for_its_files(script: str, files: tuple[str, ...]) -> None:
    assert script_files(project(script)) == files


@pytest.mark.parametrize(
    "script",
    [
        "node --test && rm -rf /", "node --test; id", "node --test | tee x", "node --test $(id)",
        "node --test `id`", "NODE_OPTIONS=-r node --test", "npm run lint", "mocha", "jest", "",
        "node test.js", "node -e 1", "node --test -r ./evil.js", "node --test --import=./evil.mjs",
        "node --test --require ./evil.cjs", "node --test --test-only", "node --test --watch",
        "node --test --test-name-pattern=x", "node --test --test-skip-pattern=x",
        "node --test --test-reporter=./evil.mjs", "node --test --test-shard=1/9",
        "node --test --experimental-loader=./x", "node --test --env-file=.env", "node --test ../x",
        "node --test /etc", "node --test -- -r ./evil", "c8 node --test", "node  --test\n--watch",
        "sh -c 'node --test'", "node --test > x", "node --test \N{RIGHT-TO-LEFT OVERRIDE}x", 7,
    ],
)  # fmt: skip
def test_any_other_script_is_refused_with_the_allowed_form(script: object) -> None:
    with pytest.raises(InvalidInput) as refusal:
        script_files(project(script))
    assert refusal.value.message.isprintable()
    assert len(refusal.value.message) <= 300


@pytest.mark.parametrize("name", ["pretest", "posttest"])
def test_a_script_around_the_tests_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match=name):
        script_files(project(**{name: "true"}))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b'{"scripts": 1}', b"\xff", b"[" * 9999])
def test_a_package_without_a_readable_script_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidInput, match="no test script"):
        script_files(Snapshot.of([SnapshotFile.of("package.json", content)]))


@given(st.text(st.sampled_from("node-test .*/{},?;&|$`'\"\\@~\n"), max_size=30))
def test_whatever_a_script_says_only_files_of_the_workspace_come_of_it(tail: str) -> None:
    try:
        files = script_files(project(f"node --test {tail}"))
    except InvalidInput:
        return
    assert set(files) <= set(PATHS) - {"node_modules/x/test/a.js", "test/data.json"}
