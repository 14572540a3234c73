"""Which files are read for what could bend a result, and how much of them."""

from __future__ import annotations

import pytest

from tests.unit.domain.test_flags import scanned, snapshot_of
from tmws.domain import flags
from tmws.domain.claims import CoverageCheck, PytestCheck
from tmws.domain.flags import MAX_FLAGS, scan

EXITS = "import os\nos._exit(0)\n"
BENDS = "calls os._exit when it is imported"
FILES = {
    "src/app.py": EXITS,
    "conftest.py": EXITS,
    "tests/conftest.py": EXITS,
    "tests/unit/conftest.py": EXITS,
    "tests/unit/test_a.py": EXITS,
    "tests/unit/test_b.py": EXITS,
    "tests/slow/conftest.py": EXITS,
    "tests/slow/test_c.py": EXITS,
    "tests/unit_too/test_d.py": EXITS,
}


@pytest.mark.parametrize(
    ("targets", "passed_over"),
    [
        ((), set()),
        (("tests",), set()),
        (
            ("tests/unit/test_a.py",),
            {"tests/unit/test_b.py", "tests/slow/conftest.py", "tests/slow/test_c.py"}
            | {"tests/unit_too/test_d.py"},
        ),
        (
            ("tests/unit/test_a.py::test_one",),
            {"tests/unit/test_b.py", "tests/slow/conftest.py", "tests/slow/test_c.py"}
            | {"tests/unit_too/test_d.py"},
        ),
        (
            ("tests/unit",),
            {"tests/slow/conftest.py", "tests/slow/test_c.py", "tests/unit_too/test_d.py"},
        ),
        (
            ("tests/slow/test_c.py", "tests/unit/test_b.py"),
            {"tests/unit/test_a.py", "tests/unit_too/test_d.py"},
        ),
    ],
    ids=["all", "a folder", "a file", "a test", "an inner folder", "two files"],
)
def test_what_is_loaded_for_the_targets_is_read_and_no_test_beside_them(
    targets: tuple[str, ...], passed_over: set[str]
) -> None:
    named = {flag.partition(": ")[0] for flag in scanned(PytestCheck(targets), FILES)}

    assert named == FILES.keys() - passed_over


def test_what_nobody_opened_takes_no_part_of_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flags, "MAX_READ_FILE_BYTES", len(EXITS))
    monkeypatch.setattr(flags, "MAX_READ_BYTES", len(EXITS))
    snapshot = snapshot_of({"fuzz/a.py": EXITS * 2, "fuzz/b.py": EXITS, "src/app.py": EXITS})

    found = scan(PytestCheck(), snapshot, spared=frozenset({"fuzz/a.py", "fuzz/b.py"}))

    assert found == (f"src/app.py: {BENDS}",)


def test_as_much_code_is_read_as_is_allowed_and_more_is_said_to_be_too_much(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    longer = EXITS + "#"
    monkeypatch.setattr(flags, "MAX_READ_FILE_BYTES", len(EXITS))
    assert scanned(PytestCheck(), {"src/a.py": EXITS}) == (f"src/a.py: {BENDS}",)
    assert scanned(PytestCheck(), {"src/a.py": longer, "src/b.py": EXITS}) == (
        "src/a.py: too much code to be read",
    )
    both = {"src/a.py": EXITS, "src/b.py": EXITS}
    monkeypatch.setattr(flags, "MAX_READ_BYTES", 2 * len(EXITS))
    assert len(scanned(PytestCheck(), both)) == 2
    monkeypatch.setattr(flags, "MAX_READ_BYTES", 2 * len(EXITS) - 1)
    assert scanned(PytestCheck(), both) == (
        f"src/a.py: {BENDS}",
        "src/b.py: too much code to be read",
    )


def test_what_is_named_ends_somewhere_and_is_in_order() -> None:
    files = {f"src/part_{number:03}.py": EXITS for number in range(MAX_FLAGS + 5)}

    found = scanned(PytestCheck(), files)

    assert found == tuple(f"{path}: {BENDS}" for path in sorted(files))[:MAX_FLAGS]


def test_what_measures_coverage_is_read_as_its_tests_are() -> None:
    check = CoverageCheck("src", 80.0, targets=("tests/unit/test_a.py",))

    assert scanned(check, FILES) == scanned(PytestCheck(check.targets), FILES)
