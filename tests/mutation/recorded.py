"""What each test runs and how long it takes, recorded once, so that few are run for a fault."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import pytest
from coverage import Coverage

from scripts.tracked import ROOT
from tests.mutation.mutants import Mutant


@dataclass(frozen=True, slots=True)
class Record:
    """The tests by their number.

    Attributes:
        seconds: how long each took.
        lines: who runs a line, by file and line; what runs at the import is in none.
    """

    seconds: list[float] = field(default_factory=list)
    lines: dict[str, dict[int, list[int]]] = field(default_factory=dict)

    def chosen(self, mutant: Mutant) -> list[int]:
        """Return the tests that run what has the fault, the quickest first.

        Where none does it stands outside of functions, and any test may depend on it.
        """
        lines = self.lines[mutant.path]
        running = {number for line in mutant.lines for number in lines.get(line, ())}
        return self.quickest_first(running or range(len(self.seconds)))

    def quickest_first(self, numbers: Iterable[int]) -> list[int]:
        """Return tests in the order of the time they take."""
        return sorted(numbers, key=lambda number: (self.seconds[number], number))


def record(items: Sequence[pytest.Item], paths: Iterable[str]) -> Record:
    """Run every test and return what was seen of it."""
    files = {path: str(ROOT / path) for path in paths}
    seen = Coverage(
        data_file=None,
        include=list(files.values()),
        concurrency=["greenlet", "thread"],  # SQLAlchemy runs its statements in greenlets
        messages=False,
    )
    recorded = Record()
    seen.start()
    for number, item in enumerate(items):
        seen.switch_context(str(number))
        began = time.monotonic()
        item.config.hook.pytest_runtest_protocol(
            item=item, nextitem=items[number + 1] if number + 1 < len(items) else None
        )
        recorded.seconds.append(time.monotonic() - began)
    seen.stop()
    data = seen.get_data()
    for path, file in files.items():
        lines: defaultdict[int, list[int]] = defaultdict(list)
        for line, contexts in data.contexts_by_lineno(file).items():
            lines[line] += sorted(int(each) for each in contexts if each)
        recorded.lines[path] = dict(lines)
    return recorded
