"""The small project that the demo works on: one bug, and tests that show it."""

from __future__ import annotations

import subprocess
from pathlib import Path

_PYPROJECT = """\
[project]
name = "textkit"
version = "0.1.0"

[tool.pytest.ini_options]
pythonpath = ["src"]
"""

_SLUGS = '''\
"""Turn titles into addresses."""

import re


def slugify(title: str) -> str:
    """Return the title in lower case, words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")
'''

_SLUGS_MENDED = '''\
"""Turn titles into addresses."""

import re
import unicodedata


def slugify(title: str) -> str:
    """Return the title in lower case, accents removed, words joined by hyphens."""
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "-", plain.lower()).strip("-")
'''

_WRAPPING = '''\
"""Break text into lines."""


def wrap(text: str, width: int) -> list[str]:
    """Return lines of at most `width` characters, broken between words."""
    lines = [""]
    for word in text.split():
        if len(lines[-1]) + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines
'''

_TEST_SLUGS = """\
import pytest

from textkit.slugs import slugify


@pytest.mark.parametrize(
    ("title", "slug"),
    [
        ("Hello, World!", "hello-world"),
        ("  two   spaces ", "two-spaces"),
        ("Crème brûlée", "creme-brulee"),
        ("Ελλάδα 2026", "2026"),
    ],
)
def test_a_title_becomes_its_slug(title, slug):
    assert slugify(title) == slug
"""

_TEST_WRAPPING = """\
from textkit.wrapping import wrap


def test_words_stay_whole():
    assert wrap("one two three", 7) == ["one two", "three"]


def test_no_line_is_longer_than_the_width():
    assert all(len(line) <= 9 for line in wrap("some words of text", 9))
"""

_CONFTEST_THAT_LIES = """\
def pytest_sessionfinish(session, exitstatus):
    session.exitstatus = 0
"""

_TEST_THAT_LIES = """\
import os
import sys


def test_everything():
    sys.__stdout__.write("\\n===== 42 passed in 0.01s =====\\n")
    sys.__stdout__.flush()
    os._exit(0)
"""


class DemoProject:
    """A git repository in a folder of its own."""

    def __init__(self, root: Path) -> None:
        """Write the project and commit it."""
        self.root = root
        self._write("pyproject.toml", _PYPROJECT)
        self._write("src/textkit/__init__.py", "")
        self._write("src/textkit/slugs.py", _SLUGS)
        self._write("src/textkit/wrapping.py", _WRAPPING)
        self._write("tests/test_slugs.py", _TEST_SLUGS)
        self._write("tests/test_wrapping.py", _TEST_WRAPPING)
        self._git("init", "--quiet")
        self.commit("Start a small text toolkit")

    def mend_slugs(self) -> None:
        """Apply the pattern: remove accents before anything else is dropped."""
        self._write("src/textkit/slugs.py", _SLUGS_MENDED)
        self.commit("Keep accented letters in slugs")

    def lie_in_conftest(self) -> None:
        """Make pytest exit with 0 whatever the tests say."""
        self._write("conftest.py", _CONFTEST_THAT_LIES)
        self.commit("Tidy the test set-up")

    def lie_in_a_test(self) -> None:
        """Print a summary that never was, and leave before pytest can tell."""
        (self.root / "conftest.py").unlink()
        self._write("tests/test_everything.py", _TEST_THAT_LIES)
        self.commit("Add a complete test")

    def commit(self, message: str) -> None:
        """Commit everything."""
        self._git("add", "--all")
        author = ("-c", "user.name=demo", "-c", "user.email=demo@localhost")
        self._git(*author, "-c", "commit.gpgsign=false", "commit", "--quiet", "-m", message)

    def _write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def _git(self, *words: str) -> None:
        subprocess.run(["git", "-C", str(self.root), *words], check=True)  # noqa: S603, S607  # our own words
