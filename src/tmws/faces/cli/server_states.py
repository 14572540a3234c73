"""What each server says of its sandbox, in a file of its own, for `tmws sandbox status`.

A server holds a lock on its file as long as it lives, so that nobody takes the word of a
dead one: the kernel gives the lock back whatever ended the process.
"""

from __future__ import annotations

import asyncio
import dataclasses
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog

from tmws.app import App
from tmws.ports import SandboxState

SECONDS_BETWEEN = 2.0
_LARGEST_BYTES = 4096
_FOLDER = "servers"
_log = structlog.get_logger()


async def keep(app: App) -> None:
    """Write how this process' sandbox stands whenever that has changed, until cancelled."""
    try:
        with _held(app.settings.data_dir / _FOLDER / f"{os.getpid()}.json") as file:
            await _write_changes(app, file)
    except OSError as error:  # a courtesy: checks go on without it
        _log.warning("sandbox_state_not_kept", reason=str(error))


async def _write_changes(app: App, file: int) -> None:
    written: SandboxState | None = None
    while True:
        state = app.sandbox.state()
        state = dataclasses.replace(state, waiting=state.waiting + app.verification.waiting)
        if state != written:
            os.pwrite(file, _encoded(state), 0)
            written = state
        await asyncio.sleep(SECONDS_BETWEEN)


def read(data: Path) -> list[str]:
    """Return a line for each server that lives; files of the dead are removed."""
    lines = []
    for path in sorted((data / _FOLDER).glob("*.json")):
        with suppress(FileNotFoundError, ValueError), path.open("rb") as file:
            if _is_free(file.fileno()):
                path.unlink()
            else:
                lines.append(f"process {path.stem}: {_told(json.loads(file.read()))}")
    return lines


@contextmanager
def _held(path: Path) -> Iterator[int]:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield file
    finally:
        path.unlink(missing_ok=True)
        os.close(file)


def _is_free(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _encoded(state: SandboxState) -> bytes:
    """Return JSON of one length, so that it replaces what stood there in one write."""
    content = dataclasses.asdict(state)
    if state.tested_at is not None:
        tested = datetime.now(UTC) - timedelta(seconds=time.monotonic() - state.tested_at)
        content["tested_at"] = tested.isoformat(timespec="seconds")
    content["fault"] = state.fault[:500] if state.fault else None
    return json.dumps(content).encode().ljust(_LARGEST_BYTES)


def _told(state: dict[str, Any]) -> str:
    tested = f"held at {state['tested_at']}" if state["tested_at"] else "not run yet"
    breaker = "open, the engine keeps failing" if state["resting"] else "closed"
    fault = f", last fault: {state['fault']}" if state["fault"] else ""
    return (
        f"self-test {tested}, breaker {breaker}, {state['ready']} ready, "
        f"{state['running']} running, {state['waiting']} waiting{fault}"
    )
