"""Who is who: agents, their secrets, and the local user who needs none."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from tmws.domain import events
from tmws.domain.agents import (
    DEFAULT_NAMESPACE,
    LOCAL_AGENT_NAME,
    Agent,
    Role,
    require_name,
    shut_out,
)
from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import Conflict, NotFound, PermissionDenied
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.quotas import Allowed
from tmws.domain.wording import require_reason
from tmws.ports import Chance, Clock
from tmws.services.gate import Gate
from tmws.services.notary import Notary
from tmws.storage import agents, claims, quotas
from tmws.storage.database import Database, Transaction

_SECRET_BYTES = 32
_SECRET_PREFIX = "tmws_"  # noqa: S105  # lets secret scanners recognise a leaked one


@dataclass(frozen=True, slots=True)
class NewAgent:
    """An agent and its secret, which is shown this once and never stored."""

    agent: Agent
    secret: str


@dataclass(frozen=True, slots=True)
class ShutOut:
    """What came of disabling an agent.

    Attributes:
        reason: why it is disabled; the first reason stands until it is enabled.
        changed: it was not disabled before.
        given_up: its claims that were being checked, or waited for it.
    """

    reason: str
    changed: bool
    given_up: tuple[str, ...] = ()


class Agents:
    """Creates agents and recognises them by what their transport carries."""

    def __init__(
        self, database: Database, gate: Gate, notary: Notary, clock: Clock, chance: Chance
    ) -> None:
        self._database = database
        self._gate = gate
        self._notary = notary
        self._clock = clock
        self._chance = chance

    async def create(
        self, name: str, *, namespaces: Sequence[str] = (), role: Role = Role.AGENT, by: str
    ) -> NewAgent:
        """Make a new agent with a secret.

        Raises:
            InvalidInput: the name or a namespace is malformed.
            Conflict: the name is taken.
        """
        agent = self._new(name, namespaces or (DEFAULT_NAMESPACE,), role)
        secret, digest = self._new_secret()
        async with self._database.write() as tx:
            _require_free(await agents.named(tx, name))
            await agents.add(tx, agent)
            await agents.add_credential(
                tx,
                id=self._id("credential"),
                agent_id=agent.id,
                secret_sha256=digest,
                at=agent.created_at,
            )
            event = events.agent_created(agent, secret_sha256=digest, by=by, at=agent.created_at)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return NewAgent(agent, secret)

    async def rotate(self, name: str, *, by: str) -> NewAgent:
        """Give an agent a new secret; every earlier one stops working at once.

        Raises:
            NotFound: no agent has this name.
        """
        secret, digest = self._new_secret()
        now = self._clock.now()
        async with self._database.write() as tx:
            agent = await _known(tx, name)
            await agents.revoke_credentials(tx, agent.id, at=now)
            await agents.add_credential(
                tx, id=self._id("credential"), agent_id=agent.id, secret_sha256=digest, at=now
            )
            event = events.secret_rotated(agent, secret_sha256=digest, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return NewAgent(agent, secret)

    async def disable(self, name: str, *, reason: str, by: str) -> ShutOut:
        """Shut an agent out of every server, from this commit on.

        What is checked of its claims is given up and moves no trust: once nobody can read the
        verdict or answer for it, the agent neither earns nor loses by it. Whatever else it
        left stays. The command line needs no agent, so nobody is locked out of this.

        Raises:
            NotFound: no agent has this name.
            InvalidInput: the reason is empty or too long.
        """
        told = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            agent = await _known(tx, name)
            # First the agent, then its claims: whoever opens one takes them in this order.
            if not await agents.disable(tx, agent.id, reason=told):
                agent = await _known(tx, name)
                return ShutOut(agent.disabled_because or told, changed=False)
            given_up = await claims.abandon_all(tx, agent.id, at=now)
            event = events.agent_disabled(agent, reason=told, given_up=given_up, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return ShutOut(told, changed=True, given_up=tuple(given_up))

    async def enable(self, name: str, *, reason: str, by: str) -> bool:
        """Let an agent act again, with the secret that it has; say whether it was disabled.

        Raises:
            NotFound: no agent has this name.
            InvalidInput: the reason is empty or too long.
        """
        told = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            agent = await _known(tx, name)
            if not await agents.enable(tx, agent.id):
                return False
            event = events.agent_enabled(agent, reason=told, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return True

    async def allow(self, name: str, allowed: Allowed, *, reason: str, by: str) -> bool:
        """Allow an agent so much in place of what all are allowed; say whether that is new.

        It holds for all names that are linked with this one; where several were allowed
        something, the least holds.

        Raises:
            NotFound: no agent has this name.
            InvalidInput: a bound is out of range, or the reason is empty or too long.
        """
        allowed.require_sound()
        told = require_reason(reason)
        now = self._clock.now()
        async with self._database.write() as tx:
            await self._notary.turn(tx)  # whoever takes of a quota does so after the ledger
            agent = await _known(tx, name)
            if not await quotas.allow(tx, agent.id, allowed):
                return False
            event = events.quota_set(agent, allowed, reason=told, by=by, at=now)
            receipt = await self._notary.append(tx, event)
        self._notary.publish(receipt)
        return True

    async def every(self) -> list[Agent]:
        """Return all agents by name."""
        async with self._database.read() as connection:
            return await agents.every(connection)

    async def local(self) -> Agent:
        """Return the local user's agent, made at first use; it has no secret."""
        known = await self._named(LOCAL_AGENT_NAME)
        if known:
            return known
        agent = self._new(LOCAL_AGENT_NAME, (DEFAULT_NAMESPACE,), Role.AGENT)
        try:
            async with self._database.write() as tx:
                _require_free(await agents.named(tx, agent.name))
                await agents.add(tx, agent)
                event = events.agent_created(
                    agent, secret_sha256=None, by="first start", at=agent.created_at
                )
                receipt = await self._notary.append(tx, event)
        except Conflict:  # another process started first
            known = await self._named(LOCAL_AGENT_NAME)
            if known is None:
                raise
            return known
        self._notary.publish(receipt)
        return agent

    async def authenticate(self, name: str, secret: str) -> Agent:
        """Return the agent of this name or id if the secret is its own.

        Raises:
            PermissionDenied: it is not; an unknown name looks the same. Or an administrator
                disabled the agent, which only the holder of its secret is told.
        """
        found = await self._holding(secret)
        if found is None or name not in {found.name, found.id}:
            raise PermissionDenied(
                "TMWS_AGENT_ID and TMWS_AGENT_SECRET do not belong together. Take both from "
                "'tmws agents create NAME', or get a new secret by 'tmws agents rotate NAME'."
            )
        return _enabled(found)

    async def bearer(self, token: str) -> Agent | None:
        """Return the agent that holds this secret.

        Raises:
            PermissionDenied: an administrator disabled it.
        """
        found = await self._holding(token)
        return None if found is None else _enabled(found)

    async def require_enabled(self, agent: Agent) -> None:
        """Return if no administrator has disabled the agent, which needs no secret, meanwhile.

        Raises:
            PermissionDenied: one has.
        """
        await self._gate.require_enabled(agent)

    async def _holding(self, secret: str) -> Agent | None:
        async with self._database.read() as connection:
            return await agents.holding(connection, sha256_hex(secret.encode()))

    async def _named(self, name: str) -> Agent | None:
        async with self._database.read() as connection:
            return await agents.named(connection, name)

    def _new(self, name: str, namespaces: Sequence[str], role: Role) -> Agent:
        return Agent(
            id=self._id("agent"),
            name=require_name(name, what="Agent name"),
            role=role,
            namespaces=tuple(
                dict.fromkeys(require_name(space, what="Namespace") for space in namespaces)
            ),
            created_at=self._clock.now(),
        )

    def _new_secret(self) -> tuple[str, str]:
        random = base64.urlsafe_b64encode(self._chance(_SECRET_BYTES)).decode().rstrip("=")
        secret = _SECRET_PREFIX + random
        return secret, sha256_hex(secret.encode())

    def _id(self, kind: str) -> str:
        return new_id(kind, at=self._clock.now(), chance=self._chance(CHANCE_BYTES))


async def _known(tx: Transaction, name: str) -> Agent:
    agent = await agents.named(tx, name)
    if agent is None:
        raise NotFound(f"No agent is named {name[:64]!r}. See: tmws agents list.")
    return agent


def _enabled(agent: Agent) -> Agent:
    if agent.disabled_because is not None:
        raise shut_out(agent.name)
    return agent


def _require_free(holder: Agent | None) -> None:
    if holder is not None:
        raise Conflict(
            f"An agent named {holder.name!r} exists. Choose another name, or give it a new "
            f"secret: tmws agents rotate {holder.name}."
        )
