"""`tmws trust`: how far each agent can be relied on, and why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from tmws.app import App
from tmws.domain.canonical import canonical_bytes, digest
from tmws.domain.errors import InvalidInput, LedgerCorrupt
from tmws.domain.trust.explanation import Gain
from tmws.domain.trust.score import Standing
from tmws.faces.cli import files, reliability_picture, trust_picture
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app
from tmws.services.reliance import COMMANDS
from tmws.services.trust import ExplainedView, TrustView, by_rank

_COLUMNS = ("agent", "score", "low", "high", "bound", "supported", "refuted", "inconclusive")
_DECIMALS = 4
Command = TypeVar("Command", bound=Callable[..., Any])


def _svg(what: str) -> Callable[[Command], Command]:
    return click.option(
        "--svg", type=click.Path(dir_okay=False, writable=True, path_type=Path), help=what
    )


_reason = click.option("--reason", required=True, help="For the ledger and the explanation.")


@click.group()
def trust() -> None:
    """Show trust scores and what they rest on; nothing here writes one."""


@trust.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List every agent's score, most relied on first."""
    printer.rows(
        _COLUMNS,
        [_row(view) for view in await app.trust.every()],
        empty="No agents yet. Create one: tmws agents create NAME.",
    )


@trust.command()
@click.argument("agent")
@with_app
async def show(app: App, printer: Printer, agent: str) -> None:
    """Show one agent's score and where it comes from."""
    found = await app.trust.find(agent)
    printer.record({**_details(found.view), **_explanation(found, as_json=printer.as_json)})


@trust.command()
@click.argument("agents", nargs=-1, required=True)
@with_app
async def compare(app: App, printer: Printer, agents: tuple[str, ...]) -> None:
    """Compare agents over the same mix of claims, the most reliable first."""
    views = by_rank([(await app.trust.find(name)).view for name in dict.fromkeys(agents)])
    best = views[0].standing.low
    rows = [{**_row(view), "apart": view.standing.high < best} for view in views]
    printer.rows((*_COLUMNS, "apart"), rows, empty="")


@trust.command()
@click.argument("agent")
@_svg("Draw score and interval into this file.")
@with_app
async def history(app: App, printer: Printer, agent: str, svg: Path | None) -> None:
    """Show what was known of an agent after each verdict."""
    points = await app.trust.history(agent)
    if svg is not None:
        if not points:
            raise InvalidInput(f"No decided claim of {agent[:64]!r} counts: nothing to draw.")
        files.write(svg, trust_picture.drawn(agent, points).encode())
        printer.say(f"Drawn: {svg}")
        return
    printer.rows(
        ("at", "claim_id", "supported", "score", "low", "high", "alarmed"),
        [
            {
                "at": point.at,
                "claim_id": point.claim_id,
                "supported": point.supported,
                "score": point.score,
                "low": point.low,
                "high": point.high,
                "alarmed": point.alarmed,
            }
            for point in points
        ],
        empty="No decided claim of this agent counts.",
    )


@trust.command("next-audits")
@click.argument("agent")
@click.option("--limit", type=click.IntRange(1, 50), default=5, show_default=True)
@with_app
async def next_audits(app: App, printer: Printer, agent: str, limit: int) -> None:
    """Choose which undecided claims of AGENT to have verified next, by what they would tell."""
    printer.rows(
        ("claim_id", "information", "probability", "statement"),
        [
            {
                "claim_id": audit.candidate.name,
                "information": audit.candidate.information,
                "probability": audit.candidate.probability,
                "statement": audit.statement,
            }
            for audit in await app.trust.find_audits(agent, limit=limit)
        ],
        empty="No claim of this agent waits for an audit: each is decided, or being checked.",
    )


@trust.command()
@_svg("Draw predictions against outcomes into this file.")
@with_app
async def calibration(app: App, printer: Printer, svg: Path | None) -> None:
    """Show how well the model foresaw this installation's own verdicts."""
    # Imported here: only this command needs numpy.
    from tmws.evaluation.metrics import accuracy, reliability  # noqa: PLC0415

    pairs = await app.trust.foreseen()
    if not pairs:
        raise InvalidInput("No decided claim counts. See: tmws claims list.")
    said, came = zip(*pairs, strict=True)
    found = accuracy(said, came)
    bins = reliability(said, came)
    if svg is not None:
        files.write(svg, reliability_picture.drawn(bins, verdicts=found.count).encode())
        printer.say(f"Drawn: {svg}")
        return
    printer.record(
        {
            "verdicts": found.count,
            "brier": found.brier,
            "log_loss": found.log_loss,
            "auc": found.auc,
            "ece": found.ece,
            "reliability": [
                {"said": mean, "came": rate, "share": share} for mean, rate, _, share in bins
            ]
            if printer.as_json
            else [f"said {mean:.2f}: came {rate:.2f}" for mean, rate, _, _ in bins],
        }
    )


