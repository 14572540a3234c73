"""An administrator sees how the sandbox of each living server stands, and of no dead one."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.integration.command import tmws
from tests.patience import ENOUGH_SECONDS
from tmws.faces.cli.server_states import read


@contextmanager
def served(data: Path, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tmws", "serve"],
        env=os.environ | {"TMWS_DATA_DIR": str(data), "TMWS_WARM_SLOTS": "1", **settings},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def eventually(data: Path, holds: Callable[[list[str]], bool]) -> list[str]:
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not holds(lines := read(data)):
        assert time.monotonic() < deadline, lines
        time.sleep(0.05)
    return lines


def test_status_tells_of_living_servers_and_forgets_killed_ones(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        (line,) = eventually(tmp_path, lambda lines: any("1 ready" in line for line in lines))
        assert line.startswith(f"process {server.pid}: self-test held at 20")
        assert line.endswith("breaker closed, 1 ready, 0 running, 0 waiting")
        assert tmws("sandbox", "status", "--json", data=tmp_path).document()["servers"] == [line]
        server.kill()
        server.wait()
        assert read(tmp_path) == []
        assert list((tmp_path / "servers").iterdir()) == []


def test_status_tells_a_server_s_last_fault_though_no_engine_answers(tmp_path: Path) -> None:
    nowhere = f"unix://{tmp_path / 'no.sock'}"
    with served(tmp_path, DOCKER_HOST=nowhere) as server:
        eventually(tmp_path, lambda lines: any("last fault: No Docker" in line for line in lines))
        status = tmws("sandbox", "status", data=tmp_path, DOCKER_HOST=nowhere)
        assert status.status == 7
        assert f"process {server.pid}" in status.output
        assert "No Docker engine answers" in status.errors
        assert server.stdin is not None
        server.stdin.close()
        assert server.wait(30) == 0
        assert read(tmp_path) == []
