"""Floods and slow readers: the server's own peak of memory stays bounded, its answers clear.

Measured on a real `tmws serve`: `VmHWM`, the most that the process ever held at once, which
the kernel counts anew after a word to `clear_refs`.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.patience import ENOUGH_SECONDS
from tests.security import peaks
from tmws.app import open_app
from tmws.config import Settings

MIB = 2**20
OTHERS = tuple(f"other{number}" for number in range(8))
FLOOD = "import os\nblock = b'x' * 65536\nwhile True: os.write({}, block)\n"
INITIALIZE = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "flood", "version": "1"},
}


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Served:
    """A server in a process of its own, spoken to line by line."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self._process = process
        self._numbers = itertools.count(1)
        self.folder = folder
        assert process.stdin is not None
        assert process.stdout is not None
        self.stdin, self.stdout = process.stdin, process.stdout

    async def send(self, method: str, **params: Any) -> int:
        number = next(self._numbers)
        message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        self.stdin.write(json.dumps(message).encode() + b"\n")
        await self.stdin.drain()
        return number

    async def answer(self) -> dict[str, Any]:
        """Read the next answer; what only tells of progress is passed over."""
        while True:
            line = await asyncio.wait_for(self.stdout.readline(), ENOUGH_SECONDS)
            message: dict[str, Any] = json.loads(line)
            if "id" in message:
                return message

    async def claim(self, workspace: str = "shop", **check: Any) -> int:
        claim = {"statement": "It holds.", "workspace": workspace, "check": check}
        return await self.send("tools/call", name="verify_claim", arguments=claim)

    async def verdict(self, workspace: str = "shop", **check: Any) -> dict[str, Any]:
        await self.claim(workspace, **check)
        result = (await self.answer())["result"]
        assert not result.get("isError"), result
        found: dict[str, Any] = result["structuredContent"]
        return found

    async def stop(self) -> None:
        self._process.terminate()
        await asyncio.wait_for(self._process.wait(), ENOUGH_SECONDS)

    def forget_peak(self) -> int:
        """Let the peak be counted from now on; return what is held now."""
        return peaks.forget(self._process.pid)

    @property
    def peak(self) -> int:
        """The most bytes held at once since then."""
        return peaks.peak(self._process.pid)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Served]:
    async with serving(tmp_path) as server:
        yield server


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[Served]:
    async with open_app(Settings(data_dir=folder / "data")) as app:
        for name in ("shop", "large", *OTHERS):
            await asyncio.to_thread((folder / name).mkdir)
            await app.workspaces.add(name, str((folder / name).resolve()), by="test")
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tmws", "serve"),
        env=os.environ | {"TMWS_DATA_DIR": str(folder / "data"), "TMWS_LOG_LEVEL": "error"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=MIB,  # of what is read ahead here
    )
    try:
        server = Served(process, folder)
        await server.send("initialize", **INITIALIZE)
        await server.answer()
        write(folder / "shop", {"well.py": "print('well')\n"})
        assert (await server.verdict(profile="python", script="well.py"))["accurate"]
        yield server
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def write(folder: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)


async def test_floods_of_output_are_cut_off_and_held_nowhere(served: Served) -> None:
    lines = FLOOD.format(64).replace("\n", "\n    ")  # where the runner keeps its channel
    write(
        served.folder / "shop",
        {
            "prints.py": FLOOD.format(1),
            "complains.py": FLOOD.format(2),
            "test_reports.py": f"def test_it():\n    {lines}",
        },
    )
    before = served.forget_peak()
    for check in (
        {"profile": "python", "script": "prints.py"},
        {"profile": "python", "script": "complains.py"},
        {"profile": "pytest", "targets": ["test_reports.py"]},
    ):
        found = await served.verdict(**check)
        assert found["reason"] == "output_exceeded"
        assert "quieter" in found["detail"]
    assert served.peak - before < 96 * MIB  # a report may have 16, and is copied as it is read


