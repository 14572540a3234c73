"""`tmws ledger`: proving that nothing recorded was changed."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.errors import LedgerCorrupt
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import with_app


@click.group()
def ledger() -> None:
    """Verify the record of verdicts and administrative acts."""


@ledger.command()
@with_app
async def verify(app: App, printer: Printer) -> None:
    """Recompute every hash and compare with the checkpoint; exit 8 if anything differs."""
    report = await app.audit.verify()
    problems = [{"index": problem.index, "what": problem.what} for problem in report.problems]
    record = {
        "holds": report.holds,
        "entries": report.size,
        "root": report.root,
        "checkpoint": report.promised,
        "erased": report.erased,
    }
    printer.record({**record, "problems": problems} if printer.as_json else record)
    for problem in report.problems:
        printer.say(f"- {problem.what}")
    if not report.holds:
        raise LedgerCorrupt(
            f"{len(report.problems)} problem(s) found. Stop writing, keep a copy of the data "
            "folder, and compare it with a backup."
        )


@ledger.command()
@click.argument("index", type=click.IntRange(min=0))
@with_app
async def prove(app: App, printer: Printer, index: int) -> None:
    """Show the proof that entry INDEX is in the log, for somebody who holds a checkpoint."""
    proof = await app.proofs.inclusion(index)
    printer.record(
        {
            "index": proof.index,
            "size": proof.size,
            "root": proof.root,
            "holds": proof.holds(),
            "leaf": proof.leaf,
            "path": list(proof.path),
        }
    )


@ledger.command()
@click.argument("size", type=click.IntRange(min=1))
@with_app
async def consistency(app: App, printer: Printer, size: int) -> None:
    """Show the proof that the log only grew since it had SIZE entries."""
    proof = await app.proofs.consistency(size)
    printer.record(
        {
            "old_size": proof.old_size,
            "old_root": proof.old_root,
            "size": proof.size,
            "root": proof.root,
            "holds": proof.holds(),
            "path": list(proof.path),
        }
    )