@trust.command()
@click.argument("agent")
@click.option(
    "--erc8004",
    required=True,
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="The file to write.",
)
@with_app
async def export(app: App, printer: Printer, agent: str, erc8004: Path) -> None:
    """Write AGENT's lower bound in the shape of ERC-8004 feedback, with what proves it."""
    report = await app.audit.verify()
    if not report.holds:
        raise LedgerCorrupt(
            "The ledger does not hold, so nothing is exported. Run: tmws ledger verify."
        )
    found = await app.trust.find(agent)
    document = feedback(found, size=report.size, root=report.root)
    files.write(erc8004, canonical_bytes(document))
    printer.record(document)


def feedback(found: ExplainedView, *, size: int, root: str) -> dict[str, Any]:
    """Return an off-chain feedback document (ERC-8004, version of January 2026).

    Who rates whom on which chain is for the sender to add: `agentRegistry`, `agentId`
    and `clientAddress`.
    """
    view, counted = found.view, found.explanation.gains
    return {
        "createdAt": view.at.isoformat(),
        "value": round(view.standing.bound * 10**_DECIMALS),
        "valueDecimals": _DECIMALS,
        "tag1": "trust",
        "tag2": "lower-bound-95",
        "tmws": {
            "agent": view.agent,
            "score": view.standing.score,
            "low": view.standing.low,
            "high": view.standing.high,
            "decided": view.standing.tally.decided,
            "evidence_sha256": digest([gain.evidence.id for gain in counted]),
            "ledger": {"size": size, "root": root},
        },
    }


@trust.command()
@click.argument("claim_id")
@click.option("--stake", type=float, default=1.0, show_default=True, help="1: an ordinary claim.")
@click.option("--least", type=float, default=0.5, show_default=True, help="Bound it needs.")
@with_app
async def rely(app: App, printer: Printer, claim_id: str, stake: float, least: float) -> None:
    """Ask whether CLAIM_ID may count before it is checked; the answer is on record."""
    relied = await app.reliance.allow(claim_id, stake=stake, least=least, by=operator())
    risk = relied.risk
    printer.record(
        {
            "claim_id": claim_id,
            "granted": relied.granted,
            "said": relied.said(COMMANDS),
            "bound": risk.bound,
            "carried": risk.carried,
            "budget": risk.budget,
            "audits_owed": risk.owed,
            "until": relied.stake.until,
        }
    )


@trust.command()
@click.argument("agent")
@with_app
async def stakes(app: App, printer: Printer, agent: str) -> None:
    """List what others let AGENT's unchecked claims count for, and until when."""
    printer.rows(
        ("claim_id", "by", "stake", "since", "until"),
        [
            {
                "claim_id": each.stake.claim_id,
                "by": each.by,
                "stake": each.stake.amount,
                "since": each.stake.since,
                "until": each.stake.until,
            }
            for each in await app.reliance.standing(agent)
        ],
        empty="Nobody relies on an unchecked claim of this agent.",
    )


@trust.command()
@click.argument("claim_id")
@click.option("--of", metavar="NAME", help="Whose stake; everybody's if left out.")
@_reason
@with_app
async def release(app: App, printer: Printer, claim_id: str, of: str | None, reason: str) -> None:
    """End what others let CLAIM_ID count for unchecked, e.g. where nothing can decide it."""
    freed = await app.reliance.end(claim_id, reason=reason, by=operator(), of=of)
    printer.record({"claim_id": claim_id, "freed": freed, "reason": reason})


@trust.command()
@click.argument("claim_id")
@_reason
@with_app
async def withdraw(app: App, printer: Printer, claim_id: str, reason: str) -> None:
    """Take the verdict on CLAIM_ID out of what scores are computed from."""
    await app.corrections.withdraw(claim_id, reason=reason, by=operator())
    printer.record({"claim_id": claim_id, "withdrawn": True, "reason": reason})


