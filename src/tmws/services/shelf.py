"""The step before an act on a pattern: find it for whoever asks, or refuse without a trace."""

from __future__ import annotations

from collections.abc import Sequence

from tmws.domain.agents import Agent, Reader, require_open
from tmws.domain.errors import Conflict, NotFound, PermissionDenied
from tmws.domain.patterns import OWN, Origin, Pattern, PatternDraft, Provenance
from tmws.domain.versions import may_write
from tmws.storage import agents, catalogue, patterns
from tmws.storage.database import Database, Transaction
from tmws.storage.prepared import Execute, at_once


async def visible(connection: Transaction, reader: Reader, pattern_id: str) -> Pattern:
    """Return a pattern that the reader may see.

    Raises:
        NotFound: there is none; one that is hidden looks the same.
    """
    found = await patterns.readable(connection, reader, [pattern_id])
    if pattern_id not in found:
        raise _not_visible(reader, pattern_id)
    return found[pattern_id]


async def kept(connection: Transaction, reader: Reader, pattern_id: str) -> Pattern:
    """Return the same; for whoever owns the store also what was removed and can be restored.

    Raises:
        NotFound: there is none; one that is hidden looks the same.
    """
    if isinstance(reader, Agent):
        return await visible(connection, reader, pattern_id)
    found = await patterns.any_state(connection, [pattern_id])
    if pattern_id not in found:
        raise _not_visible(reader, pattern_id)
    return found[pattern_id]


async def require_open_to(caller: Agent, namespace: str | None, database: Database) -> None:
    """Return if the caller may find something in the namespace, or names none.

    Raises:
        NotFound: it may not; a closed and an absent namespace look alike.
    """
    if namespace is None or namespace in caller.namespaces:
        return
    async with database.read() as connection:
        held = await at_once(connection, lambda run: catalogue.open_to(run, caller))
    require_open(caller, namespace, held.revisions)


async def writable(tx: Transaction, caller: Agent, pattern_id: str) -> Pattern:
    """Return a pattern that the caller may write, and keep others from changing it meanwhile.

    Raises:
        NotFound: there is none that the caller may even see.
        PermissionDenied: the caller sees it, and it is somebody else's.
    """
    await patterns.lock(tx, pattern_id)
    found = await visible(tx, caller, pattern_id)
    if not may_write(caller, owner_id=found.owner_id, level=found.level):
        raise PermissionDenied(
            f"Pattern {found.id} is {found.owner}'s. Learn one of your own, with derived_from, "
            "to say it otherwise."
        )
    return found


def require_free_name(run: Execute, pattern: Pattern) -> None:
    """Return if the owner has no other living pattern of this name in its namespace.

    Raises:
        Conflict: there is one.
    """
    known = patterns.id_of(
        run, namespace=pattern.namespace, owner_id=pattern.owner_id, name=pattern.name
    )
    if known not in {None, pattern.id}:
        raise Conflict(
            f"{pattern.owner} already has a pattern of this name in {pattern.namespace}: {known}. "
            "Choose another name, or revise that one."
        )


def agent_ids(run: Execute, names: Sequence[str]) -> dict[str, str]:
    """Return name to id of these agents.

    Raises:
        NotFound: one does not exist.
    """
    known = agents.ids_of(run, names)
    missing = sorted(set(names) - known.keys())
    if missing:
        raise NotFound(f"No agent {missing[0][:64]!r}. Share with agents that exist.")
    return known


def provenance(run: Execute, author: Agent, draft: PatternDraft) -> Provenance:
    """Return what a new pattern is made from.

    Raises:
        NotFound: it is derived from a pattern that its author may not see.
    """
    if draft.derived_from is None:
        return OWN
    version = patterns.readable_version(run, author, draft.derived_from)
    if version is None:
        raise _not_visible(author, draft.derived_from)
    return Provenance(Origin.DERIVED, f"{draft.derived_from} version {version}")


def _not_visible(reader: Reader, pattern_id: str) -> NotFound:
    if isinstance(reader, Agent):
        return NotFound(
            f"No pattern {pattern_id[:40]!r} is visible to you. Find one with find_patterns."
        )
    return NotFound(f"No pattern {pattern_id[:40]!r}. See: tmws patterns list.")
