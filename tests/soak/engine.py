"""A Docker engine of one's own, to be killed without anybody else minding."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PATIENCE_SECONDS = 60.0


class OwnEngine:
    """A dockerd with root, sockets and containerd of its own, below one short folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.address = f"unix://{folder / 'd.sock'}"
        self._process: subprocess.Popen[bytes] | None = None
        self._containerd: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it answers."""
        if self._containerd is None:
            self._containerd = self._start_containerd()
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                (
                    "dockerd",
                    f"--host={self.address}",
                    f"--data-root={self.folder / 'root'}",
                    f"--exec-root={self.folder / 'exec'}",
                    f"--pidfile={self.folder / 'pid'}",
                    # One that dockerd starts dies with it, sometimes while it is restarted.
                    f"--containerd={self.folder / 'c.sock'}",
                    # Beside another engine, a bridge of ours would take away the other's.
                    "--bridge=none",
                    "--iptables=false",
                    "--ip-forward=false",
                ),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + PATIENCE_SECONDS
        while self._docker("version").returncode:
            if time.monotonic() > deadline or self._process.poll() is not None:
                raise RuntimeError(f"no engine: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.1)

    def _start_containerd(self) -> subprocess.Popen[bytes]:
        config = self.folder / "containerd.toml"
        config.write_text(
            f"""version = 2
root = "{self.folder / "containerd"}"
state = "{self.folder / "state"}"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{self.folder / "c.sock"}"
"""
        )
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(
                ("containerd", f"--config={config}"),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it without a word of warning; what it started lives on."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        (self.folder / "pid").unlink(missing_ok=True)

    def is_down(self) -> bool:
        """Say whether it was killed."""
        return self._process is None or self._process.poll() is not None

    def stop(self) -> None:
        """End it, its containerd, and every mount below its folder."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(PATIENCE_SECONDS)
        if self._containerd is not None:
            self._containerd.terminate()
            self._containerd.wait(PATIENCE_SECONDS)
        for process in self.processes():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted(mounted, reverse=True):
            if place.startswith(f"{self.folder}/"):
                subprocess.run(("umount", "-l", place), check=False)

    def load(self, image: str) -> None:
        """Copy an image from the engine that everybody uses."""
        with subprocess.Popen(("docker", "save", image), stdout=subprocess.PIPE) as saved:
            self._docker("load", stdin=saved.stdout).check_returncode()

    def containers(self) -> list[str]:
        """Return the ids of all containers, running or not."""
        return self._docker("ps", "--all", "--quiet", "--no-trunc").stdout.split()

    def kill_container(self, container: str) -> None:
        """End a container from outside; one that has ended by itself is no error."""
        self._docker("kill", container)

    def processes(self) -> list[int]:
        """Return whatever runs on behalf of this engine: containerd and the shims."""
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdecimal():
                process = int(entry.name)
                if process != os.getpid() and str(self.folder).encode() in _words(process):
                    found.append(process)
        return found

    def shims(self) -> list[int]:
        """Return the engine's helpers, one beside each container.

        An engine that is killed while it starts a container may forget one for ever;
        that is its own fault as long as nothing runs in it.
        """
        return [each for each in self.processes() if b"containerd-shim" in _words(each)]

    def inside(self) -> list[str]:
        """Return the command lines of what runs in containers."""
        shims = set(self.shims())
        return [
            _words(int(entry.name)).replace(b"\0", b" ").decode(errors="replace")
            for entry in Path("/proc").iterdir()
            if entry.name.isdecimal() and _parent(int(entry.name)) in shims
        ]

    def _docker(self, *words: str, stdin: object = None) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            ("docker", *words),
            env={**os.environ, "DOCKER_HOST": self.address},
            stdin=stdin,  # type: ignore[call-overload]  # a pipe or nothing
            capture_output=True,
            text=True,
            check=False,
        )
        return done


def _words(process: int) -> bytes:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{process}/cmdline").read_bytes()
    return b""


def _parent(process: int) -> int:
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{process}/stat").read_text()
        return int(stat.rpartition(")")[2].split()[1])
    return 0


@contextmanager
def own_engine() -> Iterator[OwnEngine]:
    """Yield a running engine; afterwards nothing of it is left."""
    # Not in the tests' folder: the path of a socket is at most 107 bytes long.
    folder = Path(f"/tmp/tmws-engine-{os.getpid()}")  # noqa: S108
    folder.mkdir(mode=0o700)
    engine = OwnEngine(folder)
    try:
        engine.start()
        yield engine
    finally:
        engine.stop()
        shutil.rmtree(folder)
