"""The step between a verdict and its record: what it weighs, and what it does to a score."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from tmws.domain.canonical import Json
from tmws.domain.claims import Judgement, Verdict
from tmws.domain.ledger import Tree
from tmws.domain.trust import rules
from tmws.domain.trust.confirmation import KNOWN_ANSWER, held_back
from tmws.domain.trust.entries import standing_of, task_key, task_of
from tmws.domain.trust.evidence import Evidence
from tmws.domain.trust.reliance import severity
from tmws.domain.trust.score import Standing, standing
from tmws.domain.trust.state import Model, Step
from tmws.domain.verifications import Claim
from tmws.storage import evidence, reliances, trust
from tmws.storage.evidence import Entry
from tmws.storage.last_state import LastState, Place
from tmws.storage.prepared import Execute
from tmws.storage.trust import State

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class TrustChange:
    """An agent's standing before and after a verdict, over the same mix of claims."""

    before: Standing
    after: Standing


@dataclass(frozen=True, slots=True)
class Scored:
    """A verdict that the model has taken in, not stored yet.

    Attributes:
        owner: whom it counts for: the agent, unless its identity was linked.
        told_before, told_after: what the ledger says of the owner.
    """

    evidence: Evidence
    owner: str
    step: Step | None
    state: State
    earlier: Model
    told_before: dict[str, Json]
    told_after: dict[str, Json]


@dataclass(frozen=True, slots=True)
class Believed:
    """What gates may rely on.

    Attributes:
        confirmed: share of the evidence that is on tasks which others answered too.
    """

    standing: Standing
    confirmed: float


def score(
    run: Execute, claim: Claim, judgement: Judgement, *, head: Tree, last: LastState, at: datetime
) -> Scored:
    """Let the model learn from a verdict; the caller holds the ledger's head."""
    owner = evidence.owner_for(run, claim.agent_id)
    key = task_key(claim.check, claim.workspace)
    met = evidence.met(run, key, owner)
    known = evidence.answered(run, claim)
    staked = _staked(run, claim, judgement)
    # As whoever met it first described it, so that all share it.
    task = met.task if met else task_of(claim, key)
    relied_on = bool(staked)
    state = last.take(Place(head, owner, task, relied_on))
    if state is None:
        state = trust.load_for(run, owner, task, relied_on=relied_on)
    model = state.model
    foreseen = model.outlook(owner, task, at)
    weight = rules.weight(
        judgement.level,
        repeated=owner in known,
        counted_today=_counted_today(run, owner, task.type, judgement.verdict, at=at),
        own_pick=met is None or met.own,
        probability=foreseen.probability,
    )
    if known - {owner} and not (relied_on and _relied_on_before(run, claim, owner)):
        weight *= KNOWN_ANSWER
    weighed = Evidence(
        id=claim.id,
        agent=claim.agent_id,
        at=at,
        verdict=judgement.verdict,
        task=task,
        relied_on=relied_on,
        weight=weight,
        stated_confidence=claim.confidence,
        severity=severity(staked),
    )
    earlier = Model(
        model.scales,
        model.calibration,
        dict(model.beliefs),
        dict(model.records),
        dict(model.tallies),
    )
    step = model.record(
        weighed if owner == weighed.agent else replace(weighed, agent=owner),
        # Whoever is relied on is held to more than the weight asks about.
        None if relied_on else foreseen,
    )
    return Scored(
        evidence=weighed,
        owner=owner,
        step=step,
        state=state,
        earlier=earlier,
        told_before=standing_of(earlier, owner),
        told_after=standing_of(model, owner),
    )


def keep(run: Execute, scored: Scored, *, ledger_index: int, head: Tree, last: LastState) -> None:
    """Store what the model learned; `head` is the ledger's with this verdict in it."""
    seen, owner = scored.evidence, scored.owner
    evidence.add(run, Entry(seen, owner, ledger_index, scored.step))
    trust.save(run, scored.state, moved=scored.step is not None)
    last.leave(Place(head, owner, seen.task, seen.relied_on), scored.state)


def change(run: Execute, scored: Scored) -> TrustChange:
    """Return what a verdict that was just kept did to the score."""
    now = trust.shown(run, scored.owner)
    after, then = now.model, scored.earlier
    moved = scored.state.model.beliefs.keys()
    before = Model(
        after.scales,
        then.calibration,
        {part: belief for part, belief in after.beliefs.items() if part not in moved}
        | then.beliefs,
        {**then.records},
    )
    mix, at = now.reference.mix, scored.evidence.at
    return TrustChange(
        standing(before, scored.owner, mix, at), standing(after, scored.owner, mix, at)
    )


def reliance(run: Execute, agent_id: str, *, at: datetime) -> float | None:
    """Return what an agent can be relied on at least, None before its first decided claim."""
    owner = evidence.owner_for(run, agent_id)
    seen = believed(run, trust.shown(run, owner), owner, at=at).standing
    return seen.bound if seen.known else None


def believed(run: Execute, state: State, owner: str, *, at: datetime) -> Believed:
    """Return an agent's standing, with the bound that others' verdicts allow it."""
    model, mix = state.model, state.reference.mix
    share = evidence.confirmed(run, owner)
    shown = standing(model, owner, mix, at)
    return Believed(held_back(shown, model, owner, mix, at, confirmed=share), share)


def _staked(run: Execute, claim: Claim, judgement: Judgement) -> float:
    """Return what others let the claim count for before this verdict, which ends it."""
    if judgement.verdict is Verdict.INCONCLUSIVE:
        return 0.0
    return math.fsum(reliances.stakes(run, claim))


def _relied_on_before(run: Execute, claim: Claim, owner: str) -> bool:
    """Did somebody rely on the claim before the same was decided for anybody else?

    Then it was not claimed because its answer was known. Else a friend whose name is worth
    nothing would have the same checked first, and a lie that others built on cost next to nothing.
    """
    since, known = reliances.since(run, claim), evidence.known_since(run, claim, owner)
    return since is not None and known is not None and since < known


def _counted_today(run: Execute, owner: str, type: str, verdict: Verdict, *, at: datetime) -> float:
    if verdict is Verdict.INCONCLUSIVE:
        return 0.0
    morning = at.replace(hour=0, minute=0, second=0, microsecond=0)
    return math.fsum(evidence.weights(run, owner, type, since=morning, until=morning + _DAY))
