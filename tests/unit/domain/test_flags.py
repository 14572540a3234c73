from __future__ import annotations

import pytest

from tmws.domain.claims import Check, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.flags import scan
from tmws.domain.reading import HANDED_OVER
from tmws.domain.snapshots import Snapshot, SnapshotFile

ENDS = (".py", "/__init__.py")


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


@pytest.mark.parametrize("package", sorted(HANDED_OVER))
def test_a_project_may_be_a_package_of_the_runner_where_its_tests_get_their_own(
    package: str,
) -> None:
    places = [f"{folder}{package}{end}" for folder in ("", "src/") for end in ENDS]

    assert scanned(PytestCheck(), dict.fromkeys(places, "")) == ()
    assert scanned(PytestCheck(), {f"lib/{package}.py": ""}) != ()


def test_a_file_that_nobody_opened_is_not_named() -> None:
    exits = "import os\nos._exit(0)\n"
    snapshot = snapshot_of({"fuzz/server.py": exits, "src/app.py": exits, "numpy.py": ""})

    flags = scan(PytestCheck(), snapshot, spared=frozenset({"fuzz/server.py", "numpy.py"}))

    assert flags == ("src/app.py: calls os._exit when it is imported",)


@pytest.mark.parametrize("answer", ["True", "int.__eq__(self, int(self))", "bool(self.all)"])
def test_an_object_that_equals_everything_is_flagged_in_the_tested_code(answer: str) -> None:
    code = f"class X(int):\n    def __eq__(self, other):\n        return {answer}\n"

    assert scanned(PytestCheck(), {"src/app.py": code}) == (
        "src/app.py: class X equals everything",
    )


@pytest.mark.parametrize("answer", ["False", "NotImplemented", "self.x == other.x"])
def test_an_object_that_compares_or_refuses_to_is_not(answer: str) -> None:
    code = f"class X:\n    def __eq__(self, other):\n        return {answer}\n"

    assert scanned(PytestCheck(), {"src/app.py": code}) == ()


TESTS = "from app import add\n\ndef test_add():\n    assert add(1, 1) == 2\n"
CODE = "def add(a, b):\n    return a + b\n\ndef fetch():\n    return 1\n"


@pytest.mark.parametrize(
    ("setup", "what"),
    [
        ("import app\napp.add = min", "replaces app.add, which tests name"),
        ("import app\nsetattr(app, 'add', min)", "replaces app.add, which tests name"),
        (
            "import sys\nsetattr(sys.modules['app'], 'add', min)",
            "replaces app.add, which tests name",
        ),
        ("from unittest.mock import patch\npatch('app.add').start()", "replaces app.add, which"),
        (
            "import pytest, app\n@pytest.fixture(autouse=True)\ndef all(monkeypatch):\n"
            "    monkeypatch.setattr(app, 'add', min)\n",
            "replaces app.add, which tests name",
        ),
        (
            "import pytest\n@pytest.fixture(autouse=True)\ndef all(monkeypatch):\n"
            "    monkeypatch.setattr('test_app.add', min)\n",
            "replaces test_app.add in a module of tests",
        ),
        (
            "def pytest_collection_modifyitems(items):\n    items[0].module.add = min\n",
            "replaces a name in a test's module",
        ),
        ("import app\napp.add.__code__ = min", "replaces __code__ of a function"),
        ("import sys\nsys.meta_path.insert(0, 1)", "calls sys.meta_path.insert"),
        ("import gc\ngetattr(gc, 'get_ob' + 'jects')()", "a name that is put together"),
    ],
)
def test_set_up_that_replaces_what_tests_name_is_flagged(setup: str, what: str) -> None:
    files = {"conftest.py": setup, "src/app.py": CODE, "tests/test_app.py": TESTS}

    flags = scanned(PytestCheck(), files)

    assert any(what in flag for flag in flags), flags


FIXTURE = (
    "import pytest\n@pytest.fixture{0}\ndef quiet(monkeypatch):\n"
    "    monkeypatch.setattr('app.add', min)\n"
)


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("tests/__init__.py", {"tests/__init__.py": "import app\napp.add = min\n"}),
        (
            "support.py",
            {"support.py": FIXTURE.format("(autouse=True)"), "conftest.py": "{}"},
        ),
        (
            "src/lib/support.py",
            {"src/lib/support.py": FIXTURE.format("(autouse=True)"), "conftest.py": "{}"},
        ),
        ("conftest.py", {"conftest.py": FIXTURE.format("(autouse=ALWAYS)")}),
        ("conftest.py", {"conftest.py": FIXTURE.format("(**OPTIONS)")}),
        (
            "conftest.py",
            {"conftest.py": FIXTURE.format(""), "pytest.ini": "[pytest]\nusefixtures = quiet\n"},
        ),
        (
            "conftest.py",
            {
                "conftest.py": FIXTURE.format(""),
                "pyproject.toml": "[tool.pytest.ini_options]\nusefixtures = ['quiet']\n",
            },
        ),
    ],
)
def test_set_up_counts_wherever_it_lies_and_however_it_is_asked_for(
    path: str, files: dict[str, str]
) -> None:
    named = path.removeprefix("src/").removesuffix(".py").replace("/", ".")
    files = {
        name: f"pytest_plugins = ['{named}']\n" if text == "{}" else text
        for name, text in files.items()
    }

    flags = scanned(PytestCheck(), {"src/app.py": CODE, "tests/test_app.py": TESTS, **files})

    assert flags == (f"{path}: replaces app.add, which tests name",)


