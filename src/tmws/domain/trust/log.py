"""Computing every score again from the log alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from tmws.domain.errors import Conflict
from tmws.domain.trust.evidence import (
    Correction,
    Entry,
    Evidence,
    Link,
    Refit,
    Restoration,
    Unlink,
)
from tmws.domain.trust.refit import refit
from tmws.domain.trust.state import Model, Step


@dataclass(slots=True)
class History:
    """The model after a log, with every agent's path to it.

    Attributes:
        paths: by agent, oldest first; a refit draws them anew.
        links: those that stand, in the order in which they were made.
        owners: identities whose evidence counts for somebody else, as the links say.
        withdrawn: by id of the evidence; `restored` what counts again, likewise.
        evidence: all of it, as it came in; also what was withdrawn.
    """

    model: Model = field(default_factory=Model)
    paths: dict[str, list[Step]] = field(default_factory=lambda: defaultdict(list))
    links: list[Link] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)
    withdrawn: dict[str, Correction] = field(default_factory=dict)
    restored: dict[str, Restoration] = field(default_factory=dict)
    evidence: list[Evidence] = field(default_factory=list)

    def add(self, entry: Entry) -> None:
        """Take in the next entry of the log.

        Raises:
            Conflict: a link goes round in a circle, or what is taken back does not stand.
        """
        match entry:
            case Evidence():
                self._learn(entry)
            case Correction():
                self.withdrawn[entry.evidence] = entry
                self.restored.pop(entry.evidence, None)
                self._fit()
            case Restoration():
                self._restore(entry)
                self._fit()
            case Link():
                self._link(entry)
                self._fit()
            case Unlink():
                self._unlink(entry)
                self._fit()
            case Refit():
                # Also one that an earlier version made: the log says when, this model how.
                self._fit()

    def corrections(self, agent: str) -> list[Correction]:
        """Return the withdrawals of this agent's evidence, oldest first."""
        own = {e.id for e in self.evidence if self.owners.get(e.agent, e.agent) == agent}
        return [c for c in self.withdrawn.values() if c.evidence in own]

    def _learn(self, evidence: Evidence) -> None:
        if evidence.id in self.model.seen or evidence.id in self.withdrawn:
            return
        self.evidence.append(evidence)
        owner = self.owners.get(evidence.agent)
        step = self.model.record(replace(evidence, agent=owner) if owner else evidence)
        if step is not None:
            self.paths[step.evidence.agent].append(step)

    def _restore(self, restoration: Restoration) -> None:
        if self.withdrawn.pop(restoration.evidence, None) is None:
            raise Conflict(f"'{restoration.evidence}' is not withdrawn.")
        self.restored[restoration.evidence] = restoration

    def _unlink(self, unlink: Unlink) -> None:
        left = unlinked(self.links, unlink.agent)
        if len(left) == len(self.links):
            raise Conflict(f"'{unlink.agent}' is linked to nobody.")
        self.links, self.owners = [], {}
        for link in left:
            self._link(link)

    def _link(self, link: Link) -> None:
        owner = self.owners.get(link.owner, link.owner)
        if owner == link.agent:
            raise Conflict(
                f"'{link.agent}' owns '{link.owner}' already, so it cannot be linked to it."
            )
        self.links.append(link)
        self.owners[link.agent] = owner
        for agent, current in self.owners.items():
            if current == link.agent:
                self.owners[agent] = owner

    def _fit(self) -> None:
        left = [e for e in self.evidence if e.id not in self.withdrawn]
        self.model, steps = refit(left, calibration=self.model.calibration, owners=self.owners)
        self.paths = defaultdict(list)
        for step in steps:
            self.paths[step.evidence.agent].append(step)


def unlinked(links: Iterable[Link], agent: str) -> list[Link]:
    """Return the links that stand once an agent counts for itself again."""
    return [link for link in links if link.agent != agent]


def replay(log: Iterable[Entry]) -> History:
    """Return the state after these entries: the same log, the same bits.

    Raises:
        Conflict: a link goes round in a circle.
    """
    history = History()
    for entry in log:
        history.add(entry)
    return history
