"""Sharing: the owner opens a pattern to others, and closes it again."""

from __future__ import annotations

from collections.abc import Sequence

from tmws.domain import patterns as rules
from tmws.domain.actions import Action
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.errors import InvalidInput, PermissionDenied
from tmws.domain.patterns import MOST_GRANTS, Pattern
from tmws.domain.quotas import WRITE
from tmws.services import shelf
from tmws.services.acts import Acts, Recording
from tmws.services.gate import Gate
from tmws.services.quotas import Quotas
from tmws.storage import documents, lifecycle, usage
from tmws.storage.database import Database, Transaction
from tmws.storage.lifecycle import ActKind
from tmws.storage.prepared import at_once


class Sharing:
    """Changes who may read a pattern; each change is one ledger entry."""

    def __init__(self, database: Database, gate: Gate, acts: Acts, quotas: Quotas) -> None:
        self._database = database
        self._gate = gate
        self._acts = acts
        self._quotas = quotas

    async def shared_with(self, caller: Agent, pattern_id: str) -> tuple[str, ...]:
        """Return the names of the agents a pattern is shared with: to its owner only.

        Raises:
            NotFound: there is no such pattern for the caller.
        """
        await self._gate.require(Action.GET_PATTERN)
        async with self._database.read() as connection:
            pattern = await shelf.visible(connection, caller, pattern_id)
            if pattern.owner_id != caller.id:
                return ()
            return tuple(await lifecycle.granted(connection, pattern_id))

    async def change(
        self,
        caller: Agent,
        pattern_id: str,
        *,
        grant: Sequence[str] = (),
        revoke: Sequence[str] = (),
    ) -> tuple[str, ...]:
        """Open a pattern of level `shared` to some and close it to others; return who is left.

        Raises:
            InvalidInput: it has another level, or would be shared with too many.
            NotFound: there is no such pattern for the caller, or no such agent.
            PermissionDenied: it is somebody else's.
            LimitExceeded: the caller wrote too much.
        """
        await self._gate.require(Action.SHARE_PATTERN)
        async with self._acts.transaction() as acts:
            await self._take(acts, caller)
            pattern = await _owned(acts.tx, caller, pattern_id)
            if pattern.level is not AccessLevel.SHARED:
                raise InvalidInput(
                    f"Pattern {pattern.id} is {pattern.level.value}: nobody is named there. "
                    "Give it the level 'shared' together with the names."
                )
            await at_once(acts.tx, lambda run: shelf.agent_ids(run, [*grant, *revoke]))
            known = await lifecycle.granted(acts.tx, pattern_id)
            left = tuple(sorted((known.keys() | set(grant)) - set(revoke) - {pattern.owner}))
            if len(left) > MOST_GRANTS:
                raise InvalidInput(f"{len(left)} agents would read it; the limit is {MOST_GRANTS}.")
            await _become(acts, caller, pattern, AccessLevel.SHARED, left)
        return left

    async def relevel(
        self, caller: Agent, pattern_id: str, level: AccessLevel, names: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Give a pattern another access level; return whom it is shared with then.

        Raises:
            InvalidInput: names and level do not go together.
            NotFound: there is no such pattern for the caller, or no such agent.
            PermissionDenied: it is somebody else's, or `system` and the caller no admin.
            LimitExceeded: the caller wrote too much.
        """
        await self._gate.require(Action.SHARE_PATTERN)
        if level is AccessLevel.SYSTEM and caller.role is not Role.ADMIN:
            raise PermissionDenied("Only an admin opens a pattern to every agent. Use 'public'.")
        async with self._acts.transaction() as acts:
            await self._take(acts, caller)
            pattern = await _owned(acts.tx, caller, pattern_id)
            wanted = rules.grants(level, names, pattern.owner)
            await _become(acts, caller, pattern, level, wanted)
        return wanted

    async def _take(self, acts: Recording, caller: Agent) -> None:
        await at_once(acts.tx, lambda run: self._quotas.take(run, caller.id, WRITE, at=acts.at))


async def _become(
    acts: Recording,
    caller: Agent,
    pattern: Pattern,
    level: AccessLevel,
    names: Sequence[str],
) -> None:
    """Give a pattern this level and these readers, one act for each kind of change."""
    tx = acts.tx
    known = await lifecycle.granted(tx, pattern.id)
    wanted = await at_once(tx, lambda run: shelf.agent_ids(run, names))
    gone = [known[name] for name in sorted(known.keys() - wanted.keys())]
    new = [wanted[name] for name in sorted(wanted.keys() - known.keys())]
    if gone:
        await lifecycle.revoke(tx, pattern.id, gone)
        await acts.add(caller, pattern.id, ActKind.REVOKED, {"agents": gone})
    if level is not pattern.level:
        await lifecycle.relevel(tx, pattern.id, level)
        await documents.relevel(tx, pattern.id, level)
        await usage.expect_anew(tx, pattern.id)
        change = {"was": pattern.level.value, "now": level.value}
        await acts.add(caller, pattern.id, ActKind.LEVEL, change)
    if new:
        await lifecycle.grant(tx, pattern.id, new)
        await acts.add(caller, pattern.id, ActKind.GRANTED, {"agents": new})


async def _owned(tx: Transaction, caller: Agent, pattern_id: str) -> Pattern:
    pattern = await shelf.writable(tx, caller, pattern_id)
    if pattern.owner_id != caller.id:
        raise PermissionDenied(
            f"Pattern {pattern.id} is {pattern.owner}'s, who alone decides about its readers."
        )
    return pattern
