"""Put faults into rules and print those that no test notices.

usage: python -m tests.mutation [--list] [--all] [--only TEXT] [--workers N] [TARGET …]

Ends with 1 when a fault survived that no reason excuses, or when an excused one
was noticed after all. `--only` tries the faults whose line holds a text; `--all` prints
the noticed ones too, each with the test that noticed it.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter, defaultdict

from tests.mutation.target import Target, named, names
from tests.mutation.trials import Fate, Trial, try_all

_COLUMNS = ("faults", "noticed", "timed out", "excused", "survived")


class Account:
    """What became of the faults of one target."""

    def __init__(self, target: Target, *, talkative: bool) -> None:
        """Begin with nothing tried."""
        self._target = target
        self._talkative = talkative
        self._fates: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.surprises: list[str] = []

    def take(self, trial: Trial) -> None:
        """Count one, and print it where it is of interest."""
        excused = trial.mutant.key in self._target.excused
        fate = "excused" if excused else trial.fate.value
        self._fates[trial.mutant.path].update((fate, "faults"))
        surprising = excused is not (trial.fate is Fate.SURVIVED)
        if surprising:
            what = "noticed, but excused" if excused else "survived"
            self.surprises.append(f"{what}: {trial.mutant.key}\n  {trial.told}")
        if surprising or self._talkative:
            print(f"{fate:9} {trial.mutant}\n          {trial.told}", flush=True)

    def table(self) -> str:
        """Return the counts, file by file."""
        total: Counter[str] = Counter()
        for counts in self._fates.values():
            total.update(counts)
        width = max(map(len, [*self._fates, "all"]))
        rows = [*sorted(self._fates.items()), ("all", total)]
        return "\n".join(
            [
                " " * width + "".join(f"{column:>11}" for column in _COLUMNS),
                *(
                    f"{path:{width}}" + "".join(f"{counts[column]:11}" for column in _COLUMNS)
                    for path, counts in rows
                ),
            ]
        )


def run(name: str, target: Target, *, only: str, workers: int, talkative: bool) -> bool:
    """Try the faults of one target and print what became of them; say whether all is well."""
    began = time.monotonic()
    mutants = [mutant for mutant in target.mutants() if only in str(mutant)]
    account = Account(target, talkative=talkative)
    try_all(
        mutants, target.tests, excused=target.excused.keys(), workers=workers, tell=account.take
    )
    print(f"\n{name}: {time.monotonic() - began:.0f} s\n{account.table()}")
    print(*account.surprises, sep="\n")
    return not account.surprises


def main() -> int:
    """Read the command line, run, and say by the exit code whether every fault was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names()))
    parser.add_argument("--list", action="store_true", help="print the faults and run nothing")
    parser.add_argument("--all", action="store_true", help="print the noticed ones too")
    parser.add_argument("--only", default="", metavar="TEXT", help="part of a fault's line")
    parser.add_argument("--workers", type=int, default=2, metavar="N")
    asked = parser.parse_args()
    unknown = set(asked.targets) - set(names())
    if unknown:
        parser.error(f"no target {', '.join(sorted(unknown))}; there is {', '.join(names())}")
    well = True
    for name in asked.targets or names():
        target = named(name)
        if asked.list:
            print(*(mutant for mutant in target.mutants() if asked.only in str(mutant)), sep="\n")
        else:
            well &= run(name, target, only=asked.only, workers=asked.workers, talkative=asked.all)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
