"""Honest projects, claimed about and decided for real: true is SUPPORTED, false REFUTED."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.checked import decided
from tmws.domain.claims import (
    Check,
    Level,
    MypyCheck,
    PytestCheck,
    PythonCheck,
    Reason,
    RuffCheck,
    Verdict,
)
from tmws.domain.execution import Limits
from tmws.sandbox.docker import DockerSandbox
from tmws.workspaces.directory import DirectoryReader

pytestmark = pytest.mark.anyio

APP = '''"""Arithmetic."""


def add(a: int, b: int) -> int:
    """Return the sum."""
    return a + b
'''
TEST = """from app import add


def test_add() -> None:
    assert add(2, 2) == 4
"""
SRC_LAYOUT = {"src/app.py": APP, "tests/test_app.py": TEST}
FLAT_LAYOUT = {"app/__init__.py": APP, "test_app.py": TEST}
PACKAGED_TESTS = {
    "pyproject.toml": """
[tool.pytest.ini_options]
addopts = ["--import-mode=importlib", "-ra", "--strict-markers", "--cov=app"]
testpaths = ["tests"]
markers = ["slow: takes long"]
filterwarnings = ["error"]
""",
    "src/app.py": APP,
    "tests/__init__.py": "",
    "tests/unit/__init__.py": "",
    "tests/unit/test_same_name.py": TEST.replace("def", "import pytest\n@pytest.mark.slow\ndef"),
    "tests/more/test_same_name.py": TEST,
}
FIXTURES = {
    "src/app.py": APP,
    "conftest.py": """
import sys
from pathlib import Path
import pytest

sys.path.insert(0, str(Path(__file__).parent / "src"))


def pytest_configure(config):
    config.addinivalue_line("markers", "arithmetic: sums")


@pytest.fixture(scope="session")
def numbers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers")
    (folder / "n").write_text("2")
    yield int((folder / "n").read_text())


@pytest.fixture(autouse=True)
def quiet(monkeypatch, capsys):
    monkeypatch.setenv("LOUD", "no")
    yield
    capsys.readouterr()
""",
    "tests/conftest.py": """
import pytest


@pytest.fixture
def two(numbers):
    return numbers
""",
    "tests/test_app.py": """
import pytest
from app import add

pytestmark = pytest.mark.arithmetic


@pytest.mark.parametrize("a,b", [(1, 3), (2, 2), ("x;y", None)][:2])
def test_add(a, b, two):
    assert add(a, b) == 2 * two


def test_no_strings():
    with pytest.raises(TypeError):
        add("a", 1)


class TestApp:
    @pytest.fixture
    def three(self):
        return 3

    def test_three(self, three):
        assert add(three, 1) == 4
""",
}
UNITTEST = {
    "app.py": APP,
    "test_app.py": """
import unittest
from app import add


class AddTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.two = 2

    def setUp(self):
        self.four = 4

    def test_add(self):
        self.assertEqual(add(self.two, 2), self.four)

    def test_many(self):
        for a in range(5):
            with self.subTest(a=a):
                self.assertEqual(add(a, 4 - a), 4)


if __name__ == "__main__":
    unittest.main()
""",
}
PROCESSES = {
    "src/app/__init__.py": APP,
    "src/app/__main__.py": "from app import add\nprint(add(2, 2))\n",
    "tests/test_main.py": """
import subprocess, sys, threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from app import add


def test_main():
    done = subprocess.run([sys.executable, "-m", "app"], capture_output=True, text=True)
    assert done.stdout == "4\\n"


def test_pool():
    with ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool:
        assert pool.submit(add, 2, 2).result() == 4


def test_thread():
    out = []
    thread = threading.Thread(target=lambda: out.append(add(2, 2)))
    thread.start()
    thread.join()
    assert out == [4]
""",
}
WRAPPED = {
    "app.py": APP,
    "helpers.py": """
from app import add


class Shared:
    def test_inherited(self):
        assert add(2, 2) == 4
""",
    "tests/test_app.py": """
import functools
import unittest
from unittest import mock

import pytest
from app import add
from helpers import Shared


def twice(test):
    @functools.wraps(test)
    def run(*arguments):
        test(*arguments)
        test(*arguments)

    return run


class WrapsAll(type):
    def __new__(cls, name, bases, body):
        return super().__new__(cls, name, bases, {
            key: twice(value) if key.startswith("test") else value for key, value in body.items()
        })


class TestWrapped(metaclass=WrapsAll):
    def test_add(self):
        assert add(2, 2) == 4


class TestShared(Shared):
    @mock.patch("app.add", return_value=5)
    def test_stand_in(self, stand_in):
        assert stand_in() == 5


@mock.patch("os.getcwd", return_value="/nowhere")
class TestPatched:
    def test_add(self, getcwd):
        assert add(2, 2) == 4


class TestCases(unittest.IsolatedAsyncioTestCase):
    async def test_async(self):
        assert add(2, 2) == 4

    def test_sub(self):
        for number in range(3):
            with self.subTest(number=number):
                self.assertEqual(add(number, 0), number)


