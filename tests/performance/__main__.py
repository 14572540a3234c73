"""Run every benchmark of this folder and print its figures beside their floors.

usage: python -m tests.performance [NAME …]     e.g. `rules` for bench_rules.py

Ends with 1 when a promise was broken. Figures of a busy machine say little:
compare ratios, which saw the same load as their floors.
"""

from __future__ import annotations

import asyncio
import gc
import sys
import tempfile
from importlib import import_module
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from tests.performance.bench import Bench, Benchmark, Row
from tests.performance.floors import Floors

HERE = Path(__file__).parent


def benchmarks(wanted: list[str]) -> dict[str, Benchmark]:
    """Return the benchmarks by name, all of them if none is named."""
    names = sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))
    unknown = set(wanted) - set(names)
    if unknown:
        raise SystemExit(f"no benchmark {', '.join(sorted(unknown))}; there is {', '.join(names)}")
    return {name: import_module(f"tests.performance.bench_{name}").rows for name in wanted or names}


async def run(console: Console, chosen: dict[str, Benchmark]) -> list[Row]:
    """Run the benchmarks one after another; nothing else is measured meanwhile."""
    measured = []
    for name, rows in chosen.items():
        with tempfile.TemporaryDirectory(prefix="tmws-bench-") as folder:
            bench = Bench(Path(folder), Floors(Path(folder)))
            found = []
            async for row in rows(bench):
                console.print(f"[dim]{name}: {row.figure.name}[/dim]")
                found.append(row)
        console.print(table(name, found))
        measured += found
    return measured


def table(name: str, rows: list[Row]) -> Table:
    """Lay the figures out for people."""
    laid = Table(title=name, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    laid.add_column("figure")
    for heading in ("p50 ms", "p95 ms", "floor ms", "ratio"):
        laid.add_column(heading, justify="right")
    laid.add_column("floor")
    laid.add_column("promise")
    for row in rows:
        laid.add_row(
            row.figure.name,
            milliseconds(row.figure.p50),
            milliseconds(row.figure.p95),
            milliseconds(row.floor.p50) if row.floor else "",
            f"{row.ratio:.2f}" if row.ratio else "",
            row.floor.name if row.floor else "",
            promise(row),
        )
    return laid


def milliseconds(seconds: float) -> str:
    """Three figures that matter, whatever the size."""
    return f"{seconds * 1000:.3g}"


def promise(row: Row) -> str:
    """Say what was promised and whether it held."""
    if row.kept is None:
        return ""
    bounds = []
    if row.promised_p95 is not None:
        bounds.append(f"p95 ≤ {milliseconds(row.promised_p95)} ms")
    if row.promised_ratio is not None:
        bounds.append(f"ratio ≤ {row.promised_ratio:g}")
    return f"{', '.join(bounds)}: {'kept' if row.kept else 'BROKEN'}"


def main() -> int:
    """Measure, print, and say by the exit code whether every promise was kept."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    chosen = benchmarks(sys.argv[1:])
    gc.freeze()  # as `tmws serve` does with all that was imported
    measured = asyncio.run(run(console, chosen))
    return 1 if any(row.kept is False for row in measured) else 0


if __name__ == "__main__":
    sys.exit(main())
