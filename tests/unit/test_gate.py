"""The gate's own checks: each one can fail."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_addresses import ADDRESSES
from scripts.check_licences import acceptable
from scripts.check_links import anchors, fault, links, slug
from scripts.tracked import ROOT


@pytest.mark.parametrize(
    ("body", "passes"),
    [
        ("assert True", True),
        ("assert False", False),
        ("pytest.skip('later')", False),
        ("pytest.xfail('known')", False),
        ("pytest.importorskip('no_such_module')", False),
    ],
)
def test_a_run_that_passes_anything_over_fails(tmp_path: Path, body: str, passes: bool) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    (tmp_path / "test_it.py").write_text(f"import pytest\n\ndef test_it():\n    {body}\n")
    quietly = ("-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path))
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *quietly, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode == 0) is passes, run.stdout


def test_a_module_that_passes_itself_over_fails_the_run_too(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    (tmp_path / "test_one.py").write_text("def test_it():\n    assert True\n")
    (tmp_path / "test_two.py").write_text("import pytest\npytest.importorskip('no_such_module')\n")
    quietly = ("-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-n", "2")
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *quietly, str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout


@pytest.mark.parametrize(
    "text",
    ["https://py" + "pi.org/simple", "see /ro" + "ot/notes", "cd /ho" + "me/ann/tmws"],
)
def test_an_address_of_one_machine_or_registry_is_found(text: str) -> None:
    assert ADDRESSES.search(text)


@pytest.mark.parametrize(
    "text", ["/workspace/tests", "~/.config", "$HOME/x", "a/root/b", "docker.io"]
)
def test_ordinary_paths_are_no_addresses(text: str) -> None:
    assert not ADDRESSES.search(text)


def test_links_are_followed_to_the_heading() -> None:
    readme = Path("docs/decisions/README.md")
    assert fault(readme, "../../pyproject.toml") is None
    assert fault(readme, "https://example.org/x") is None
    assert fault(readme, "../../no-such-file.md") == "no such file"
    assert fault(readme, "README.md#no-such-heading") == "no such heading"
    assert fault(readme, "/etc/passwd") is not None


def test_links_in_code_are_not_links() -> None:
    text = "see [a](b.md)\n`[c](d.md)`\n```\n[e](f.md)\n```\n[g]: h.md\n"
    assert list(links(text)) == [(1, "b.md"), (6, "h.md")]


def test_headings_become_the_anchors_that_hosts_give_them() -> None:
    assert slug("What `judge` says: a *table*") == "what-judge-says-a-table"
    assert anchors("# Twice\n## Twice\n") == {"twice", "twice-1"}


@pytest.mark.parametrize(
    ("licence", "allowed"),
    [
        ("MIT", True),
        ("GPL-3.0-only OR MIT", True),
        ("MIT AND BSD-3-Clause", True),
        ("MIT AND GPL-3.0-only", False),
        ("GPL-3.0-or-later", False),
        ("no licence stated", False),
    ],
)
def test_a_licence_needs_one_choice_that_is_allowed(licence: str, allowed: bool) -> None:
    assert acceptable(licence) is allowed
