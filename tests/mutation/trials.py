"""Run tests against faults, each in a process of its own that begins with the tests loaded.

Loading the tests takes seconds, and most faults are noticed by a test that takes
milliseconds. So everything is loaded once; for each fault the process is forked, the fault
is put in, and those tests run that run what has the fault, until the first one fails.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import Pipe
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import NoReturn

import pytest

from tests.mutation.loaded import Loaded, load_anew
from tests.mutation.mutants import Mutant
from tests.mutation.recorded import Record, record

OPTIONS = ("--quiet", "--no-header", "--tb=line", "--capture=no", "-p", "no:cacheprovider")
_SLOWER = 20
"""A fault that makes a test this much slower than it was counts as noticed."""
_START_SECONDS = 30.0
_RECORDING_SECONDS = 1800.0
_MEMORY = next((folder for folder in ("/dev/shm",) if Path(folder).is_dir()), None)  # noqa: S108
"""Where what tests write never waits for a disk."""


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


class Reports:
    """Hears what becomes of the tests of this process."""

    def __init__(self) -> None:
        """Begin with nothing amiss."""
        self.amiss: list[str] = []

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test that was passed over for one that failed, as the gate does."""
        if not report.passed:
            self.amiss.append(report.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Take a test that cannot be loaded for one that failed."""
        if not report.passed:
            self.amiss.append(report.nodeid)


@dataclass(slots=True)
class _Child:
    """A process in which tests run against one fault, or against none."""

    pid: int
    ear: Connection
    folder: tempfile.TemporaryDirectory[str]
    deadline: float
    running: str = ""

    def end(self) -> None:
        """End it with all that it started, and remove what it wrote."""
        os.killpg(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self.ear.close()
        self.folder.cleanup()


@dataclass(slots=True)
class Trials:
    """Tries faults once pytest has loaded the tests, and tells what came of each.

    Attributes:
        excused: faults, by key, that are not tried again when they survive.
    """

    mutants: Sequence[Mutant]
    excused: Collection[str]
    workers: int
    tell: Callable[[Trial], None]
    record: Record = field(default_factory=Record)
    _noticed: defaultdict[tuple[str, str], list[int]] = field(
        default_factory=lambda: defaultdict(list)
    )

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of the plain run of the tests.

        Raises:
            UsageError: they fail without a fault.
        """
        if session.testsfailed:
            raise pytest.UsageError("not every test can be loaded")
        paths = list(dict.fromkeys(mutant.path for mutant in self.mutants))
        self.record = _recorded(session.items, paths)
        loaded = Loaded(paths)
        running: dict[Connection, tuple[Mutant, _Child]] = {}
        waiting = deque((mutant, False) for mutant in self.mutants)
        try:
            while waiting or running:
                while waiting and len(running) < self.workers:
                    mutant, doubted = waiting.popleft()
                    child = self._begun(session.items, mutant, None if doubted else loaded)
                    running[child.ear] = mutant, child
                for trial, sure in self._ended(running):
                    if sure or trial.mutant.key in self.excused:
                        self.tell(trial)
                    else:
                        waiting.append((trial.mutant, True))
        finally:
            for _, child in running.values():
                child.end()
        return True

    def _begun(self, items: Sequence[pytest.Item], mutant: Mutant, loaded: Loaded | None) -> _Child:
        """Begin with a fault, in what is loaded or, without that, in all that is loaded anew."""
        numbers = self.record.quickest_first(range(len(items)))
        chosen = self.record.chosen(mutant) if loaded else numbers
        noticed = self._noticed[mutant.path, mutant.function]
        chosen = sorted(chosen, key=lambda number: -noticed.count(number))

        def act(mouth: Connection) -> None:
            if loaded is not None and loaded.swap(mutant):
                _run(items, chosen, mouth)
            else:
                _run_anew(items, chosen, mutant, mouth)

        return _forked(act, seconds=self._patience(chosen[0]))

    def _ended(self, running: dict[Connection, tuple[Mutant, _Child]]) -> list[tuple[Trial, bool]]:
        """Listen until something happens; return what came of those that ended, and if for sure."""
        soonest = min(child.deadline for _, child in running.values())
        heard = wait(list(running), max(0.0, soonest - time.monotonic()))
        ended = []
        for ear, (mutant, child) in list(running.items()):
            if (end := self._heard(mutant, child, speaks=ear in heard)) is not None:
                del running[ear]
                child.end()
                ended.append(end)
        return ended

    def _heard(self, mutant: Mutant, child: _Child, *, speaks: bool) -> tuple[Trial, bool] | None:
        if not speaks:
            late = time.monotonic() >= child.deadline
            return (Trial(mutant, Fate.TIMED_OUT, child.running), True) if late else None
        try:
            what, number, name = child.ear.recv()
        except EOFError:
            return Trial(mutant, Fate.NOTICED, f"the process died: {child.running}"), True
        if what == "begins":
            child.running, child.deadline = name, time.monotonic() + self._patience(number)
            return None
        if what in {"survived", "survived swapped"}:
            # What a function did while its module was loaded is not undone by swapping it.
            return Trial(mutant, Fate.SURVIVED, name), what == "survived"
        self._noticed[mutant.path, mutant.function].append(number)
        return Trial(mutant, Fate.NOTICED, name), True

    def _patience(self, number: int) -> float:
        return _START_SECONDS + _SLOWER * self.record.seconds[number]


def try_all(
    mutants: Sequence[Mutant],
    tests: Sequence[str],
    *,
    excused: Collection[str],
    workers: int,
    tell: Callable[[Trial], None],
) -> None:
    """Try every fault, and tell what becomes of each as soon as it is known.

    Raises:
        SystemExit: the tests fail without any fault.
    """
    status = pytest.main([*OPTIONS, *tests], plugins=[Trials(mutants, excused, workers, tell)])
    if status is not pytest.ExitCode.OK:
        raise SystemExit(f"nothing was tried: pytest ended with {status!r}")


def _recorded(items: Sequence[pytest.Item], paths: Sequence[str]) -> Record:
    """Run all tests without a fault, in a process of their own."""

    def act(mouth: Connection) -> None:
        reports = Reports()
        items[0].config.pluginmanager.register(reports)
        mouth.send((record(items, paths), reports.amiss))

    child = _forked(act, seconds=_RECORDING_SECONDS)
    try:
        if not child.ear.poll(_RECORDING_SECONDS):
            raise pytest.UsageError("the tests do not end")
        recorded, amiss = child.ear.recv()
    finally:
        child.end()
    if amiss:
        raise pytest.UsageError(f"the tests fail without a fault: {', '.join(amiss)}")
    assert isinstance(recorded, Record)
    return recorded


def _forked(act: Callable[[Connection], None], *, seconds: float) -> _Child:
    """Begin a process that does this, with a folder of its own for what it writes."""
    folder = tempfile.TemporaryDirectory(prefix="tmws-mutation-", dir=_MEMORY)
    ear, mouth = Pipe(duplex=False)
    pid = os.fork()
    if pid == 0:
        ear.close()
        _live(act, mouth, folder.name)
    with contextlib.suppress(PermissionError, ProcessLookupError):  # it was faster
        os.setpgid(pid, pid)
    mouth.close()
    return _Child(pid, ear, folder, time.monotonic() + seconds)


def _live(act: Callable[[Connection], None], mouth: Connection, folder: str) -> NoReturn:
    """Act, and end without what pytest does at its end: that is for the parent."""
    try:
        os.setpgid(0, 0)
        quiet = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(quiet, stream)
        tempfile.tempdir = os.environ["TMPDIR"] = folder
        act(mouth)
    finally:
        os._exit(0)


def _run(items: Sequence[pytest.Item], chosen: Sequence[int], mouth: Connection) -> None:
    """Run tests that are loaded, until one fails."""
    reports = Reports()
    items[0].config.pluginmanager.register(reports)
    for number, following in zip(chosen, [*chosen[1:], None], strict=True):
        mouth.send(("begins", number, items[number].nodeid))
        items[number].config.hook.pytest_runtest_protocol(
            item=items[number], nextitem=None if following is None else items[following]
        )
        if reports.amiss:
            mouth.send(("noticed", number, reports.amiss[0]))
            return
    mouth.send(("survived swapped", 0, f"{len(chosen)} tests"))


class _Telling(Reports):
    """Tells which test begins, by its number."""

    def __init__(self, numbers: dict[str, int], mouth: Connection) -> None:
        super().__init__()
        self._numbers = numbers
        self._mouth = mouth

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        self._mouth.send(("begins", self._numbers[nodeid], nodeid))


def _run_anew(
    items: Sequence[pytest.Item], chosen: Sequence[int], mutant: Mutant, mouth: Connection
) -> None:
    """Load everything again with the fault in it, and run tests until one fails."""
    numbers = {items[number].nodeid: number for number in chosen}
    load_anew(mutant)
    telling = _Telling(numbers, mouth)
    status = pytest.main([*OPTIONS, "--exitfirst", *numbers], plugins=[telling])
    if status is pytest.ExitCode.OK:
        mouth.send(("survived", 0, f"{len(chosen)} tests"))
    else:
        amiss = (telling.amiss or ["it does not load"])[0]
        mouth.send(("noticed", numbers.get(amiss, chosen[0]), amiss))
