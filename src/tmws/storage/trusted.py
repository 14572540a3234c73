"""What administrators registered for verdicts to rest on, by content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import LedgerCorrupt
from tmws.storage.tables import artifacts, trusted

_AT_ONCE = 500


class Kind(StrEnum):
    """What kind of thing a name stands for."""

    REF = "ref"
    HELD = "held"
    CHECKER = "checker"


_CALLED = {
    Kind.REF: ("trusted ref", "refs"),
    Kind.HELD: ("held check", "held"),
    Kind.CHECKER: ("checker", "checkers"),
}
"""What messages call a thing of this kind, and the command that keeps it."""


@dataclass(frozen=True, slots=True)
class Kept:
    """One registered thing; `digest` names its document among the artifacts."""

    kind: Kind
    name: str
    workspace: str
    source: str
    digest: str
    created_at: datetime


async def add(connection: AsyncConnection, kept: Kept) -> None:
    """Register it under a name that is free."""
    await connection.execute(
        trusted.insert().values(
            kind=kept.kind.value,
            name=kept.name,
            workspace=kept.workspace,
            source=kept.source,
            digest=kept.digest,
            created_at=kept.created_at,
        )
    )


async def remove(connection: AsyncConnection, kind: Kind, name: str) -> bool:
    """Let the name stand for nothing; say whether it stood for something."""
    result = await connection.execute(trusted.delete().where(*_named(kind, name)))
    return bool(result.rowcount)


async def find(connection: AsyncConnection, kind: Kind, name: str) -> Kept | None:
    """Return what the name stands for."""
    found = await _select(connection, *_named(kind, name))
    return found[0] if found else None


async def document(connection: AsyncConnection, kept: Kept) -> bytes:
    """Return what a name stands for, as it was registered.

    Raises:
        LedgerCorrupt: what is stored is not what was registered.
    """
    stored = (await contents(connection, [kept.digest])).get(kept.digest, b"")
    require_registered(kept, stored, kept.digest)
    return stored


def require_registered(kept: Kept, content: bytes, digest: str) -> None:
    """Return if this content of a registered thing has the digest it was registered with.

    Raises:
        LedgerCorrupt: it has another.
    """
    if sha256_hex(content) != digest:
        called, command = _CALLED[kept.kind]
        raise LedgerCorrupt(
            f"What is stored of the {called} {kept.name!r} is not what was registered ({digest}). "
            f"Register it anew: tmws {command} remove {kept.name}, then tmws {command} add."
        )


async def newest(connection: AsyncConnection, kind: Kind, workspace: str) -> Kept | None:
    """Return what was registered last for a workspace."""
    found = await _select(
        connection, trusted.c.kind == kind.value, trusted.c.workspace == workspace
    )
    return found[0] if found else None


async def of_workspace(connection: AsyncConnection, workspace: str) -> list[Kept]:
    """Return all that is kept for a workspace, of every kind."""
    return await _select(connection, trusted.c.workspace == workspace)


async def every(connection: AsyncConnection, kind: Kind) -> list[Kept]:
    """Return all of a kind, newest first."""
    return await _select(connection, trusted.c.kind == kind.value)


async def contents(connection: AsyncConnection, digests: Iterable[str]) -> dict[str, bytes]:
    """Return the artifacts of these digests."""
    found: dict[str, bytes] = {}
    wanted = sorted(set(digests))
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        rows = await connection.execute(
            sa.select(artifacts.c.digest, artifacts.c.content).where(artifacts.c.digest.in_(some))
        )
        found.update((row.digest, row.content) for row in rows)
    return found


def _named(kind: Kind, name: str) -> tuple[sa.ColumnElement[bool], ...]:
    return trusted.c.kind == kind.value, trusted.c.name == name


async def _select(connection: AsyncConnection, *conditions: sa.ColumnElement[bool]) -> list[Kept]:
    rows = await connection.execute(
        sa.select(trusted).where(*conditions).order_by(trusted.c.created_at.desc(), trusted.c.name)
    )
    return [
        Kept(Kind(row.kind), row.name, row.workspace, row.source, row.digest, row.created_at)
        for row in rows
    ]