async def test_five_thousand_files_are_checked_and_one_more_is_refused(served: Served) -> None:
    many: dict[str, str | bytes] = {f"a{n % 50}/f{n}.py": f"x = {n}\n" for n in range(4999)}
    await asyncio.to_thread(write, served.folder / "large", many | {"well.py": "pass\n"})
    before = served.forget_peak()
    assert (await served.verdict("large", profile="python", script="well.py"))["accurate"]
    assert (await served.verdict("large", profile="ruff"))["counts"]["files"] == 5000
    write(served.folder / "large", {"more.py": ""})
    await served.claim("large", profile="ruff")
    refused = (await served.answer())["result"]
    assert refused["isError"]
    assert "more than 5000 files or 32 MiB. Register a folder" in refused["content"][0]["text"]
    assert served.peak - before < 48 * MIB


def thirty_mebibytes(scripts: list[str]) -> dict[str, str | bytes]:
    """Files that resemble no others, and scripts that end well."""
    large: dict[str, str | bytes] = {f"f{n}.bin": os.urandom(MIB) for n in range(30)}
    return large | dict.fromkeys(scripts, "print('well')\n")


async def verdicts(served: Served, claims: int) -> int:
    """How many of so many claims were decided; the others were told when to come back."""
    answers = [(await served.answer())["result"] for _ in range(claims)]
    for answer in answers:
        said = answer["content"][0]["text"]
        assert not answer.get("isError") or "Retry after" in said
    return sum(not answer.get("isError") for answer in answers)


async def test_claims_about_one_large_workspace_hold_it_once(served: Served) -> None:
    scripts = [f"well{n}.py" for n in range(16)]
    await asyncio.to_thread(write, served.folder / "large", thirty_mebibytes(scripts))
    before = served.forget_peak()
    for script in scripts:
        await served.claim("large", profile="python", script=script)
    assert await verdicts(served, 16) == 16
    assert served.peak - before < 3 * 30 * MIB


async def test_large_workspaces_are_held_up_to_a_sum_and_refused_beyond(served: Served) -> None:
    for name in OTHERS:
        await asyncio.to_thread(write, served.folder / name, thirty_mebibytes(["well.py"]))
    before = served.forget_peak()
    for name in OTHERS:
        await served.claim(name, profile="python", script="well.py")
    assert await verdicts(served, len(OTHERS)) >= 4
    assert served.peak - before < (128 + 3 * 30) * MIB


async def test_many_claims_at_once_are_decided_or_told_when_to_come_back(served: Served) -> None:
    before = served.forget_peak()
    write(served.folder / "shop", {f"w{n}.py": "print('well')\n" for n in range(60)})
    for n in range(60):
        await served.claim(profile="python", script=f"w{n}.py")
    said = []
    for _ in range(60):
        answer = (await served.answer())["result"]
        said.append(answer.get("structuredContent", {}).get("verdict") or answer["content"][0])
    refused = [each["text"] for each in said if isinstance(each, dict)]
    assert said.count("SUPPORTED") + len(refused) == 60
    assert said.count("SUPPORTED") >= 16
    assert all("Nothing was started. Retry after" in text for text in refused)
    assert served.peak - before < 32 * MIB


async def test_who_does_not_read_is_not_read_from_and_loses_nothing(served: Served) -> None:
    asked, before = 2000, served.forget_peak()

    async def ask() -> None:
        for _ in range(asked):
            await served.send("tools/list")

    asking = asyncio.create_task(ask())
    # More than the pipes and both sides' buffers hold; so it stands still, unread.
    await asyncio.wait([asking], timeout=5)
    assert served.peak - before < 32 * MIB
    for _ in range(asked):
        assert (await served.answer())["result"]["tools"]
    await asking
    assert served.peak - before < 32 * MIB


async def test_a_line_without_end_is_not_held_and_its_request_is_answered(served: Served) -> None:
    before = served.forget_peak()
    served.stdin.write(b'{"jsonrpc":"2.0","id":7001,"method":"tools/call","params":{"name":"')
    for _ in range(64):
        served.stdin.write(b"x" * MIB)
        await served.stdin.drain()
    served.stdin.write(b'"}}\n')
    refused = await served.answer()
    assert refused["id"] == 7001
    assert "longer than 4194304 bytes" in refused["error"]["message"]
    assert (await served.verdict(profile="python", script="well.py"))["repeated"]
    assert served.peak - before < 32 * MIB


async def test_a_server_whose_client_does_not_read_can_still_be_stopped(served: Served) -> None:
    for _ in range(60):
        await served.send("tools/list")
    await served.stop()
