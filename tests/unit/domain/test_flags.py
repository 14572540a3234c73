from __future__ import annotations

import pytest

from tmws.domain.claims import Check, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.flags import scan
from tmws.domain.snapshots import Snapshot, SnapshotFile


def snapshot_of(files: dict[str, str]) -> Snapshot:
    return Snapshot.of(SnapshotFile.of(path, text.encode()) for path, text in files.items())


def scanned(check: Check, files: dict[str, str]) -> tuple[str, ...]:
    return scan(check, snapshot_of(files))


HONEST_PROJECT = {
    "pyproject.toml": """
[tool.pytest.ini_options]
addopts = "-ra -q --cov=pkg -p no:cacheprovider"
pythonpath = ["src"]
markers = ["slow: takes long"]
[tool.ruff]
line-length = 100
[tool.ruff.lint]
select = ["E", "F"]
ignore = ["E501"]
per-file-ignores = {"tests/*" = ["S101"], "__init__.py" = ["F401"]}
[tool.mypy]
strict = true
[[tool.mypy.overrides]]
module = "yaml.*"
ignore_missing_imports = true
""",
    "conftest.py": """
import os, sys
from pathlib import Path
import pytest
sys.path.insert(0, str(Path(__file__).parent / "src"))

def pytest_configure(config):
    config.addinivalue_line("markers", "net: needs a network")

def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true")

def pytest_collection_modifyitems(config, items):
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="slow"))

def pytest_generate_tests(metafunc):
    pass

@pytest.fixture(autouse=True)
def clean_environment(monkeypatch):
    monkeypatch.setattr("builtins.input", lambda: "")
    monkeypatch.delenv("HOME", raising=False)
""",
    "src/pkg/__init__.py": """
'''A package with modules named like the library's, inside, where they shadow nothing.'''
import sys
class Money:
    def __eq__(self, other):
        return isinstance(other, Money) and self.cents == other.cents
def main():
    sys.exit(0)
if __name__ == "__main__":
    sys.exit(main())
""",
    "src/pkg/types.py": "x = 1  # noqa: E501\ny = 2  # type: ignore[assignment]\n",
    "src/pkg/__main__.py": "import sys\nfrom pkg import main\nsys.exit(main())\n",
    "tests/test_pkg.py": """
import sys, types
from unittest import mock
import pytest
sys.modules["optional_dependency"] = types.ModuleType("optional_dependency")

class Anything:
    def __eq__(self, other):
        return True

def test_exit():
    with pytest.raises(SystemExit):
        sys.exit(1)
    with mock.patch("builtins.print"):
        pass
""",
}


@pytest.mark.parametrize(
    "check", [PytestCheck(), RuffCheck(), MypyCheck(strict=True), PythonCheck("src/pkg/types.py")]
)
def test_an_honest_project_has_no_flag(check: Check) -> None:
    assert scanned(check, HONEST_PROJECT) == ()


@pytest.mark.parametrize(
    "conftest",
    [
        "def pytest_runtest_makereport(item, call): pass",
        "def pytest_pyfunc_call(pyfuncitem): return True",
        "def pytest_runtestloop(session): return True",
        "def pytest_runtest_protocol(item): return True",
        "import pytest\nclass P:\n    def pytest_runtest_call(self): pass",
        "pytest_report_teststatus = lambda report: ('passed', '.', 'PASSED')",
        "from evil import pytest_runtest_makereport",
        "globals()['pytest_runtest_makereport'] = print",
        "def pytest_sessionfinish(session): session.exitstatus = 0",
        "def pytest_runtest_logreport(report): report.outcome = 'passed'",
        "import os\nos._exit(0)",
        "from os import _exit as leave\nleave(0)",
        "import sys\nsys.exit(0)",
        "import atexit\natexit.register(print)",
        "import _pytest.reports as r\nr.TestReport.failed = False",
        "import pytest\npytest.raises = None",
        "import builtins\nbuiltins.isinstance = None",
        "import builtins\nsetattr(builtins, 'len', None)",
        "import sys\nsys.modules['json'] = None",
        "import sys\nsys.modules['_pytest.runner'] = None",
        "import sys\nname = 'x'\nsys.modules[name] = None",
        "import gc\ngc.get_objects()",
        "open('/proc/self/fd')",
        "open('/opt/tmws/x')",
        "def f(p): return p.__closure__[0].cell_contents",
    ],
)
def test_what_can_decide_outcomes_is_flagged(conftest: str) -> None:
    (flag, *_) = scanned(PytestCheck(), {"tests/conftest.py": conftest})

    assert flag.startswith("tests/conftest.py: ")


