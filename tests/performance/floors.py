"""What the machine itself takes: no promise of ours can be faster than these.

A floor is measured in the same run as the figure beside it, at the first time it
is asked for, so both saw the same machine on the same day.
"""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.performance.measure import Figure, measure
from tmws.sandbox.image import default_name


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
