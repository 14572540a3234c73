"""What real projects do that once looked like a lie, or like a missing package."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.checked import decided
from tmws.domain.claims import PytestCheck, Reason, Verdict
from tmws.domain.reading import NOT_OF_THE_RUNNER
from tmws.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.anyio

CODE = "def add(a, b):\n    return a + b\n"
TEST = "from app import add\n\ndef test_add():\n    assert add(2, 2) == 4\n"
EXITS = "import os\n\nos._exit(0)\n"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    await sandbox.aclose()


@pytest.mark.parametrize(
    ("test", "reason"),
    [
        (TEST, Reason.CHECK_PASSED),
        (TEST + "    open('fuzz/server.py').read()\n", Reason.OBSERVED_ONLY),
        (TEST + "    __import__('runpy').run_path('fuzz/server.py')\n", Reason.TAMPER_SUSPECTED),
    ],
)
async def test_a_script_counts_against_a_project_only_where_the_run_read_it(
    sandbox: DockerSandbox, test: str, reason: Reason
) -> None:
    files = {"src/app.py": CODE, "tests/test_app.py": test, "fuzz/server.py": EXITS}

    judgement = await decided(sandbox, PytestCheck(), files)

    assert judgement.reason is reason, judgement
    named = [flag for flag in judgement.flags if flag.startswith("fuzz/")]
    assert bool(named) == (reason is not Reason.CHECK_PASSED)


@pytest.mark.parametrize("place", ["iniconfig", "src/iniconfig"])
@pytest.mark.parametrize(("own", "verdict"), [(1, Verdict.SUPPORTED), (2, Verdict.REFUTED)])
async def test_a_project_that_the_runner_stands_on_is_tested_by_its_own_copy(
    sandbox: DockerSandbox, place: str, own: int, verdict: Verdict
) -> None:
    files = {
        "setup.cfg": "[tool:pytest]\n",
        f"{place}/__init__.py": "from iniconfig.own import NUMBER\n",
        f"{place}/own.py": f"NUMBER = {own}\n",
        "tests/test_own.py": "import iniconfig\n\ndef test():\n    assert iniconfig.NUMBER == 1\n",
    }

    judgement = await decided(sandbox, PytestCheck(), files)

    assert judgement.verdict is verdict, judgement
    assert judgement.flags == ()


@pytest.mark.parametrize(
    ("first", "reason"),
    [("import nowhere", Reason.MISSING_DEPENDENCY), ("import json", Reason.CHECK_FAILED)],
)
async def test_a_name_that_a_missing_package_leaves_unbound_is_the_packages_absence(
    sandbox: DockerSandbox, first: str, reason: Reason
) -> None:
    test = (
        f"try:\n    {first}\n    from json import nothing, loads as read\nexcept ImportError:\n"
        "    pass\n\ndef test_read():\n    assert read('1') == 1\n"
    )

    judgement = await decided(sandbox, PytestCheck(), {"test_app.py": test})

    assert judgement.reason is reason, judgement


async def test_a_module_whose_last_test_is_skipped_by_its_set_up_is_believed(
    sandbox: DockerSandbox,
) -> None:
    conftest = (
        "import pytest\n\n"
        "@pytest.fixture(autouse=True, scope='session', params=['python', 'native'])\n"
        "def kind(request):\n"
        "    if request.param == 'native':\n"
        "        pytest.skip('not built')\n"
    )
    files = {"src/app.py": CODE, "tests/conftest.py": conftest, "tests/test_app.py": TEST}

    judgement = await decided(sandbox, PytestCheck(allow_skipped=1), files)

    assert judgement.verdict is Verdict.SUPPORTED, judgement


async def test_the_runner_loads_none_of_the_modules_that_may_be_asked_for(
    sandbox: DockerSandbox,
) -> None:
    names = sorted(NOT_OF_THE_RUNNER)
    test = f"import sys\n\ndef test_loaded():\n    assert not set({names}) & set(sys.modules)\n"
    asks = "import sys\n\nASYNC = 'asyncio' in sys.modules\n"
    files = {"src/app.py": asks, "tests/test_app.py": "import app\n" + test}

    judgement = await decided(sandbox, PytestCheck(), files)

    assert judgement.verdict is Verdict.SUPPORTED, judgement
