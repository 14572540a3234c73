"""Have every claim about the real projects checked, and print the share that is right.

usage: python -m tests.projects [PROJECT …]

Needs the sandbox image and the package index that pip is set up for. Ends with 1 unless
all are right.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tests.projects.claims import CLAIMS
from tests.projects.deciding import Decided, decided


async def run(console: Console, wanted: list[str]) -> list[Decided]:
    """Have them checked one after the other."""
    chosen = [claim for claim in CLAIMS if not wanted or claim.project in wanted]
    seen = []
    with tempfile.TemporaryDirectory(prefix="tmws-projects-") as folder:
        async for each in decided(chosen, Path(folder)):
            seen.append(each)
            if not each.is_right:
                console.print(f"[red]{each.claimed.name}[/red]: {each.judgement}")
    return seen


def table(seen: list[Decided]) -> Table:
    """Lay them out for people."""
    laid = Table(title="claims about real projects", title_justify="left", box=box.SIMPLE_HEAD)
    for heading in ("claim", "right is", "verdict", "level", "s", ""):
        laid.add_column(heading)
    for each in seen:
        judgement = each.judgement
        laid.add_row(
            each.claimed.name,
            each.claimed.right.value,
            judgement.verdict.value,
            judgement.level.value,
            f"{each.seconds:.1f}",
            "" if each.is_right else "WRONG",
        )
    return laid


def main() -> int:
    """Check, print, and say by the exit code whether all are right."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    seen = asyncio.run(run(console, sys.argv[1:]))
    console.print(table(seen))
    right = sum(each.is_right for each in seen)
    console.print(f"{right} of {len(seen)} are right ({right / len(seen):.0%}).")
    return 0 if right == len(seen) else 1


if __name__ == "__main__":
    sys.exit(main())
