"""Chroma's own server for tests: started on a free port of loopback, gone when they end."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

from tests.patience import ENOUGH_SECONDS


@dataclass
class ChromaServer:
    """A server that can be killed and started again, on the same folder and port."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start and return when it answers."""
        program = Path(sys.executable).with_name("chroma")
        self.process = subprocess.Popen(
            [
                program,
                "run",
                "--path",
                self.folder,
                "--host",
                "127.0.0.1",
                "--port",
                str(self.port),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        until = time.monotonic() + ENOUGH_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError("the Chroma server did not start")
            time.sleep(0.05)

    def kill(self) -> None:
        """End it as a crash would."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def _answers(self) -> bool:
        heartbeat = f"{self.address}/api/v2/heartbeat"
        with contextlib.suppress(OSError), urlopen(heartbeat, timeout=5) as answer:  # noqa: S310
            return bool(answer.status == 200)
        return False


@contextlib.contextmanager
def chroma_server(folder: Path) -> Iterator[ChromaServer]:
    """Run a server for as long as the block lasts."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
    server = ChromaServer(folder, port)
    server.start()
    try:
        yield server
    finally:
        server.kill()
