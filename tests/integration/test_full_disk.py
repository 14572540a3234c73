"""A full disk is said, and costs nothing that was acknowledged."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.patience import ENOUGH_SECONDS
from tmws.storage.database import Database


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path | None]:
    """A folder on a disk of two megabytes, None where this user cannot mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", "size=2m")
    mounted = subprocess.run(["mount", *options, "tmpfs", str(folder)], check=False)
    if mounted.returncode:
        yield None
        return
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


FILLER = """
import asyncio, resource, signal, sys
from pathlib import Path
from typing import Any
from tests.integration import schemas
from tests.integration.services import Installation, agent, learned
from tmws.domain import events
from tmws.domain.errors import BackendUnavailable

async def main(folder: str, limit: int) -> None:
    place = Installation(f"sqlite:///{folder}/tmws.db", Path(folder))
    async with place.open() as app:
        alice = await agent(app, "alice")
        if limit:
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        for number in range(500):
            try:
                kept = await learned(app, alice, f"p{number}", data={"x": "y" * 20_000})
            except BackendUnavailable as full:
                print("FULL", full.retryable, full.message)
                return
            print("KEPT", kept.id, flush=True)

asyncio.run(main(sys.argv[1], int(sys.argv[2])))
"""


async def test_a_full_disk_is_said_and_costs_nothing_that_was_acknowledged(
    small_disk: Path | None, tmp_path: Path
) -> None:
    folder, limit = (small_disk, 0) if small_disk else (tmp_path / "data", 2 * 1024 * 1024)
    root = Path(__file__).parents[2]
    run = subprocess.run(  # noqa: ASYNC221  # nothing else runs here
        [sys.executable, "-c", FILLER, str(folder), str(limit)],
        env={**os.environ, "PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"},
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=True,
    )
    lines = run.stdout.splitlines()
    kept = [line.split()[1] for line in lines if line.startswith("KEPT")]
    assert lines[-1].startswith("FULL True The database did not answer:"), run.stdout[-500:]
    assert len(kept) > 10
    assert await found(folder) == len(kept)


async def found(folder: Path) -> int:
    """Count what the store holds and check that its words and vectors are whole."""
    database = Database(f"sqlite:///{folder}/tmws.db")
    try:
        async with database.read() as connection:
            assert await connection.scalar(sa.text("PRAGMA integrity_check")) == "ok"
            counts = {
                await connection.scalar(sa.text(f"SELECT count(*) FROM {table}"))
                for table in ("patterns", "documents", "vectors")
            }
    finally:
        await database.aclose()
    [count] = counts
    return int(count)
