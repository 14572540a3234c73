"""Put faults into rules and print those that no test notices.

usage: python -m tests.mutation [--list] [--only TEXT] [--workers N] [TARGET …]

Ends with 1 when a fault survived that no reason excuses, or when an excused one
was noticed after all. `--only` tries the faults whose line holds a text.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter

from tests.mutation.target import Target, named, names
from tests.mutation.trials import Fate, trials


def run(name: str, target: Target, *, only: str, workers: int) -> bool:
    """Try the faults of one target and print what became of them; say whether all is well."""
    mutants = [mutant for mutant in target.mutants() if only in str(mutant)]
    fates: Counter[str] = Counter()
    surprises = []
    for trial in trials(mutants, target.tests, workers=workers):
        listed = trial.mutant.key in target.excused
        fates["excused" if listed else trial.fate.value] += 1
        if listed is not (trial.fate is Fate.SURVIVED):
            surprises.append(trial)
        print(f"{trial.fate.value:9} {trial.mutant}\n          {trial.told}", flush=True)
    counted = ", ".join(f"{count} {fate}" for fate, count in sorted(fates.items()))
    print(f"\n{name}: {len(mutants)} faults: {counted}")
    for trial in surprises:
        what = "noticed, but excused" if trial.fate is not Fate.SURVIVED else "survived"
        print(f"{what}: {trial.mutant.key}")
    return not surprises


def main() -> int:
    """Read the command line, run, and say by the exit code whether every fault was noticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(names()))
    parser.add_argument("--list", action="store_true", help="print the faults and run nothing")
    parser.add_argument("--only", default="", metavar="TEXT", help="part of a fault's line")
    parser.add_argument("--workers", type=int, default=1, metavar="N")
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
            well &= run(name, target, only=asked.only, workers=asked.workers)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
