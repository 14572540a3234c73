"""Reading what is known about an agent's reliability. Nothing here can write it."""

from __future__ import annotations

from dataclasses import dataclass

from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.errors import NotFound
from tmws.domain.trust import TrustScore
from tmws.services.gate import Gate
from tmws.storage import agents, trust
from tmws.storage.database import Database


@dataclass(frozen=True, slots=True)
class TrustView:
    """An agent's name and its score."""

    agent: str
    score: TrustScore


class Trust:
    """Shows scores; they move only when `Verification` records a verdict."""

    def __init__(self, database: Database, gate: Gate) -> None:
        self._database = database
        self._gate = gate

    async def show(self, caller: Agent, agent_name: str | None = None) -> TrustView:
        """Return the score of an agent, the caller's own by default.

        Raises:
            NotFound: no agent that shares a namespace with the caller has this name.
        """
        await self._gate.require(Action.GET_TRUST)
        async with self._database.read() as connection:
            subject = caller if agent_name is None else await agents.named(connection, agent_name)
            if subject is None or not set(subject.namespaces) & set(caller.namespaces):
                raise NotFound(
                    f"No agent {(agent_name or '')[:64]!r} in your namespaces. "
                    "Leave the name out to see your own score."
                )
            return TrustView(subject.name, await trust.load(connection, subject.id))

    async def every(self) -> list[TrustView]:
        """Return all agents with their scores, for the installation's administrator."""
        async with self._database.read() as connection:
            scores = await trust.every(connection)
            known = await agents.every(connection)
        return [TrustView(agent.name, scores.get(agent.id, TrustScore())) for agent in known]
