"""`tmws claims`: what was claimed and what the checks said."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.app import App
from tmws.domain.errors import NotFound
from tmws.domain.verifications import Claim, check_to_json
from tmws.faces.cli import files
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import with_app


@click.group()
def claims() -> None:
    """Show claims and their verdicts."""


@claims.command("list")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 1000))
@with_app
async def listed(app: App, printer: Printer, limit: int) -> None:
    """List the newest claims of all agents."""
    rows = [_row(claim) for claim in await app.verification.newest(limit=limit)]
    printer.rows(
        ("id", "agent", "verdict", "withdrawn", "reason", "statement"),
        rows,
        empty="No claims yet. Agents make them with the tool verify_claim.",
    )


@claims.command()
@click.argument("claim_id")
@with_app
async def show(app: App, printer: Printer, claim_id: str) -> None:
    """Show one claim with its verdict and evidence."""
    claim = await app.verification.find(claim_id)
    if claim is None:
        raise NotFound(f"No claim {claim_id[:40]!r}. See: tmws claims list.")
    printer.record(_full(claim))


@claims.command()
@click.argument("claim_id")
@click.argument("file", type=click.Path(dir_okay=False, writable=True, path_type=Path))
@with_app
async def export(app: App, printer: Printer, claim_id: str, file: Path) -> None:
    """Write a verdict with evidence and proof to FILE; see: tmws evidence verify."""
    content = await app.exports.verdict(claim_id)
    files.write(file, content)
    printer.record({"file": str(file), "bytes": len(content)})


def _row(claim: Claim) -> dict[str, object]:
    judgement = claim.judgement
    return {
        "id": claim.id,
        "agent": claim.agent,
        "state": claim.state.value,
        "verdict": judgement.verdict.value if judgement else claim.state.value,
        "withdrawn": claim.withdrawn,
        "reason": judgement.reason.value if judgement else None,
        "statement": claim.statement,
        "created_at": claim.created_at,
    }


def _full(claim: Claim) -> dict[str, object]:
    judgement, run = claim.judgement, claim.run
    return {
        **_row(claim),
        "workspace": claim.workspace,
        "check": check_to_json(claim.check),
        "detail": claim.detail,
        "level": judgement.level.value if judgement else None,
        "counts": judgement.counts if judgement else None,
        "items": list(judgement.items) if judgement else [],
        "flags": list(judgement.flags) if judgement else [],
        "wall_seconds": run.wall_seconds if run else None,
        "snapshot_sha256": claim.snapshot_digest,
        "evidence_sha256": claim.evidence_digest,
        "ledger_index": claim.ledger_index,
    }
