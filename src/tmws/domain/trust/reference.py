"""The mix that all scores refer to, drawn anew only now and then.

Between two draws a score moves by its agent's own verdicts alone, and reading one takes
no look at the claims of everybody else.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tmws.domain.trust.evidence import Entry, Evidence
from tmws.domain.trust.log import History
from tmws.domain.trust.score import Mix, mix_of
from tmws.domain.trust.state import Model

GROWTH = 1.2
"""The mix is drawn again whenever the decided verdicts have grown by a fifth."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A mix and how many decided verdicts it was drawn from."""

    mix: Mix
    decided: int

    def is_due(self, decided: int) -> bool:
        """Say whether so many decided verdicts ask for a new draw."""
        return decided >= max(self.decided + 1, math.ceil(self.decided * GROWTH))


FIRST = Reference(mix_of(Model()), 0)
"""Before the first decided verdict."""


def drawn(model: Model) -> Reference:
    """Return the mix of the whole model as it stands."""
    return Reference(mix_of(model), sum(model.census.values()))


@dataclass(slots=True)
class Replay:
    """The state after a log, with the mix that belongs to it.

    Attributes:
        decided: verdicts that moved something.
    """

    history: History = field(default_factory=History)
    reference: Reference = FIRST
    decided: int = 0

    def add(self, entry: Entry) -> None:
        """Take in the next entry of the log.

        Raises:
            Conflict: a link goes round in a circle.
        """
        if not isinstance(entry, Evidence):
            self.history.add(entry)
            self.reference = drawn(self.history.model)
            self.decided = self.reference.decided
            return
        path = self.history.paths[self.history.owners.get(entry.agent, entry.agent)]
        before = len(path)
        self.history.add(entry)
        if len(path) > before:
            self.decided += 1
            if self.reference.is_due(self.decided):
                self.reference = drawn(self.history.model)