@pytest.mark.parametrize(
    ("target", "flagged"),
    [
        ("tests", True),
        ("tests/unit", True),
        ("tests/unit/test_a.py::test_a", True),
        ("other", False),
        ("tests2", False),
    ],
)
def test_a_conftest_has_a_say_over_its_folder_only(target: str, flagged: bool) -> None:
    files = {
        "tests/conftest.py": "def pytest_runtestloop(session): return True",
        "tests/unit/test_a.py": "",
        "other/test_b.py": "",
        "tests2/test_c.py": "",
    }

    assert bool(scanned(PytestCheck((target,)), files)) == flagged


@pytest.mark.parametrize(
    "path",
    ["pytest.py", "tomllib.py", "sitecustomize.py", "src/json.py", "tests/_pytest/__init__.py",
     "pluggy.pyi", "tests/os.py"],
)  # fmt: skip
def test_a_module_that_shadows_the_library_is_flagged(path: str) -> None:
    assert scanned(PytestCheck(), {path: ""}) == (
        f"{path}: shadows a module that the test run stands on",
    )


def test_an_object_that_equals_everything_is_flagged_in_the_tested_code() -> None:
    code = "class X(int):\n    def __eq__(self, other):\n        return True\n"

    assert scanned(PytestCheck(), {"src/app.py": code}) == (
        "src/app.py: class X equals everything",
    )


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("pytest.ini", "[pytest]\naddopts = -q -p evil\n"),
        ("setup.cfg", "[tool:pytest]\naddopts = -pevil\n"),
        ("pyproject.toml", '[tool.pytest.ini_options]\naddopts = ["-p", "evil"]\n'),
        ("tox.ini", "[pytest]\naddopts = -q\n  -p evil\n"),
    ],
)
def test_a_plugin_in_addopts_is_flagged(path: str, text: str) -> None:
    assert scanned(PytestCheck(), {path: text}) == (f"{path}: addopts loads the plugin evil",)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "# ruff: noqa\n"),
        ("a.py", "x = 1\n#ruff:noqa: F401\n"),
        ("a.py", "# flake8: noqa\n"),
        ("ruff.toml", "[lint]\nignore = ['ALL']\n"),
        ("ruff.toml", "[lint]\nselect = []\n"),
        ("src/.ruff.toml", "[lint.per-file-ignores]\n'*' = ['F']\n"),
        ("pyproject.toml", "[tool.ruff.lint.per-file-ignores]\n'src/*' = ['ALL']\n"),
    ],
)
def test_what_leaves_ruff_nothing_to_find_is_flagged(path: str, text: str) -> None:
    (flag,) = scanned(RuffCheck(), {path: text})

    assert flag.startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", "# mypy: ignore-errors\n"),
        ("a.py", "x = 1\n# mypy: disable-error-code=attr-defined\n"),
        ("a.py", "# type: ignore\nimport x\n"),
        ("mypy.ini", "[mypy]\nignore_errors = True\n"),
        ("mypy.ini", "[mypy-src.*]\nignore_errors = true\n"),
        ("mypy.ini", "[mypy]\nplugins = evil\n"),
        ("setup.cfg", "[mypy]\nfollow_imports = skip\n"),
        (
            "pyproject.toml",
            "[[tool.mypy.overrides]]\nmodule = 'app'\nignore_errors = true\n",
        ),
    ],
)
def test_what_leaves_mypy_nothing_to_find_is_flagged(path: str, text: str) -> None:
    (flag,) = scanned(MypyCheck(), {path: text})

    assert flag.startswith(f"{path}: ")


def test_a_comment_outside_the_targets_does_not_matter() -> None:
    files = {"docs/conf.py": "# ruff: noqa\n", "src/a.py": ""}

    assert scanned(RuffCheck(("src",)), files) == ()


def test_text_that_only_looks_like_a_comment_is_not_one() -> None:
    assert scanned(RuffCheck(), {"a.py": 'x = "# ruff: noqa"\n'}) == ()


@pytest.mark.parametrize("content", [b"\xff\xfe", b"def (", b"\0", b"[" * 5000])
def test_what_cannot_be_read_is_no_reason_to_stop(content: bytes) -> None:
    names = ("a.py", "conftest.py", "pyproject.toml", "setup.cfg", "ruff.toml", "mypy.ini")
    snapshot = Snapshot.of(SnapshotFile.of(name, content) for name in names)

    for check in (PytestCheck(), RuffCheck(), MypyCheck()):
        assert scan(check, snapshot) == ()


def test_more_code_than_can_be_read_is_flagged_instead_of_read() -> None:
    long = "# " + "x" * 900_000 + "\n"
    vast = {f"tests/test_{number}.py": long for number in range(5)}

    assert scanned(PytestCheck(), vast) == ("tests/test_4.py: too much code to be read",)
    assert scanned(PytestCheck(), {"conftest.py": long * 2}) == (
        "conftest.py: too much code to be read",
    )
    assert scanned(PytestCheck(), {"src/data.py": long * 2}) == ()
