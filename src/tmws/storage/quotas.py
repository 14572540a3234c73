"""What agents use of their quotas, kept in the transaction that uses it.

An agent's row is locked after the ledger, and before patterns and namespaces: writers wait
for each other in turn.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.quotas import ROW_BYTES, Allowed, Used, ahead
from tmws.storage.columns import microseconds
from tmws.storage.lifecycle import ActKind
from tmws.storage.prepared import (
    Execute,
    FirstKept,
    Prepared,
    Value,
    at_once,
    filling,
    plain,
    room_for,
    several,
)
from tmws.storage.tables import (
    agents,
    links,
    pattern_acts,
    pattern_versions,
    patterns,
    quotas,
)

_PLAIN = plain(quotas)
_AGENT = sa.bindparam("agent", type_=sa.String)
_OWNER = sa.select(links.c.owner_id).where(links.c.agent_id == _AGENT).scalar_subquery()
_LINKED = Prepared(
    sa.select(links.c.agent_id, links.c.owner_id).where(
        sa.or_(links.c.agent_id == _AGENT, links.c.owner_id == _AGENT, links.c.owner_id == _OWNER)
    )
)
_BEGIN = FirstKept(quotas)
_KEEP = Prepared(
    _PLAIN.update()
    .where(_PLAIN.c.agent_id == _AGENT)
    .values(
        stored_bytes=sa.bindparam("stored", type_=sa.BigInteger),
        given_back_at=sa.bindparam("back", type_=sa.BigInteger),
    )
)
_NEVER = 0
"""When the writes were given back of who never wrote: in 1970."""
_UNUSED: dict[str, Value] = {
    "stored_bytes": 0,
    "given_back_at": _NEVER,
    "allowed_mib": None,
    "allowed_daily_writes": None,
}


@dataclass(frozen=True, slots=True)
class Account:
    """What is used, and what is allowed for it."""

    used: Used
    allowed: Allowed

    @classmethod
    def together(cls, names: Iterable[Account]) -> Account:
        """Return the account of several names that are one agent's."""
        every = list(names)
        return cls(
            Used.together(each.used for each in every),
            Allowed.together(each.allowed for each in every),
        )


@dataclass(frozen=True, slots=True)
class Locked:
    """An agent's account, which nobody changes until the transaction ends.

    Attributes:
        own: what it uses under this name.
        together: under all names that are known to be its own.
    """

    own: Used
    together: Account


@dataclass(frozen=True, slots=True)
class Weight:
    """What a pattern takes with all its versions.

    Attributes:
        counts: False once it was forgotten, or was removed by the administrator.
    """

    owner_id: str
    stored_bytes: int
    counts: bool


def lock(run: Execute, agent_id: str, *, at: datetime) -> Locked:
    """Return what an agent uses, and keep others from changing it meanwhile."""
    names = _names(run, agent_id)
    found = _found(run, _locking(room_for(names)), names, at=at)
    if missing := [name for name in names if name not in found]:
        for name in missing:
            run(_BEGIN, {**_UNUSED, "agent_id": name})
        found = _found(run, _locking(room_for(names)), names, at=at)
    return Locked(found[agent_id].used, Account.together(found.values()))


def together(run: Execute, agent_id: str, *, at: datetime) -> Account:
    """Return an agent's account under all names that are known to be its own."""
    names = _names(run, agent_id)
    return Account.together(_found(run, _reading(room_for(names)), names, at=at).values())


async def allow(connection: AsyncConnection, agent_id: str, allowed: Allowed) -> bool:
    """Allow an agent so much from now on; say whether it was allowed something else."""
    await at_once(connection, lambda run: run(_BEGIN, {**_UNUSED, "agent_id": agent_id}))
    mib, writes = quotas.c.allowed_mib, quotas.c.allowed_daily_writes
    result = await connection.execute(
        quotas.update()
        .where(
            quotas.c.agent_id == agent_id,
            sa.or_(
                mib.is_distinct_from(allowed.mib), writes.is_distinct_from(allowed.daily_writes)
            ),
        )
        .values(allowed_mib=allowed.mib, allowed_daily_writes=allowed.daily_writes)
    )
    return bool(result.rowcount)


def keep(run: Execute, agent_id: str, own: Used, *, at: datetime) -> None:
    """Store what a locked agent uses under this name now."""
    back = microseconds(at) + own.ahead_microseconds
    run(_KEEP, {"agent": agent_id, "stored": own.stored_bytes, "back": back})


async def add(connection: AsyncConnection, agent_id: str, stored_bytes: int) -> None:
    """Count as many bytes more that an agent keeps, or fewer."""
    await connection.execute(
        quotas.update()
        .where(quotas.c.agent_id == agent_id)
        .values(stored_bytes=quotas.c.stored_bytes + stored_bytes)
    )