def test_a_package_of_the_tested_code_may_put_itself_together() -> None:
    files = {
        "src/app/__init__.py": "from app import core\ncore.add = core.plus\n",
        "src/app/core.py": "def plus(a, b):\n    return a + b\n",
        "tests/__init__.py": "",
        "tests/test_app.py": "from app.core import add\n\ndef test():\n    assert add\n",
    }

    assert scanned(PytestCheck(), files) == ()


@pytest.mark.parametrize(
    "setup",
    [
        "import app\napp.fetch = min",
        "import app\n\ndef test():\n    app.add = min",
        "import pytest, app\n@pytest.fixture\ndef fake(monkeypatch):\n"
        "    monkeypatch.setattr(app, 'add', min)\n",
        "def pytest_configure(config):\n    config.option.verbose = 2\n",
    ],
    ids=["unnamed", "in a function", "on request", "options"],
)
def test_stand_ins_that_a_test_asks_for_are_not(setup: str) -> None:
    files = {"conftest.py": setup, "src/app.py": CODE, "tests/test_app.py": TESTS}

    assert scanned(PytestCheck(), files) == ()


@pytest.mark.parametrize(
    ("code", "what"),
    [
        ("import os\nx = 'PYTEST_CURRENT_TEST' in os.environ", "asks for PYTEST_CURRENT_TEST"),
        ("import sys\nx = 'pytest' in sys.modules", "asks whether pytest is loaded"),
        ("import time\ntime.monotonic_ns = lambda: 0", "replaces time.monotonic_ns"),
        ("import os\ngetattr(os, '_ex' + 'it')(0)", "a name that is put together"),
    ],
)
def test_code_that_behaves_otherwise_under_test_is_flagged(code: str, what: str) -> None:
    [flag] = scanned(PytestCheck(), {"src/app.py": code})

    assert what in flag


def test_a_module_called_like_a_testing_library_is_flagged_unless_it_is_that_project() -> None:
    files = {"src/hypothesis/__init__.py": "given = lambda *_: lambda test: test\n"}

    [flag] = scanned(PytestCheck(), files)

    assert "takes the place of the library hypothesis" in flag
    own = {**files, "pyproject.toml": '[project]\nname = "Hypothesis"\n'}
    assert scanned(PytestCheck(), own) == ()


def test_a_tests_returned_comparison_and_a_threads_assertion_are_flagged() -> None:
    returned = "def test_x():\n    return 1 == 2\n"
    thread = (
        "import threading\ndef check():\n    assert 1 == 2\n"
        "def test_x():\n    threading.Thread(target=check).start()\n"
    )

    for text, what in ((returned, "returns what"), (thread, "asserts in a thread")):
        [flag] = scanned(PytestCheck(), {"tests/test_x.py": text})
        assert what in flag


@pytest.mark.parametrize(
    ("check", "files", "what"),
    [
        (RuffCheck(), {"ruff.toml": "extend = 'base.toml'"}, "extends other settings"),
        (RuffCheck(), {"ruff.toml": "lint.select = ['W']"}, "leaves out the rules F"),
        (RuffCheck(), {"ruff.toml": "lint.ignore = ['F']"}, "ignore holds F"),
        (RuffCheck(), {"a.py": "x = 1  # noqa\n" * 4}, "comments silence 4 of 4 lines"),
        (MypyCheck(), {"a.py": "x = 1  # type: ignore\n" * 4}, "comments silence 4 of 4 lines"),
        (MypyCheck(), {"mypy.ini": "[mypy]\ndisable_error_code = a, index"}, "holds index"),
    ],
)
def test_settings_and_comments_that_leave_little_to_find_are_flagged(
    check: Check, files: dict[str, str], what: str
) -> None:
    [flag] = scanned(check, files)

    assert what in flag


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

    assert scan(PytestCheck(), snapshot) == ()
    by_ruff, by_mypy = (scan(check, snapshot) for check in (RuffCheck(), MypyCheck()))
    assert {flag.partition(": ")[0] for flag in by_ruff} <= {"pyproject.toml", "ruff.toml"}
    assert {flag.partition(": ")[0] for flag in by_mypy} <= {*names} - {"a.py", "ruff.toml"}
    assert all("cannot be read here" in flag for flag in (*by_ruff, *by_mypy))
    assert by_ruff
    assert by_mypy


@pytest.mark.parametrize(
    "text",
    [
        "# ruff: disable[E501]\nx = 1\n# ruff: enable[E501]\n" + "y = 2\n" * 20,
        "y = 2\n" * 50 + "# ruff: disable[E501]\nx = 1\n",
    ],
)
def test_a_range_that_leaves_most_of_the_file_silences_little(text: str) -> None:
    assert scanned(RuffCheck(), {"a.py": text}) == ()


@pytest.mark.parametrize(
    "codes", [["F"], ["E", "F821"], ["E9", "F63", "F7", "F82"], ["ALL"], ["B", "F8"]]
)
def test_rules_that_find_mistakes_may_be_chosen_in_part(codes: list[str]) -> None:
    flags = scanned(RuffCheck(), {"ruff.toml": f"lint.select = {codes}\n"})
    assert bool(flags) == (codes == ["E", "F821"])


def test_more_code_than_can_be_read_is_flagged_instead_of_read() -> None:
    long = "# " + "x" * 900_000 + "\n"
    vast = {f"tests/test_{number}.py": long for number in range(5)}

    assert scanned(PytestCheck(), vast) == ("tests/test_4.py: too much code to be read",)
    assert scanned(PytestCheck(), {"conftest.py": long * 2}) == (
        "conftest.py: too much code to be read",
    )
    assert scanned(PytestCheck(), {"src/data.py": long * 2}) == ()
