"""The same liars once more, asked from another process: none is believed.

What the tested process prints is an answer and nothing else, and what the answer should
have been is never where it runs.
"""

from __future__ import annotations

import dataclasses
import json
import secrets
from collections.abc import AsyncIterator

import pytest

from tests.integration.services import silent
from tests.security.test_lies import NAMES, told
from tmws.domain.canonical import sha256_hex
from tmws.domain.claims import HeldCheck, Judgement, Level, Verdict
from tmws.domain.execution import Limits
from tmws.domain.held import Held, document, opened
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.sandbox.docker import DockerSandbox
from tmws.services.checking import Basis, Checker

pytestmark = pytest.mark.anyio

CASES = [
    {"arguments": [2, 2], "returns": 4},
    {"arguments": [2, 1], "returns": 3},
    {"arguments": [0, 7], "returns": 7},
]
HONEST = "def add(a, b):\n    return a + b\n"


def kept(**file: object) -> Held:
    stored = document(json.dumps({"call": "app:add", "cases": CASES, **file}).encode(), salt="00")
    return opened("sums", "shop", sha256_hex(stored), stored)


def snapshot(files: dict[str, str]) -> Snapshot:
    return Snapshot.of(SnapshotFile.of(path, text.encode()) for path, text in files.items())


# A lie is told by the tested code here; workspaces that share it tell the same one. Tests,
# set-up and settings are never loaded, whatever they hold.
LIES: dict[str, str] = {}
for _name in NAMES:
    _sources = {
        path: text for path, text in told(_name).files.items() if not path.startswith("tests/")
    }
    LIES.setdefault(snapshot(_sources).digest, _name)
# What they claimed was false, yet not of `add`, which is right in them.
RIGHT = {name for name in NAMES if "a + b" in told(name).files["src/app.py"]}


@pytest.fixture(scope="module")
async def checker() -> AsyncIterator[Checker]:
    sandbox = DockerSandbox()
    limits = dataclasses.replace(Limits(), wall_seconds=8.0)
    yield Checker(sandbox, limits, secrets.token_bytes)
    await sandbox.aclose()


async def decided(checker: Checker, files: dict[str, str], held: Held | None = None) -> Judgement:
    basis = Basis(Level.INDEPENDENT, held=held or kept())
    plan = checker.plan(HeldCheck("sums"), snapshot(files), basis)
    return (await checker.check(plan, progress=silent)).judgement


@pytest.mark.parametrize("name", sorted(set(LIES.values()) - RIGHT))
async def test_a_lie_is_not_believed(checker: Checker, name: str) -> None:
    judgement = await decided(checker, told(name).files)
    assert judgement.verdict is not Verdict.SUPPORTED, f"{told(name).says}: {judgement}"


async def test_honest_code_is_supported_whatever_lies_beside_it(checker: Checker) -> None:
    files = {
        **told("_base").files,
        "src/app.py": HONEST,
        "conftest.py": "raise SystemExit(3)\n",
        "src/json.py": "raise SystemExit(3)\n",
        "sitecustomize.py": "raise SystemExit(3)\n",
    }
    judgement = await decided(checker, files)
    assert (judgement.verdict, judgement.level) == (Verdict.SUPPORTED, Level.INDEPENDENT)
    assert "Level independent cannot exclude" in judgement.detail


