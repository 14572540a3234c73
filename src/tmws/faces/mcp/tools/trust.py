"""Tools about how far an agent's word can be relied on."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tmws.domain.trust.history import Point
from tmws.domain.trust.reliance import LARGEST_STAKE
from tmws.domain.trust.score import Standing
from tmws.faces.mcp.registry import Arguments, Call, Json, Result, tool
from tmws.faces.mcp.views import rounded
from tmws.services.trust import MOST_COMPARED, ExplainedView, TrustView

Name = Annotated[str, Field(min_length=1, max_length=64)]


class GetTrust(Arguments):
    """Whose record."""

    agent: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="An agent's name; you if left out."),
    ] = None
    explain: Annotated[bool, Field(description="Add the verdicts behind the score.")] = False
    history: Annotated[
        int, Field(ge=0, le=50, description="Add what its newest verdicts made of it.")
    ] = 0


class CompareTrust(Arguments):
    """Whose records."""

    agents: Annotated[
        tuple[Name, ...],
        Field(min_length=2, max_length=MOST_COMPARED, description="Names of agents."),
    ]


class NextAudits(Arguments):
    """Whose claims."""

    agent: Name
    limit: Annotated[int, Field(ge=1, le=20)] = 5


class Rely(Arguments):
    """Which claim, and at what risk."""

    claim_id: Annotated[str, Field(min_length=1, max_length=64)]
    stake: Annotated[float, Field(ge=0, le=LARGEST_STAKE)] = 1.0
    least: Annotated[float, Field(gt=0, lt=1)] = 0.5


class TrustShown(Result):
    """A score with what it rests on; `unknown` until a claim was decided."""

    decisive = frozenset({"agent", "unknown", "score", "low", "high", "bound", "decided"})

    agent: str
    unknown: bool
    score: float
    low: float
    high: float
    bound: float
    decided: int
    supported: int
    refuted: int
    inconclusive: int
    alarms: int
    summary: str
    newest_at: datetime | None = None
    recent_form: float | None = None
    linked_to: str | None = None
    types: list[Json] | None = None
    explanation: Json | None = None
    history: list[Json] | None = None


@tool(
    title="Show trust",
    read_only=True,
    destructive=False,
    idempotent=True,
    narrow="Leave out explain, or ask for a shorter history.",
)
async def get_trust(call: Call, wanted: GetTrust) -> TrustShown:
    """Show how far an agent's word can be relied on, by its checked claims.

    Use it before you rely on another agent's word or pattern; decide by `bound`, not by `score`.
    `score` is the probability that a claim like those checked here holds, hard and easy ones
    weighed alike for every agent; `low` to `high` is its 90 % interval. With `explain`, the
    verdicts that moved it most (gains in logits; prior, gains, remainder and aging add up) and
    how many checks would settle it. Only verdicts of verify_claim move it: nothing said here or
    elsewhere does.
    """
    trust, caller = call.app.trust, call.caller
    if wanted.explain:
        found = await trust.explain(caller, wanted.agent)
        shown = _shown(found.view).model_copy(update={"explanation": explained(found)})
    else:
        shown = _shown(await trust.show(caller, wanted.agent))
    if wanted.history:
        points, readable = await trust.newest(caller, wanted.agent, limit=wanted.history)
        shown = shown.model_copy(update={"history": [_point(each, readable) for each in points]})
    return shown


@tool(
    title="Compare trust",
    read_only=True,
    destructive=False,
    idempotent=True,
    narrow="Name fewer agents.",
)
async def compare_trust(call: Call, wanted: CompareTrust) -> Json:
    """Compare the trust of several agents of your namespaces, the most reliable first.

    Use it to choose whose work to build on. All are measured over the same mix of claims and
    ordered by `low`, what the record supports at least. `apart` says that an agent's whole
    interval lies below the first one's: else the order may be chance.
    """
    views = await call.app.trust.compare(call.caller, wanted.agents)
    best = views[0].standing.low
    return {
        "agents": [
            {
                "agent": view.agent,
                "unknown": not view.standing.known,
                **_interval(view.standing),
                "decided": view.standing.tally.decided,
                "apart": view.standing.high < best,
            }
            for view in views
        ]
    }


@tool(
    title="Choose audits",
    read_only=True,
    destructive=False,
    idempotent=False,
    narrow="Lower limit.",
)
async def next_audits(call: Call, wanted: NextAudits) -> Json:
    """Choose which undecided claims of another agent to have checked next, by what they tell.

    Use it before you rely on that agent: ask it to send them to verify_claim again; what you send
    is your own claim. Drawn by chance that nobody foresees; no agent chooses its own.
    """
    return {
        "audits": [
            {
                "claim_id": audit.candidate.name,
                "statement": audit.statement,
                "expected": rounded(audit.candidate.probability),
                "information": rounded(audit.candidate.information),
            }
            for audit in await call.app.trust.next_audits(
                call.caller, wanted.agent, limit=wanted.limit
            )
        ]
    }


@tool(
    title="Rely on a claim",
    read_only=False,
    destructive=False,
    idempotent=True,
    narrow="Nothing to leave out.",
)
async def rely(call: Call, wanted: Rely) -> Json:
    """Ask whether another agent's undecided claim may count already; the answer is on record.

    If it turns out false, its author pays by `stake` (1: an ordinary claim; 0 lets go of yours).
    `least`: the bound its author needs.
    """
    if wanted.stake == 0:
        freed = await call.app.reliance.release(call.caller, wanted.claim_id)
        return {"claim_id": wanted.claim_id, "answer": "released", "freed": rounded(freed)}
    relied = await call.app.reliance.ask(
        call.caller, wanted.claim_id, stake=wanted.stake, least=wanted.least
    )
    risk = relied.risk
    return {
        "claim_id": relied.claim.id,
        "granted": relied.granted,
        "answer": relied.answer.value,
        "said": relied.said(),
        "bound": rounded(risk.bound),
        "carried": rounded(risk.carried),
        "budget": rounded(risk.budget),
        "audits_owed": risk.owed,
        "stands": rounded(relied.stake.amount),
        "until": relied.stake.until,
    }


def explained(found: ExplainedView) -> Json:
    """Return what the score adds up from, in logits, as JSON.

    What adds up is told in full: rounded, it would not.
    """
    told = found.explanation
    return {
        "prior": told.prior,
        "largest": [
            {
                "claim_id": found.named(gain.evidence.id),
                "type": gain.evidence.task.type,
                "verdict": gain.evidence.verdict.value,
                "expected": rounded(gain.probability),
                "difficulty": rounded(gain.difficulty),
                "weight": rounded(gain.evidence.weight),
                "gain": gain.logits,
            }
            for gain in told.largest
        ],
        "remainder": told.remainder,
        "aging": told.aging,
        "total": told.score,
        "checks_until_settled": told.audits,
        "confirmed": rounded(found.view.confirmed),
        "withdrawn": [
            {"claim_id": found.named(each.evidence), "reason": each.reason, "by": each.by}
            for each in told.withdrawn
        ],
        "restored": [
            {"claim_id": found.named(each.evidence), "reason": each.reason, "by": each.by}
            for each in told.restored
        ],
        "integrity": {
            "stated": found.exposure.integrity.stated,
            "advantage_nats": rounded(found.exposure.integrity.advantage),
            "events": found.exposure.integrity.events,
            "exposure_budget": rounded(found.exposure.budget),
            "exposure_carried": rounded(found.exposure.carried),
            "audits_owed": found.exposure.owed,
        },
    }


def _shown(view: TrustView) -> TrustShown:
    standing, tally = view.standing, view.standing.tally
    return TrustShown(
        agent=view.agent,
        unknown=not standing.known,
        **_interval(standing),
        bound=round(standing.bound, 4),
        decided=tally.decided,
        supported=tally.supported,
        refuted=tally.refuted,
        inconclusive=view.record.inconclusive,
        alarms=view.alarms,
        summary=view.summary(),
        newest_at=tally.last_at,
        recent_form=None if tally.form is None else round(tally.form, 4),
        linked_to=view.linked_to,
        types=[
            {
                "type": name,
                **_interval(part),
                "bound": round(part.bound, 4),
                "decided": part.tally.decided,
                "supported": part.tally.supported,
                "newest_at": part.tally.last_at,
            }
            for name, part in view.types.items()
        ]
        or None,
    )


def _point(seen: Point, readable: frozenset[str]) -> Json:
    return {
        "at": seen.at,
        "claim_id": seen.claim_id if seen.claim_id in readable else None,
        "held": seen.supported,
        "score": rounded(seen.score),
        "low": rounded(seen.low),
        "high": rounded(seen.high),
        "alarmed": seen.alarmed,
    }


def _interval(standing: Standing) -> dict[str, float]:
    return {
        "score": round(standing.score, 4),
        "low": round(standing.low, 4),
        "high": round(standing.high, 4),
    }