async def give_back_writes(connection: AsyncConnection, agent_id: str, *, at: datetime) -> None:
    """Let an agent begin the day anew."""
    await connection.execute(
        quotas.update().where(quotas.c.agent_id == agent_id).values(given_back_at=at)
    )


async def weigh(connection: AsyncConnection, pattern_id: str) -> Weight | None:
    """Return what a pattern takes; None where there is none."""
    size = functools.partial(_octets, connection.dialect.name)
    earlier = (
        sa.select(sa.func.sum(ROW_BYTES + size(pattern_versions)))
        .where(pattern_versions.c.pattern_id == pattern_id)
        .scalar_subquery()
    )
    moderated = sa.exists().where(
        pattern_acts.c.agent_id.is_(None),
        pattern_acts.c.at == patterns.c.removed_at,
        pattern_acts.c.pattern_id == patterns.c.id,
        pattern_acts.c.act == ActKind.REMOVED.value,
    )
    row = (
        await connection.execute(
            sa.select(
                patterns.c.owner_id,
                (ROW_BYTES + size(patterns) + sa.func.coalesce(earlier, 0)).label("size"),
                sa.and_(patterns.c.forgotten_at.is_(None), ~moderated).label("counts"),
            ).where(patterns.c.id == pattern_id)
        )
    ).one_or_none()
    return Weight(row.owner_id, int(row.size), bool(row.counts)) if row else None


async def release(connection: AsyncConnection, pattern_id: str) -> None:
    """Let a pattern count no more, unless it has not for some time."""
    found = await weigh(connection, pattern_id)
    if found and found.counts:
        await add(connection, found.owner_id, -found.stored_bytes)


async def count(connection: AsyncConnection, pattern_id: str) -> None:
    """Let a pattern count again, unless it does."""
    found = await weigh(connection, pattern_id)
    if found and not found.counts:
        await add(connection, found.owner_id, found.stored_bytes)


async def every(connection: AsyncConnection, *, at: datetime) -> list[tuple[str, Account]]:
    """Return what each name uses, and is allowed with all that are the same agent's.

    Who uses most of the store comes first.
    """
    stored = sa.func.coalesce(quotas.c.stored_bytes, 0)
    back = sa.func.coalesce(sa.type_coerce(quotas.c.given_back_at, sa.BigInteger), _NEVER)
    owner = sa.func.coalesce(links.c.owner_id, agents.c.id)
    told = (quotas.c.allowed_mib, quotas.c.allowed_daily_writes)
    rows = await connection.execute(
        sa.select(agents.c.name, owner, stored, back, *told)
        .join_from(agents, quotas, quotas.c.agent_id == agents.c.id, isouter=True)
        .join(links, links.c.agent_id == agents.c.id, isouter=True)
        .order_by(stored.desc(), agents.c.name)
    )
    now, names, allowed = microseconds(at), [], defaultdict[str, list[Allowed]](list)
    for name, whose, size, until, *bounds in rows:
        names.append((name, whose, _used(size, until, now=now)))
        allowed[whose].append(Allowed(*bounds))
    return [(name, Account(used, Allowed.together(allowed[whose]))) for name, whose, used in names]


def _names(run: Execute, agent_id: str) -> list[str]:
    linked = run(_LINKED, {"agent": agent_id})
    return sorted({agent_id, *(name for link in linked for name in link)})


def _found(
    run: Execute, prepared: Prepared, names: list[str], *, at: datetime
) -> dict[str, Account]:
    now = microseconds(at)
    rows = run(prepared, filling("of", names))
    return {
        name: Account(_used(size, back, now=now), Allowed(mib, writes))
        for name, size, back, mib, writes in rows
    }


@functools.cache
def _locking(names: int) -> Prepared:
    return Prepared(_of(names).with_for_update())


@functools.cache
def _reading(names: int) -> Prepared:
    return Prepared(_of(names))


def _of(names: int) -> sa.Select[str, int, int, int | None, int | None]:
    return (
        sa.select(
            _PLAIN.c.agent_id,
            _PLAIN.c.stored_bytes,
            _PLAIN.c.given_back_at,
            _PLAIN.c.allowed_mib,
            _PLAIN.c.allowed_daily_writes,
        )
        .where(_PLAIN.c.agent_id.in_(several("of", names)))
        .order_by(_PLAIN.c.agent_id)
    )


def _used(stored_bytes: int, back: int, *, now: int) -> Used:
    return Used(stored_bytes, ahead(back, at_microseconds=now))


def _octets(dialect: str, table: sa.Table) -> sa.ColumnElement[int]:
    """Return how many bytes the text of a pattern or version has."""
    if dialect == "postgresql":
        return sa.func.octet_length(table.c.summary) + sa.func.octet_length(table.c.data)
    # octet_length is there from SQLite 3.43 on.
    summary, data = (sa.cast(column, sa.LargeBinary) for column in (table.c.summary, table.c.data))
    return sa.func.length(summary) + sa.func.length(data)