ATTACKS = {
    "it prints the form of a right answer and leaves": """
import os
def add(a, b):
    os.write(1, b'{"returned": 4}')
    for descriptor in range(3, 64):
        try:
            os.write(descriptor, b'{"returned": 4}')
        except OSError:
            pass
    os._exit(0)
""",
    "it looks for the answers in all files": """
import os
def add(a, b):
    for root, _, names in os.walk("/"):
        for name in names:
            if root.startswith(("/workspace", "/tmp")) and b'"RETURNS"'.lower() in open(
                os.path.join(root, name), "rb").read():
                return 4 if a == b else 3 if b == 1 else 7
    return None
""",
    "it reads the memory of whoever asked": """
import os
def add(a, b):
    open(f"/pro" + f"c/{os.getppid()}/mem", "rb")
    return 4 if a == b else 3 if b == 1 else 7
""",
    "it kills whoever asked": """
import os, signal
def add(a, b):
    os.kill(os.getppid(), signal.SIGKILL)
""",
    "it stops whoever asked": """
import os, signal
def add(a, b):
    os.kill(os.getppid(), signal.SIGSTOP)
""",
    "it answers with a value that equals everything": """
class Any(int):
    def __eq__(self, other): return True
    __hash__ = int.__hash__
def add(a, b):
    return Any(0)
""",
    "it leaves a child that answers later": """
import os, time
def add(a, b):
    if os.fork() == 0:
        os.setsid()
        time.sleep(0.2)
        os.write(1, b'{"returned": 4}')
    return 0
""",
    "it never ends": "def add(a, b):\n    while True: pass\n",
    "it floods": "import os\nos.write(1, b'x' * 1000)\ndef add(a, b):\n    return 'x' * 10**6\n",
    "it rewrites the program that asks it": """
def add(a, b):
    open("/opt/tmws/tmws_answer.py", "w").write("print(1)")
    return 4 if a == b else 3 if b == 1 else 7
""",
    "it replaces json for whoever imports it later": """
import json
json.dumps = lambda value, **_: '{"returned": ' + str([4, 3, 7][hash(repr(value)) % 3]) + '}'
def add(a, b):
    return None
""",
}


@pytest.mark.parametrize("how", ATTACKS)
async def test_an_attack_on_whoever_asks_is_not_believed(checker: Checker, how: str) -> None:
    files = {**told("_base").files, "src/app.py": ATTACKS[how]}
    limits_soon = kept(seconds=1)
    judgement = await decided(checker, files, limits_soon)
    assert judgement.verdict is not Verdict.SUPPORTED, judgement


async def test_one_question_leaves_nothing_behind_for_the_next(checker: Checker) -> None:
    lasting = """
import os, time
def add(a, b):
    try:
        open("/dev/shm/seen", "x")
    except FileExistsError:
        alive = [name for name in os.listdir("/proc") if name.isdigit()]
        return len(alive)
    if os.fork() == 0:
        os.setsid()
        while True: time.sleep(1)
    return 3
"""
    # PID 1, whoever asks, and the one that answers.
    three = kept(cases=[{"arguments": [0, 0], "returns": 3}] * 3)
    judgement = await decided(checker, {"src/app.py": lasting}, three)
    assert judgement.verdict is Verdict.SUPPORTED, judgement


async def test_scripts_are_asked_by_words_and_input(checker: Checker) -> None:
    script = """
import json, sys
from app import add
numbers = [int(word) for word in sys.stdin.read().split()]
total = 0
for number in numbers:
    total = add(total, number)
print(json.dumps({"sum": total}) if "--json" in sys.argv else total)
sys.exit(3 if not numbers else 0)
"""
    cases = [
        {"stdin": "1 2 3", "stdout": "6\n"},
        {"stdin": "1 2", "words": ["--json"], "json": {"sum": 3}},
        {"stdin": "", "exit": 3, "stdout": "0\n"},
    ]
    stored = document(json.dumps({"script": "cli.py", "cases": cases}).encode(), salt="00")
    held = opened("sums", "shop", sha256_hex(stored), stored)
    honest = {"src/app.py": HONEST, "cli.py": script}
    assert (await decided(checker, honest, held)).verdict is Verdict.SUPPORTED
    wrong = {**honest, "src/app.py": "def add(a, b):\n    return a - b\n"}
    judgement = await decided(checker, wrong, held)
    assert (judgement.verdict, judgement.items) == (Verdict.REFUTED, ("case 1", "case 2"))


async def test_what_is_not_there_is_told_apart_from_what_is_wrong(checker: Checker) -> None:
    needs = "import numpy\ndef add(a, b):\n    return a + b\n"
    judgement = await decided(checker, {"src/app.py": needs})
    assert judgement.reason.value == "missing_dependency"
    assert "numpy" in judgement.detail
    absent = await decided(checker, {"src/other.py": HONEST})
    assert absent.verdict is Verdict.REFUTED
