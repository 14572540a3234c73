"""The step before an agent writes: what that takes is counted, and has to fit in."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tmws.domain.agents import shut_out
from tmws.domain.quotas import Need, Quota, Used
from tmws.ports import Clock
from tmws.storage import agents, quotas
from tmws.storage.database import Database
from tmws.storage.prepared import Execute
from tmws.storage.quotas import Account


@dataclass(frozen=True, slots=True)
class Usage:
    """What an agent uses of its quota under one name; `written` of today, as far as it counts."""

    agent: str
    stored_bytes: int
    written: int
    quota: Quota


class Room(Protocol):
    """Where what is about to be written in an agent's name has to fit in."""

    def take(self, run: Execute, agent_id: str, need: Need, *, at: datetime) -> None:
        """Count it, before patterns and namespaces are locked."""

    def require_room(self, run: Execute, agent_id: str, need: Need, *, at: datetime) -> None:
        """Return if it would fit in now."""


class Quotas:
    """Holds every agent to the same quota, but for those that are allowed something else.

    Attributes:
        quota: what all others may have.
    """

    def __init__(self, database: Database, quota: Quota, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self.quota = quota

    def take(self, run: Execute, agent_id: str, need: Need, *, at: datetime) -> None:
        """Count it, before patterns and namespaces are locked.

        Raises:
            LimitExceeded: it does not fit in.
            PermissionDenied: an administrator disabled the agent since its call was let in.
        """
        if name := agents.disabled_name(run, agent_id):
            raise shut_out(name)
        locked = quotas.lock(run, agent_id, at=at)
        quota = self.quota.but(locked.together.allowed)
        quota.require_room(locked.together.used, need)
        spent = Used(need.stored_bytes, need.writes * quota.spacing_microseconds)
        quotas.keep(run, agent_id, Used.together([locked.own, spent]), at=at)

    def require_room(self, run: Execute, agent_id: str, need: Need, *, at: datetime) -> None:
        """Return if it would fit in now.

        Raises:
            LimitExceeded: it would not.
        """
        account = quotas.together(run, agent_id, at=at)
        self.quota.but(account.allowed).require_room(account.used, need)

    async def usage(self) -> list[Usage]:
        """Return what each agent uses, for the administrator; who keeps most comes first."""
        async with self._database.read() as connection:
            every = await quotas.every(connection, at=self._clock.now())
        return [self._usage(name, account) for name, account in every]

    def _usage(self, name: str, account: Account) -> Usage:
        quota = self.quota.but(account.allowed)
        return Usage(name, account.used.stored_bytes, quota.written(account.used), quota)


class Unbounded:
    """What an administrator writes in an agent's name: counted as kept, and never refused."""

    def take(self, run: Execute, agent_id: str, need: Need, *, at: datetime) -> None:
        """Count what the agent keeps from now on."""
        own = quotas.lock(run, agent_id, at=at).own
        quotas.keep(run, agent_id, Used.together([own, Used(need.stored_bytes)]), at=at)

    def require_room(self, run: Execute, agent_id: str, need: Need, *, at: datetime) -> None:
        """Return."""
