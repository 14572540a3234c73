"""Measure which branches the tests take, for the parts whose figure is promised.

usage: python -m tests.coverage [PART …]

A promise is about branches alone: lines would flatter it. Ends with 1 when a part is below
its own. Only what runs in the process of the tests is counted; what they start beside it is not.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from coverage import Coverage

from scripts.tracked import ROOT


@dataclass(frozen=True, slots=True)
class Part:
    """Files below `src/tmws`, the tests that are to take their branches, and the promise."""

    files: Sequence[str]
    tests: Sequence[str]
    least_percent: float


@dataclass(frozen=True, slots=True)
class Taken:
    """How much of a part ran, in per cent."""

    branches: float
    lines: float


PARTS = {
    "learning": Part(
        files=(
            *(
                f"domain/{name}.py"
                for name in (
                    "agents", "alike", "analytics", "batches", "cursors", "memories", "patterns",
                    "ranking", "recommendation", "situations", "text", "undoing", "uplift", "usage",
                    "versions",
                )
            ),
            *(
                f"services/{name}.py"
                for name in (
                    "acts", "analytics", "batches", "counting", "gate", "learning", "memory",
                    "models", "nearest", "outcomes", "pages", "patience", "pauses", "receipts",
                    "recommendation", "removal", "retirement", "revisions", "search", "sharing",
                    "shelf", "storing", "transfer", "undo", "upkeep",
                )
            ),
            *(
                f"storage/{name}.py"
                for name in (
                    "access", "analytics", "batches", "catalogue", "changes", "documents",
                    "lifecycle", "memories", "patterns", "reading", "receipts",
                    "recommendation", "retired", "serving", "trials", "usage", "uses", "versions",
                )
            ),
            "exchange/*.py",
            "indexes/*.py",
        ),
        tests=(
            *(
                f"tests/unit/domain/test_{name}.py"
                for name in (
                    "agents", "analytics", "cursors", "memories", "patterns", "pattern_properties",
                    "ranking", "recommendation", "text", "uplift", "usage", "validation_properties",
                    "versions",
                )
            ),
            "tests/unit/indexes",
            "tests/unit/test_gate.py",
            "tests/unit/test_pages.py",
            *(
                f"tests/integration/test_{name}.py"
                for name in (
                    "analytics", "batches", "filters", "learning", "memory",
                    "model_change", "outcomes", "past_uses", "pattern_life", "recommendation",
                    "retired_models", "search", "transfer", "undo", "vector_indexes",
                )
            ),
            "tests/security/test_access.py",
            "tests/security/test_hidden_and_absent.py",
            "tests/security/test_hidden_influence.py",
            "tests/security/test_namespaces_beside.py",
            "tests/security/test_removed.py",
        ),
        least_percent=95.0,
    ),
    "trust": Part(
        files=("domain/trust/*.py",),
        tests=(
            *(
                f"tests/unit/domain/test_trust_{name}.py"
                for name in (
                    "confirmation", "edges", "entries", "figures", "history", "log", "model",
                    "reference", "reliance", "rules", "score", "sharpness",
                )
            ),
        ),
        least_percent=100.0,
    ),
    "reliance": Part(
        files=(
            "services/exposure.py", "services/reliance.py", "storage/reliances.py",
            "storage/withdrawals.py",
        ),
        tests=(
            "tests/integration/test_reliance.py", "tests/integration/test_withdrawn_verdicts.py",
            "tests/security/test_stakes.py",
        ),
        least_percent=95.0,
    ),
}  # fmt: skip


def measured(part: Part) -> Taken:
    """Run the tests of a part, print what was not taken, and return how much was."""
    with tempfile.TemporaryDirectory(prefix="tmws-coverage-") as folder:
        taken = Coverage(
            data_file=str(Path(folder) / "data"),
            branch=True,
            concurrency=["greenlet", "thread"],  # SQLAlchemy runs its statements in greenlets
            include=[str(ROOT / "src" / "tmws" / name) for name in part.files],
            messages=False,
        )
        taken.set_option("report:exclude_also", ["if TYPE_CHECKING:", r"\.\.\.$", "@overload"])
        taken.start()
        status = pytest.main(["--quiet", "-p", "no:cacheprovider", *part.tests])
        taken.stop()
        if status is not pytest.ExitCode.OK:
            raise SystemExit(f"the tests ended with {status}")
        taken.report(show_missing=True, skip_covered=True, precision=1, file=sys.stdout)
        figures = Path(folder) / "figures.json"
        taken.json_report(outfile=str(figures))
        totals = json.loads(figures.read_text("utf-8"))["totals"]
    return Taken(totals["percent_branches_covered"], totals["percent_statements_covered"])


def main() -> int:
    """Measure every part that was named, or all; say by the exit code whether promises hold."""
    unknown = set(sys.argv[1:]) - PARTS.keys()
    if unknown:
        raise SystemExit(f"no part {', '.join(sorted(unknown))}; there is {', '.join(PARTS)}")
    chosen = sys.argv[1:] or list(PARTS)
    if len(chosen) > 1:
        # A process each: what another part has loaded before would count as never run.
        command = [sys.executable, "-m", "tests.coverage"]
        return max(subprocess.run([*command, name], check=False).returncode for name in chosen)
    [name] = chosen
    taken, promised = measured(PARTS[name]), PARTS[name].least_percent
    print(
        f"{name}: {taken.branches:.1f} % of branches, promised {promised:g}; "
        f"{taken.lines:.1f} % of lines"
    )
    return 0 if taken.branches >= promised else 1


if __name__ == "__main__":
    sys.exit(main())
