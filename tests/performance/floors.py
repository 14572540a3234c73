"""What the machine itself takes: no promise of ours can be faster than these.

A floor is measured in the same run as the figure beside it, at the first time it
is asked for, so both saw the same machine on the same day.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

from tests.performance.measure import Figure, measure
from tmws.sandbox.image import default_name

# What PID 1 of a slot gives its child, as far as it matters for time.
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108  # of the unpacked image
    "LANG": "C.UTF-8",
    "PATH": "/usr/bin:/bin",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}


class Floors:
    """The floors of one run, each measured once.

    Attributes:
        folder: where databases are made; the disk that is measured.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._measured: dict[str, Figure] = {}

    async def sqlite_commit(self) -> Figure:
        """One row updated and committed, as durably as TMWS does it."""
        if "sqlite" not in self._measured:
            self._measured["sqlite"] = await _sqlite_commit(self.folder / "floor.db")
        return self._measured["sqlite"]

    async def docker_run(self) -> Figure:
        """`docker run` of a program that does nothing, in our image, without a network."""
        if "docker" not in self._measured:
            self._measured["docker"] = await _docker_run()
        return self._measured["docker"]

    async def bare(self, name: str, argv: Sequence[str], files: Mapping[str, bytes]) -> Figure:
        """The program as a plain process in our image's root file system, chroot being all."""
        if name not in self._measured:
            root = await asyncio.to_thread(self._root)
            self._measured[name] = await _bare(name, root, argv, files)
        return self._measured[name]

    def _root(self) -> Path:
        """Unpack our image, once."""
        root = self.folder / "root"
        if not root.exists():
            root.mkdir()
            made = subprocess.run(
                ("docker", "create", default_name()), check=True, capture_output=True, text=True
            ).stdout.strip()
            with subprocess.Popen(("docker", "export", made), stdout=subprocess.PIPE) as packed:
                subprocess.run(("tar", "-x", "-C", str(root)), stdin=packed.stdout, check=True)
            subprocess.run(("docker", "rm", made), check=True, capture_output=True)
            os.mknod(root / "dev" / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
        return root


async def _bare(name: str, root: Path, argv: Sequence[str], files: Mapping[str, bytes]) -> Figure:
    workspace = root / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    workspace.mkdir()
    for path, content in files.items():
        (workspace / path).write_bytes(content)

    def run() -> None:
        subprocess.run(
            ("/usr/sbin/chroot", str(root), *argv),
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            check=True,
        )

    return await measure(f"bare {name}", run, repeats=20, warm_up=3)


async def _sqlite_commit(path: Path) -> Figure:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE score (agent INTEGER PRIMARY KEY, supported INTEGER)")
        connection.execute("INSERT INTO score VALUES (1, 0)")

        def commit() -> None:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("UPDATE score SET supported = supported + 1 WHERE agent = 1")
            connection.execute("COMMIT")

        return await measure("raw sqlite3 commit", commit, repeats=500)


async def _docker_run() -> Figure:
    bare = ("docker", "run", "--rm", "--network=none", "--entrypoint=/bin/true", default_name())

    def run() -> None:
        subprocess.run(bare, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    return await measure("bare docker run", run, repeats=20, warm_up=2)