@trust.command()
@click.argument("claim_id")
@_reason
@with_app
async def restore(app: App, printer: Printer, claim_id: str, reason: str) -> None:
    """Let a verdict on CLAIM_ID that was withdrawn count again, and prove what it proved."""
    await app.corrections.restore(claim_id, reason=reason, by=operator())
    printer.record({"claim_id": claim_id, "restored": True, "reason": reason})


@trust.command()
@click.argument("agent")
@click.argument("owner")
@_reason
@with_app
async def link(app: App, printer: Printer, agent: str, owner: str, reason: str) -> None:
    """Let what AGENT did and does count for OWNER: they turned out to be one."""
    changed = await app.corrections.link(agent, owner, reason=reason, by=operator())
    printer.record({**_row((await app.trust.find(owner)).view), "changed": changed})
    if not changed:
        printer.say(f"\n{agent} was linked to {owner} before; nothing was written.")


@trust.command()
@click.argument("agent")
@_reason
@with_app
async def unlink(app: App, printer: Printer, agent: str, reason: str) -> None:
    """Let AGENT, which was linked to another by mistake, count for itself again."""
    await app.corrections.unlink(agent, reason=reason, by=operator())
    printer.record(_row((await app.trust.find(agent)).view))


@trust.command()
@with_app
async def refit(app: App, printer: Printer) -> None:
    """Compute every score again, with what was learned later about earlier claims."""
    printer.record({"verdicts": await app.corrections.refit(by=operator())})


def _row(view: TrustView) -> dict[str, object]:
    shown = view.standing
    return {
        "agent": view.agent,
        "score": shown.score,
        "low": shown.low,
        "high": shown.high,
        "bound": shown.bound,
        "supported": shown.tally.supported,
        "refuted": shown.tally.refuted,
        "inconclusive": view.record.inconclusive,
        "known": shown.known,
    }


def _details(view: TrustView) -> dict[str, object]:
    tally = view.standing.tally
    return {
        **_row(view),
        "linked_to": view.linked_to,
        "newest_at": tally.last_at,
        "evidence_age_days": view.evidence_age_days,
        "recent_form": tally.form,
        "alarms": view.alarms,
        "confirmed": view.confirmed,
        "summary": view.summary(),
    }


def _type(name: str, part: Standing) -> dict[str, object]:
    return {
        "type": name,
        "score": part.score,
        "low": part.low,
        "high": part.high,
        "bound": part.bound,
        "supported": part.tally.supported,
        "refuted": part.tally.refuted,
        "newest_at": part.tally.last_at,
    }


def _gain(gain: Gain) -> str:
    """Say of one verdict what it was about, how likely and how hard, and what it did."""
    seen = gain.evidence
    kind = f" {seen.task.type}" if seen.task.type else ""
    return (
        f"{seen.id}{kind} {seen.verdict} ({gain.probability:.2f} expected, difficulty "
        f"{gain.difficulty:+.1f}) {gain.logits:+.2f}"
    )


def _explanation(found: ExplainedView, *, as_json: bool) -> dict[str, Any]:
    """The gains in logits: prior, largest, remainder and aging add up to the total."""
    told, types = found.explanation, found.view.types
    largest = [
        {
            "claim_id": gain.evidence.id,
            "type": gain.evidence.task.type,
            "verdict": gain.evidence.verdict.value,
            "expected": gain.probability,
            "difficulty": gain.difficulty,
            "weight": gain.evidence.weight,
            "gain": gain.logits,
        }
        for gain in told.largest
    ]
    return {
        "types": [_type(name, part) for name, part in types.items()]
        if as_json
        else [
            f"{name} {part.score:.2f} ({part.low:.2f} to {part.high:.2f}, bound {part.bound:.2f}, "
            f"{part.tally.supported} of {part.tally.decided})"
            for name, part in types.items()
        ],
        "prior": told.prior,
        "largest": largest if as_json else [_gain(each) for each in told.largest],
        "remainder": told.remainder,
        "aging": told.aging,
        "total": told.score,
        "checks_until_settled": told.audits,
        "withdrawn": [f"{each.evidence}: {each.reason} ({each.by})" for each in told.withdrawn],
        "restored": [f"{each.evidence}: {each.reason} ({each.by})" for each in told.restored],
        "integrity_events": found.exposure.integrity.events,
        "exposure_budget": found.exposure.budget,
        "exposure_carried": found.exposure.carried,
        "audits_owed": found.exposure.owed,
    }
