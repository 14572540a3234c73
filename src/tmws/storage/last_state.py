"""What this process's last verdict left of the trust model, for the next one on the same task.

An agent mostly has one project checked again and again: reading back what was written a
moment ago would be a tenth of a verdict's step.
"""

from __future__ import annotations

from dataclasses import dataclass

from tmws.domain.ledger import Tree
from tmws.domain.trust.evidence import Task
from tmws.storage.trust import State


@dataclass(frozen=True, slots=True)
class Place:
    """Names what one verdict reads and writes, at one head of the ledger.

    Whatever anybody records, in whatever process, moves the head; and the head of a verdict
    that was taken back never comes again, since each entry is salted. So what belongs to a
    place stays true, and nobody has to forget it.
    """

    head: Tree
    owner: str
    task: Task
    relied_on: bool


class LastState:
    """Keeps one state; it is taken out by whoever goes on from it, and so changed by one alone."""

    def __init__(self) -> None:
        self._left: tuple[Place, State] | None = None

    def take(self, place: Place) -> State | None:
        """Return what was left exactly here, None when it has to be read."""
        left, self._left = self._left, None
        return left[1] if left is not None and left[0] == place else None

    def leave(self, place: Place, state: State) -> None:
        """Keep what a verdict wrote, in place of what was left before."""
        state.model.seen.clear()  # a claim closes once; its ids would only pile up here
        self._left = place, state
