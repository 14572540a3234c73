"""The step that says how much an agent may have standing unchecked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import fmean

from tmws.domain.trust.entries import FITS
from tmws.domain.trust.integrity import NOTHING_STATED, Integrity, exposure_budget
from tmws.domain.trust.reliance import Stake, audits_owed
from tmws.domain.trust.state import Step
from tmws.storage import evidence, ledger, reliances, stated
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
        stakes: what others let its claims count for, and takes room in the budget.
        carried: how much that is.
        owed: checks that it owes since an alarm.
    """

    entries: Sequence[Entry]
    path: Sequence[Step]
    integrity: Integrity
    budget: float
    stakes: Sequence[Stake]

    @property
    def carried(self) -> float:
        return math.fsum(each.amount for each in self.stakes)

    @property
    def owed(self) -> int:
        return audits_owed(self.path)


async def exposure(tx: Transaction, owner: str, *, bound: float, at: datetime) -> Exposure:
    """Return it as it stands at this moment; `bound` is what the agent is relied on for."""
    entries = await evidence.of_owner(tx, owner)
    path = await walked(tx, entries)
    integrity = _integrity(entries, await stated.by_peers(tx, owner))
    counted = sum(e.evidence.weight for e in entries if e.step)
    return Exposure(
        entries,
        path,
        integrity,
        budget=exposure_budget(bound, counted, integrity.penalty_at(at)),
        stakes=await reliances.standing(tx, owner, at=at),
    )


async def walked(tx: Transaction, entries: Sequence[Entry]) -> list[Step]:
    """Return the steps of one agent's entries in the order in which the model took them.

    A fit goes by the time of the verdicts, and what came after it by the ledger: the
    machine's clock may have been set back meanwhile.
    """
    by_ledger = [e.step for e in entries if e.step]
    by_time = sorted(by_ledger, key=_moment)
    if by_ledger == by_time:  # nearly always, and the ledger is long
        return by_ledger
    last = await ledger.newest_of(tx, FITS)
    fitted = last[0] if last else -1
    before = [e.step for e in entries if e.step and e.ledger_index < fitted]
    return sorted(before, key=_moment) + by_ledger[len(before) :]


def _moment(step: Step) -> tuple[datetime, str]:
    return step.evidence.at, step.evidence.id


def _integrity(entries: Sequence[Entry], peers: Iterable[tuple[str, float]]) -> Integrity:
    """Hold what the agent stated against its peers, or the model where nobody else spoke."""
    said: dict[str, list[float]] = {}
    for claim_id, confidence in peers:
        said.setdefault(claim_id, []).append(confidence)
    integrity = NOTHING_STATED
    for entry in entries:
        if entry.step is not None:
            others = said.get(entry.evidence.id)
            reference = fmean(others) if others else entry.step.probability
            integrity = integrity.after(entry.evidence, reference)
    return integrity
