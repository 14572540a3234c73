"""Run tests against faults, each in a copy of the tree, several at once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from itertools import count
from pathlib import Path
from queue import SimpleQueue

import pytest

from scripts.tracked import ROOT, tracked_files
from tests.mutation.mutants import Mutant

_SLOWER = 5
"""A fault that makes the tests this much slower than they were counts as noticed."""
_START_SECONDS = 30.0
_NAMED = ("FAILED", "ERROR")
"""How pytest begins the line that names a test that failed."""


class Fate(StrEnum):
    """What became of a fault."""

    NOTICED = "noticed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Trial:
    """A fault, what became of it, and the test that noticed it."""

    mutant: Mutant
    fate: Fate
    told: str


class Copies:
    """Copies of the tree, one for each worker."""

    def __init__(self, folder: Path, workers: int) -> None:
        """Copy what git lists, as it stands in the working tree."""
        self._free: SimpleQueue[Path] = SimpleQueue()
        # A file that changed within its second, and kept its length, would be taken for its
        # compiled self; so each one gets a time of its own.
        self._moments = count(1_000_000_000)
        for number in range(workers):
            self._free.put(_copied(folder / str(number)))

    def tested(self, tests: Sequence[str], seconds: float) -> tuple[bool, str]:
        """Run tests on the tree as it is; return whether they pass, and what they say."""
        with self._one() as copy:
            return _passes(copy, tests, seconds)

    def tried(self, mutant: Mutant, tests: Sequence[str], seconds: float) -> Trial:
        """Run tests on the tree with one fault in it, until the first one fails."""
        with self._one() as copy:
            file = copy / mutant.path
            before = file.read_bytes()
            try:
                self._write(file, mutant.content.encode())
                passes, told = _passes(copy, tests, seconds)
            except subprocess.TimeoutExpired:
                return Trial(mutant, Fate.TIMED_OUT, f"over {seconds:.0f} s")
            finally:
                self._write(file, before)
            if not passes and not told.startswith(_NAMED):
                _require_collected(copy, tests, seconds)
        return Trial(mutant, Fate.SURVIVED if passes else Fate.NOTICED, told)

    def _write(self, file: Path, content: bytes) -> None:
        file.write_bytes(content)
        moment = next(self._moments)
        os.utime(file, (moment, moment))

    @contextmanager
    def _one(self) -> Iterator[Path]:
        copy = self._free.get()
        try:
            yield copy
        finally:
            self._free.put(copy)


def trials(mutants: Sequence[Mutant], tests: Sequence[str], *, workers: int) -> Iterator[Trial]:
    """Yield what becomes of each fault, in the order of the faults.

    Raises:
        SystemExit: the tests fail without any fault.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tmws-mutation-") as folder,
        ThreadPoolExecutor(workers) as pool,
    ):
        copies = Copies(Path(folder), workers)
        began = time.monotonic()
        passes, told = copies.tested(tests, seconds=3600)
        if not passes:
            raise SystemExit(f"the tests fail without a fault:\n{told}")
        seconds = _START_SECONDS + _SLOWER * (time.monotonic() - began)
        yield from pool.map(lambda each: copies.tried(each, tests, seconds), mutants)


def _copied(copy: Path) -> Path:
    for path in tracked_files():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, copy / path)
    return copy


def _require_collected(copy: Path, tests: Sequence[str], seconds: float) -> None:
    """Return if it was the fault that kept tests from running, and not what they need.

    Raises:
        SystemExit: they do not even load without it.
    """
    passes, told = _passes(copy, ["--collect-only", *tests], seconds)
    if not passes:
        raise SystemExit(f"no test can be run any more:\n{told}")


def _passes(copy: Path, tests: Sequence[str], seconds: float) -> tuple[bool, str]:
    options = ["--exitfirst", "--quiet", "--no-header", "--tb=line", "-p", "no:cacheprovider"]
    # With CI set, hypothesis tries the same examples each time.
    environment = {**os.environ, "PYTHONPATH": str(copy / "src"), "CI": "true"}
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", *options, *tests],
        cwd=copy,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)
        process.communicate()
        raise
    lines = output.decode(errors="replace").splitlines()
    failed = next((line for line in lines if line.startswith(_NAMED)), "")
    return process.returncode == pytest.ExitCode.OK, failed or "\n".join(lines[-1:])
