"""The step that finds what a verdict will rest on beside the workspace."""

from __future__ import annotations

from tmws.domain.claims import Check, ComputedCheck, HeldCheck, Level
from tmws.domain.errors import NotFound
from tmws.services.checking import Basis
from tmws.storage import checkers, held, refs
from tmws.storage.database import Transaction


async def find(connection: Transaction, level: Level, check: Check, workspace: str) -> Basis:
    """Return what a check of the workspace is judged by.

    Raises:
        NotFound: the claim names what nobody registered for this workspace.
    """
    if isinstance(check, HeldCheck):
        questions = await held.find(connection, check.name, workspace)
        if questions is None:
            raise _unknown("held check", check.name, workspace)
        return Basis(level, held=questions)
    if isinstance(check, ComputedCheck):
        checker = await checkers.find(connection, check.checker, workspace)
        if checker is None:
            raise _unknown("checker", check.checker, workspace)
        return Basis(level, checker=checker)
    if not level.reaches(Level.PINNED):
        return Basis(level)
    return Basis(level, await refs.newest(connection, workspace))


def _unknown(what: str, name: str, workspace: str) -> NotFound:
    return NotFound(
        f"No {what} {name[:64]!r} is kept for workspace {workspace}. Ask an administrator for its "
        "name."
    )
