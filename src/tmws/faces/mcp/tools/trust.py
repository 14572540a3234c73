"""Tools about how far an agent's word can be relied on."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tmws.faces.mcp.registry import Arguments, Call, Result, tool


class GetTrust(Arguments):
    """Whose record."""

    agent: Annotated[
        str | None,
        Field(min_length=1, max_length=64, description="An agent's name; you if left out."),
    ] = None


class TrustShown(Result):
    """A score with what it rests on."""

    agent: str
    score: float
    low: float
    high: float
    decided: int
    supported: int
    refuted: int
    inconclusive: int
    explanation: str


@tool(
    title="Show trust",
    read_only=True,
    destructive=False,
    idempotent=True,
    narrow="",
)
async def get_trust(call: Call, wanted: GetTrust) -> TrustShown:
    """Show the trust score of an agent: how many of its checked claims held.

    Use it before you rely on another agent's word or pattern; decide by `low`, the lower end
    of the 90 % interval, not by `score`. Only verdicts of verify_claim move it: nothing said
    here or elsewhere does.
    """
    view = await call.app.trust.show(call.caller, wanted.agent)
    score = view.score
    return TrustShown(
        agent=view.agent,
        score=round(score.score, 4),
        low=round(score.low, 4),
        high=round(score.high, 4),
        decided=score.decided,
        supported=score.supported,
        refuted=score.refuted,
        inconclusive=score.inconclusive,
        explanation=score.explanation(),
    )
