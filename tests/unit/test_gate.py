"""The gate's own checks: each one can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.check_addresses import ADDRESSES
from scripts.check_licences import acceptable
from scripts.check_links import anchors, fault, links, slug
from scripts.tracked import ROOT


def run_pytest(folder: Path, tests: str, *options: str) -> int:
    """Run tests under the rules of this project and return the exit code."""
    (folder / "conftest.py").write_text((ROOT / "tests" / "conftest.py").read_text("utf-8"))
    (folder / "test_it.py").write_text(tests)
    command = [sys.executable, "-m", "pytest", "-q", f"--rootdir={folder}", *options, str(folder)]
    environment = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, stdout=subprocess.DEVNULL
    ).returncode


@pytest.mark.parametrize(
    ("body", "exit_code"),
    [
        ("assert True", pytest.ExitCode.OK),
        ("pytest.skip('later')", pytest.ExitCode.TESTS_FAILED),
        ("pytest.xfail('known')", pytest.ExitCode.TESTS_FAILED),
    ],
)
def test_a_run_that_passes_anything_over_fails(
    tmp_path: Path, body: str, exit_code: pytest.ExitCode
) -> None:
    assert run_pytest(tmp_path, f"import pytest\ndef test_it(): {body}\n") == exit_code


def test_modules_that_pass_themselves_over_fail_parallel_runs_too(tmp_path: Path) -> None:
    (tmp_path / "test_other.py").write_text("def test_it(): pass\n")
    tests = "import pytest\npytest.importorskip('no_such_module')\n"
    in_parallel = ("-p", "xdist", "-n", "2")
    assert run_pytest(tmp_path, tests, *in_parallel) == pytest.ExitCode.TESTS_FAILED


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
        ("Apache-2.0 WITH LLVM-exception", True),
        ("GPL-2.0-only WITH Classpath-exception-2.0", False),
        ("GPL-3.0-or-later", False),
        ("no licence stated", False),
    ],
)
def test_a_licence_needs_one_choice_that_is_allowed(licence: str, allowed: bool) -> None:
    assert acceptable(licence) is allowed
