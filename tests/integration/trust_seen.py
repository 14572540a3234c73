"""What became of an agent's record, as tests ask for it."""

from __future__ import annotations

from tests.integration.services import (
    Installation,
    ended,
    verified,
)
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Verdict
from tmws.services.trust import TrustView
from tmws.services.verification import VerificationReport

Counts = tuple[int, int, int]
NO_RECORD: Counts = (0, 0, 0)


async def decided(
    app: App, place: Installation, who: Agent, *, held: bool, **fields: object
) -> VerificationReport:
    """Have a claim decided that nobody made before."""
    content = f"print({len(place.sandbox.requests)})\n"
    place.workspace(content=content)
    place.sandbox.will(ended(0 if held else 1))
    report = await verified(app, who, **fields)
    assert report.claim.judgement is not None
    assert report.claim.judgement.verdict is (Verdict.SUPPORTED if held else Verdict.REFUTED)
    return report


def counts(view: TrustView) -> Counts:
    tally = view.standing.tally
    return tally.supported, tally.refuted, view.record.inconclusive


async def record(app: App, who: Agent) -> Counts:
    return counts(await app.trust.show(who))


async def require_sound(app: App) -> None:
    report = await app.audit.verify()
    assert report.holds, report.problems


async def ledger_size(app: App) -> int:
    report = await app.audit.verify()
    assert report.holds, report.problems
    return report.size
