"""The step that says how much an agent may have standing unchecked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from tmws.domain.trust.integrity import NOTHING_STATED, Integrity, exposure_budget
from tmws.domain.trust.reliance import audits_owed
from tmws.domain.trust.state import Step
from tmws.storage import evidence, reliances
from tmws.storage.database import Transaction
from tmws.storage.evidence import Entry


@dataclass(frozen=True, slots=True)
class Exposure:
    """What others may let count of an agent before it is checked, and what they do.

    Attributes:
        entries: all evidence of the agent, in the order of the ledger.
        path: its steps, oldest first.
        integrity: stated confidence against what came of it.
        budget: how much stake it may have standing unchecked at once.
        carried: how much it has.
        owed: checks that it owes since an alarm.
    """

    entries: Sequence[Entry]
    path: Sequence[Step]
    integrity: Integrity
    budget: float
    carried: float

    @property
    def owed(self) -> int:
        return audits_owed(self.path)


async def exposure(tx: Transaction, owner: str, *, bound: float, at: datetime) -> Exposure:
    """Return it as it stands at this moment; `bound` is what the agent is relied on for."""
    entries = await evidence.of_owner(tx, owner)
    tasks = {e.evidence.task.claim for e in entries if e.evidence.task.claim}
    peers = [e for e in await evidence.on_tasks(tx, tasks) if e.owner != owner]
    path = sorted((e.step for e in entries if e.step), key=lambda s: (s.evidence.at, s.evidence.id))
    integrity = _integrity(entries, peers)
    counted = sum(e.evidence.weight for e in entries if e.step)
    return Exposure(
        entries,
        path,
        integrity,
        budget=exposure_budget(bound, counted, integrity.penalty_at(at)),
        carried=await reliances.carried(tx, owner),
    )


def _integrity(entries: Sequence[Entry], peers: Sequence[Entry]) -> Integrity:
    """Hold what the agent stated against its peers, or the model where nobody else spoke."""
    said: dict[str | None, list[float]] = {}
    for peer in peers:
        if peer.evidence.stated_confidence is not None:
            said.setdefault(peer.evidence.task.claim, []).append(peer.evidence.stated_confidence)
    integrity = NOTHING_STATED
    for entry in entries:
        if entry.step is not None:
            others = said.get(entry.evidence.task.claim)
            reference = fmean(others) if others else entry.step.probability
            integrity = integrity.after(entry.evidence, reference)
    return integrity
