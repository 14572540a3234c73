"""Numbers that a workspace would like to have computed, on real containers."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checked import decided
from tests.integration.docker_sandboxes import opened
from tmws.domain.claims import MetricCheck, Reason, Verdict
from tmws.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.anyio

CLAIM = MetricCheck("out/metrics.json", ">=", 0.9, "train.py", "/accuracy")
HONEST = """
import json, os
data = [(x, x % 3 == 0) for x in range(1000)]
right = sum((x % 3 == 0 or x % 97 == 1) == label for x, label in data)
os.makedirs("out", exist_ok=True)
json.dump({"accuracy": right / len(data)}, open("out/metrics.json", "w"))
"""
LONG = HONEST.replace("1000", "1001")  # a number of many digits
WRITES = "import json\njson.dump({{'accuracy': {}}}, open('out/metrics.json', 'w'))\n"
CASES = {
    "honest": ({"train.py": HONEST}, Verdict.SUPPORTED, Reason.CHECK_PASSED),
    "honest and too low": (
        {"train.py": HONEST.replace("x % 97 == 1", "x % 2 == 1")},
        Verdict.REFUTED,
        Reason.CHECK_FAILED,
    ),
    "a file from before": (
        {"train.py": "pass", "out/metrics.json": '{"accuracy": 0.95}'},
        Verdict.REFUTED,
        Reason.NOTHING_CHECKED,
    ),
    "a link to a file from before": (
        {
            "train.py": "import os; os.symlink('/workspace/old.json', 'out/metrics.json')",
            "old.json": '{"accuracy": 0.95}',
            "out/keep": "",
        },
        Verdict.REFUTED,
        Reason.NOTHING_CHECKED,
    ),
    "a copy of a number that lies there": (
        {
            "train.py": "import shutil; shutil.copy('old.json', 'out/metrics.json')",
            "old.json": '{"accuracy": 0.95123}',
            "out/keep": "",
        },
        Verdict.INCONCLUSIVE,
        Reason.OBSERVED_ONLY,
    ),
    "honest, with what an earlier run left": (
        {"train.py": LONG, "out/metrics.json": '{"accuracy": 0.9920079920079921}'},
        Verdict.SUPPORTED,
        Reason.CHECK_PASSED,
    ),
    "a number that the script holds": (
        {"train.py": WRITES.format("0.95"), "out/keep": ""},
        Verdict.INCONCLUSIVE,
        Reason.OBSERVED_ONLY,
    ),
    "a number that the script writes in another way": (
        {"train.py": WRITES.format(".951_230"), "out/keep": ""},
        Verdict.INCONCLUSIVE,
        Reason.OBSERVED_ONLY,
    ),
    "a number in a file of another kind": (
        {
            "train.py": WRITES.format("float(open('model.bin').read())"),
            "model.bin": "9.5123e-1",
            "out/keep": "",
        },
        Verdict.INCONCLUSIVE,
        Reason.OBSERVED_ONLY,
    ),
    "a pipe": (
        {"train.py": "import os; os.mkfifo('out/metrics.json')", "out/keep": ""},
        Verdict.REFUTED,
        Reason.NOTHING_CHECKED,
    ),
    "a flood": (
        {
            "train.py": "open('out/metrics.json', 'w').write('1' * 10_000_000)",
            "out/keep": "",
        },
        Verdict.REFUTED,
        Reason.NOTHING_CHECKED,
    ),
    "not a number": (
        {
            "train.py": "open('out/metrics.json', 'w').write('{\"accuracy\": NaN}')",
            "out/keep": "",
        },
        Verdict.REFUTED,
        Reason.NOTHING_CHECKED,
    ),
    "a number and a crash": (
        {"train.py": HONEST + "\nraise SystemExit(3)"},
        Verdict.INCONCLUSIVE,
        Reason.USAGE_ERROR,
    ),
}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with opened() as sandbox:
        yield sandbox


@pytest.mark.parametrize("name", CASES)
async def test_a_number_counts_only_if_this_run_wrote_it(sandbox: DockerSandbox, name: str) -> None:
    files, verdict, reason = CASES[name]
    judgement = await decided(sandbox, CLAIM, files)
    assert (judgement.verdict, judgement.reason) == (verdict, reason), judgement.detail