@twice
def test_twice():
    assert add(2, 2) == 4


@pytest.mark.parametrize("number", range(3))
def test_marked(number, subtests):
    with subtests.test("inner"):
        assert add(number, 1) == number + 1


def made(number):
    return lambda: add(number, 2)


for number in range(2):
    globals()[f"test_made_{number}"] = made(number)
""",
}
NATIVE_SETTINGS = {
    "pyproject.toml": """
[tool.pytest]
minversion = "9.0"
pythonpath = ["lib"]
testpaths = ["checks"]
addopts = ["--import-mode=importlib", "--durations=3", "--deselect=checks/test_app.py::test_add"]
strict = true
""",
    "lib/app.py": APP,
    "checks/test_app.py": TEST,
}
PROJECTS = {
    "settings in the native form": NATIVE_SETTINGS,
    "src layout without any configuration": SRC_LAYOUT,
    "flat layout": FLAT_LAYOUT,
    "tests in packages, importlib mode, strict": PACKAGED_TESTS,
    "fixtures, markers, parameters, classes": FIXTURES,
    "unittest": UNITTEST,
    "processes and threads": PROCESSES,
    "tests wrapped, inherited and made": WRAPPED,
}


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    await sandbox.aclose()


def broken(files: dict[str, str]) -> dict[str, str]:
    """Return the project with a function that subtracts."""
    return {path: text.replace("return a + b", "return a - b") for path, text in files.items()}


@pytest.mark.parametrize("project", PROJECTS)
async def test_passing_tests_support_and_failing_ones_refute(
    sandbox: DockerSandbox, project: str
) -> None:
    files = PROJECTS[project]

    honest = await decided(sandbox, PytestCheck(), files)
    wrong = await decided(sandbox, PytestCheck(), broken(files))

    assert honest.verdict is Verdict.SUPPORTED, honest
    assert honest.level is Level.REPRODUCED
    assert wrong.verdict is Verdict.REFUTED, wrong
    assert wrong.reason is Reason.CHECK_FAILED
    assert wrong.items


@pytest.mark.parametrize(
    ("check", "passed"),
    [
        (PytestCheck(("tests/test_app.py::test_add",)), 2),
        (PytestCheck(("tests/test_app.py::test_add[1-3]",), passed=1), 1),
        (PytestCheck(("tests/test_app.py::TestApp",)), 1),
        (PytestCheck(keyword="strings or three"), 2),
        (PytestCheck(("tests",), passed=4), 4),
    ],
)
async def test_targets_and_keywords_choose_what_counts(
    sandbox: DockerSandbox, check: PytestCheck, passed: int
) -> None:
    judgement = await decided(sandbox, check, FIXTURES)

    assert judgement.verdict is Verdict.SUPPORTED, judgement
    assert judgement.counts["passed"] == passed


async def decided_for(sandbox: DockerSandbox, test: str, check: Check | None = None) -> Reason:
    files = {"test_x.py": test}
    return (await decided(sandbox, check or PytestCheck(), files)).reason


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        ("import numpy\ndef test_a(): pass\n", Reason.MISSING_DEPENDENCY),
        ("def test_a():\n    import requests\n", Reason.MISSING_DEPENDENCY),
        ("def test_a(mocker): pass\n", Reason.MISSING_DEPENDENCY),
        ("async def test_a(): pass\n", Reason.MISSING_DEPENDENCY),
        ("from test_x import nothing\ndef test_a(): pass\n", Reason.CHECK_FAILED),
        ("def test_a(:\n", Reason.CHECK_FAILED),
        ("import pytest\ndef test_a(): pytest.importorskip('numpy')\n", Reason.NOTHING_CHECKED),
        (
            "import sys, pytest\n@pytest.mark.skipif(sys.platform != 'x', reason='')\n"
            "def test_a(): pass\ndef test_b(): pass\n",
            Reason.SKIPPED,
        ),
        ("import os, signal\ndef test_a(): os.kill(os.getpid(), signal.SIGSEGV)", Reason.SIGNALED),
        (
            "import pytest\n@pytest.fixture(scope='module', autouse=True)\ndef f():\n"
            "    yield\n    assert 0\ndef test_a(): pass\n",
            Reason.CHECK_FAILED,
        ),
        (
            "import pytest\n@pytest.fixture\ndef f(): 1/0\ndef test_a(f): pass\n",
            Reason.CHECK_FAILED,
        ),
    ],
)
async def test_every_other_end_has_its_reason(
    sandbox: DockerSandbox, test: str, reason: Reason
) -> None:
    assert await decided_for(sandbox, test) is reason


async def test_tests_that_hang_leave_the_claim_open(sandbox: DockerSandbox) -> None:
    limits = dataclasses.replace(Limits(), wall_seconds=2.0)
    files = {"test_x.py": "import threading\ndef test_a(): threading.Event().wait()\n"}

    judgement = await decided(sandbox, PytestCheck(), files, limits)

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.TIMED_OUT)


async def test_tests_that_use_up_the_memory_leave_the_claim_open(sandbox: DockerSandbox) -> None:
    files = {"test_x.py": "def test_a():\n    x = [bytes(2**20) + b'1' for _ in range(4000)]\n"}

    judgement = await decided(sandbox, PytestCheck(), files)

    assert (judgement.verdict, judgement.reason) == (Verdict.INCONCLUSIVE, Reason.OUT_OF_MEMORY)


UNUSED = "import os\n"


@pytest.mark.parametrize(
    ("check", "files", "verdict", "reason"),
    [
        (RuffCheck(), {"a.py": APP}, Verdict.SUPPORTED, Reason.CHECK_PASSED),
        (RuffCheck(), {"a.py": UNUSED}, Verdict.REFUTED, Reason.CHECK_FAILED),
        (RuffCheck(("src",)), {"src/a.py": APP, "b.py": UNUSED}, Verdict.SUPPORTED, None),
        (
            RuffCheck(),
            {"a.py": UNUSED, "ruff.toml": "[lint]\nignore = ['F401']\n"},
            Verdict.SUPPORTED,
            None,
        ),
        (RuffCheck(), {"README": ""}, Verdict.REFUTED, Reason.NOTHING_CHECKED),
        (RuffCheck(), {"a.py": "def f(:\n"}, Verdict.REFUTED, Reason.CHECK_FAILED),
        (
            RuffCheck(),
            {"a.py": "", "ruff.toml": "no = such\n"},
            Verdict.INCONCLUSIVE,
            Reason.USAGE_ERROR,
        ),
        (MypyCheck(strict=True), {"a.py": APP}, Verdict.SUPPORTED, Reason.CHECK_PASSED),
        (MypyCheck(), {"a.py": "x: int = ''\n"}, Verdict.REFUTED, Reason.CHECK_FAILED),
        (MypyCheck(), {"a.py": "def f(x): return x\n"}, Verdict.SUPPORTED, None),
        (MypyCheck(strict=True), {"a.py": "def f(x): return x\n"}, Verdict.REFUTED, None),
        (MypyCheck(), {"a.py": "import yaml\n"}, Verdict.INCONCLUSIVE, Reason.MISSING_DEPENDENCY),
        (MypyCheck(), {"README": ""}, Verdict.REFUTED, Reason.NOTHING_CHECKED),
        (
            MypyCheck(),
            {"a/x.py": "", "b/x.py": ""},
            Verdict.INCONCLUSIVE,
            Reason.USAGE_ERROR,
        ),
        (
            MypyCheck(("tests",), strict=True),
            {"src/app/__init__.py": APP, "tests/test_a.py": TEST + "\n\nimport pytest\n"},
            Verdict.SUPPORTED,
            None,
        ),
        (
            MypyCheck(strict=True),
            {"a.py": "import yaml\n", "mypy.ini": "[mypy-yaml.*]\nignore_missing_imports = True\n"},
            Verdict.SUPPORTED,
            None,
        ),
        (PythonCheck("s.py"), {"s.py": "print('done')\n"}, Verdict.SUPPORTED, None),
        (
            PythonCheck("s.py", exit_code=3),
            {"s.py": "raise SystemExit(3)\n"},
            Verdict.SUPPORTED,
            None,
        ),
        (PythonCheck("s.py"), {"s.py": "1 / 0\n"}, Verdict.REFUTED, Reason.CHECK_FAILED),
        (
            PythonCheck("scripts/s.py"),
            {"scripts/s.py": "import near, app\n", "scripts/near.py": "", "src/app.py": APP},
            Verdict.SUPPORTED,
            None,
        ),
        (
            PythonCheck("s.py"),
            {"s.py": "import numpy\n"},
            Verdict.INCONCLUSIVE,
            Reason.MISSING_DEPENDENCY,
        ),
        (
            PythonCheck("s.py"),
            {"s.py": "import os\nos.abort()\n"},
            Verdict.INCONCLUSIVE,
            Reason.SIGNALED,
        ),
        (
            PythonCheck("s.py"),
            {
                "s.py": "if __name__ == '__main__':\n"
                "    import multiprocessing as m\n"
                "    with m.get_context('fork').Pool(1) as pool:\n"
                "        assert pool.map(abs, [-1]) == [1]\n"
            },
            Verdict.SUPPORTED,
            None,
        ),
    ],
)
async def test_findings_and_scripts(
    sandbox: DockerSandbox,
    *,
    check: Check,
    files: dict[str, str],
    verdict: Verdict,
    reason: Reason | None,
) -> None:
    judgement = await decided(sandbox, check, files)

    assert judgement.verdict is verdict, judgement
    assert reason is None or judgement.reason is reason


@pytest.fixture
def folder(tmp_path: Path) -> str:
    """A real folder with the project of fixtures in it."""
    for path, text in FIXTURES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    return str(tmp_path.resolve())


async def test_a_real_folder_is_captured_and_decided(sandbox: DockerSandbox, folder: str) -> None:
    snapshot = await DirectoryReader().capture(folder)
    files = {file.path: file.content.decode() for file in snapshot.files}

    assert files == FIXTURES
    assert (await decided(sandbox, PytestCheck(), files)).verdict is Verdict.SUPPORTED
