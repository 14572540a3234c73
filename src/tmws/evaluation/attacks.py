"""What an agent gains by gaming its trust, played through on real outcomes.

Agents are split into folds; difficulties come from the agents of all other folds, so
that no agent is measured by its own answers. Every verdict goes through the product's
own rules.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

from tmws.domain.trust import audits, rules
from tmws.domain.trust.model import Part
from tmws.domain.trust.score import Standing
from tmws.evaluation.chance import Chance
from tmws.evaluation.metrics import quantile
from tmws.evaluation.outcomes import Outcome
from tmws.evaluation.population import Fold, Life, Population, everybody
from tmws.evaluation.predictors import START, evidence_of

WEAK = 0.45
FARMED = 50
"""So many claims are farmed, or half of all where there are fewer than twice as many."""
AUDITED = (5, 10, 15, 20, 30)
BEFORE_CHANGE, FEWEST_AFTER, MOST_AFTER, STATIONARY = 100, 30, 200, 300
GOOD, BAD = 0.60, 0.35
MOST_PAIRS, MOST_STILL = 2000, 3000
"""So many changes and unchanged lives are followed at most, drawn by chance where a large
population allows more: pairs grow with the square of its agents."""
LIVES = 5
"""So often an agent plays, where chance decides much: orders, peers, the gate."""

STILL_LIVES = 15
"""So often an agent stays as it is: false alarms are few, and some agents have most of them."""

OPEN_CLAIMS = 50
"""So many of an agent's claims wait to be verified where the service chooses."""

ON_OFF_CLAIMS = 500


@dataclass(frozen=True, slots=True)
class Audited:
    """How well agents are known after so many audits that the service chose."""

    audits: int
    error: float
    within: float
    coverage: float


def audited(people: Population, folds: Sequence[Fold], chance: Chance) -> list[Audited]:
    """Let the service choose what to verify, and see how soon it knows the agent."""
    found: dict[int, list[tuple[float, bool]]] = {n: [] for n in AUDITED}
    for fold, agent in everybody(folds):
        life = Life(fold.copy(), agent)
        left = {c: people.tasks[c] for c in people.claims(agent)}
        for n in range(1, max(AUDITED) + 1):
            picked = audits.pick(audits.ranked(life.model, agent, left, life.now), chance.random)
            if picked is None:
                break
            life.decide(left.pop(picked.name), people.answers[agent][picked.name])
            if n in found:
                shown, rate = fold.standing(life.model, agent, life.now), people.rates[agent]
                found[n].append((abs(shown.score - rate), shown.low <= rate <= shown.high))
    return [
        Audited(n, fmean(e for e, _ in f), fmean(e <= 0.1 for e, _ in f), fmean(c for _, c in f))
        for n, f in found.items()
        if f
    ]


@dataclass(frozen=True, slots=True)
class Farmed:
    """What weak agents get out of the easiest claims.

    Attributes:
        claims: so many are farmed.
        lift: score minus true rate, on average.
        over: share whose bound, which gates use, ends up more than .05 above the true rate.
        honest_bias: the same as `lift` for all agents on random claims.
        newcomer: the same as `lift` for weak agents nothing is known of.
        ewma_lift, beta_lift: what the usual scores would have shown.
    """

    agents: int
    claims: int
    lift: float
    over: float
    honest_bias: float
    newcomer: float
    ewma_lift: float
    beta_lift: float


def farmed(
    people: Population, folds: Sequence[Fold], chance: Chance, *, peers: int | None
) -> Farmed | None:
    """Let weak agents take the easiest claims; None where no agent is weak.

    Easiest is what the agents of all other folds passed most often. Nobody picks by answers
    it has not given: of claims that are equally hard, some would then be among the easiest
    only because the farmer itself will pass them.

    Args:
        peers: None when the claims are public and their difficulty known; else the
            agents bring them up themselves and so many others answer each of them.
    """
    most = min(FARMED, len(people.tasks) // 2)
    easiest = {fold.agents: _easiest(people, fold.peers)[:most] for fold in folds}
    weak, honest, newcomers = [], [], []
    for fold, agent in [life for life in everybody(folds) for _ in range(LIVES)]:
        random_claims = chance.sample(people.claims(agent), min(most, len(people.claims(agent))))
        shown = _shown_after(people, fold, agent, random_claims, chance=chance, peers=peers)
        honest.append(shown.score - people.rates[agent])
        claims = [c for c in easiest[fold.agents] if c in people.answers[agent]]
        if claims and people.rates[agent] < WEAK:
            shown = _shown_after(people, fold, agent, claims, chance=chance, peers=peers)
            held = [people.answers[agent][c] for c in claims]
            unknown = fold.standing(fold.world, "nobody", START).score
            weak.append((shown, people.rates[agent], held))
            newcomers.append(unknown - people.rates[agent])
    if not weak:
        return None
    return Farmed(
        agents=len(weak) // LIVES,
        claims=most,
        lift=fmean(s.score - rate for s, rate, _ in weak),
        over=fmean(s.bound > rate + 0.05 for s, rate, _ in weak),
        honest_bias=fmean(honest),
        newcomer=fmean(newcomers),
        ewma_lift=fmean(_ewma(held) - rate for _, rate, held in weak),
        beta_lift=fmean((1 + sum(held)) / (2 + len(held)) - rate for _, rate, held in weak),
    )


def _shown_after(
    people: Population,
    fold: Fold,
    agent: str,
    claims: Sequence[str],
    *,
    chance: Chance,
    peers: int | None,
) -> Standing:
    life = Life(fold.copy(), agent)
    if peers is None:
        # Others met them first, so by the product's rules they are nobody's own picks.
        for claim in claims:
            life.decide(people.tasks[claim], people.answers[agent][claim])
        return fold.standing(life.model, agent, life.now)
    own = {claim: replace(people.tasks[claim], author=agent) for claim in claims}
    line = life.model.calibration
    for claim, task in own.items():
        life.model.beliefs.pop(Part("claim", "", claim), None)
        life.model.beliefs.pop(Part("sharpness", "", claim), None)
        able = [p for p in fold.peers if claim in people.answers[p]]
        for peer in chance.sample(able, min(peers, len(able))):
            answer = Outcome(peer, task, people.answers[peer][claim])
            evidence = evidence_of(answer, 0, START)
            life.model.record(replace(evidence, id=f"{peer}/{claim}"))
    life.model.calibration = line
    for claim, task in own.items():
        life.decide(task, people.answers[agent][claim], own_pick=True)
    return fold.standing(life.model, agent, life.now)


@dataclass(frozen=True, slots=True)
class Reregistered:
    """What starting over as somebody new gains, by the bound that gates use.

    Attributes:
        gaining: share of agents whose new identity stands more than .01 above.
        gaining_later: the same after ten more claims under either name.
    """

    agents: int
    gaining: float
    gaining_later: float


def reregistered(people: Population, folds: Sequence[Fold], chance: Chance) -> Reregistered:
    """Let every agent drop its name after 50 claims."""
    at_once, later = [], []
    for fold, agent in everybody(folds):
        claims = people.claims(agent)
        chance.shuffle(claims)
        old, new = Life(fold.copy(), agent), Life(fold.copy(), f"{agent}'")
        for claim in claims[:50]:
            old.decide(people.tasks[claim], people.answers[agent][claim])
        at_once.append(_bound(fold, new) - _bound(fold, old) > 0.01)
        for claim in claims[50:60]:
            for life in (old, new):
                life.decide(people.tasks[claim], people.answers[agent][claim])
        later.append(_bound(fold, new) - _bound(fold, old) > 0.01)
    return Reregistered(len(at_once), fmean(at_once), fmean(later))


@dataclass(frozen=True, slots=True)
class Changed:
    """How soon a good agent that turned bad is noticed, in claims.

    Attributes:
        median, p90: None where it was not noticed at all within the claims there are.
        missed: share that did not ring within 200 claims after the change.
        false_alarms: share of good agents that rang although they stayed as they were,
            within `watched` claims, 300 where agents have that many.
    """

    pairs: int
    median: float | None
    p90: float | None
    missed: float
    false_alarms: float
    watched: int


Choose = Callable[[Population, Life, Sequence[str], Chance], str]
"""Says which of the claims that are left is decided next."""


def where_it_shows(people: Population, life: Life, left: Sequence[str], chance: Chance) -> str:
    """Let the service choose as soon as it suspects a change; in the agent's order until then."""
    now = life.now
    if not life.model.suspects(life.agent, now):
        return left[0]
    waiting = {claim: people.tasks[claim] for claim in left[:OPEN_CLAIMS]}
    picked = audits.pick(audits.ranked(life.model, life.agent, waiting, now), chance.random)
    return picked.name if picked else left[0]


def changed(
    people: Population, folds: Sequence[Fold], chance: Chance, *, choose: Choose | None = None
) -> Changed | None:
    """Let good agents be replaced by bad ones after 100 claims, or after half of what
    they have; None without any, or where too few claims are left.

    Args:
        choose: None for the agent's own order.
    """
    good = [life for life in everybody(folds) if people.rates[life[1]] >= GOOD]
    bad = [agent for agent, rate in people.rates.items() if rate <= BAD]
    delays: list[float] = []
    rang = []
    watched = 0
    for fold, agent in good:
        claims = people.claims(agent)
        watched = max(watched, min(len(claims) - _before(claims), STATIONARY))
        still = min(STILL_LIVES, max(1, MOST_STILL // len(good)))
        rang += [_rings(people, fold, agent, chance, choose) for _ in range(still)]
        others = [a for a in fold.agents + fold.peers if people.rates[a] <= BAD]
        if len(good) * len(bad) > MOST_PAIRS:
            others = chance.sample(others, min(len(others), max(1, MOST_PAIRS // len(good))))
        found = [
            _delay(people, fold, agent, other, chance=chance, choose=choose) for other in others
        ]
        delays += [delay for delay in found if delay is not None]
    if not delays:
        return None
    return Changed(
        len(delays),
        _finite(median(delays)),
        _finite(quantile(delays, 0.9)),
        fmean(math.isinf(d) for d in delays),
        fmean(rang),
        watched,
    )


def _before(claims: Sequence[str]) -> int:
    return min(BEFORE_CHANGE, len(claims) // 2)


def _finite(delay: float) -> float | None:
    return None if math.isinf(delay) else delay


def _rings(
    people: Population, fold: Fold, agent: str, chance: Chance, choose: Choose | None
) -> bool:
    life = Life(fold.copy(), agent)
    claims = people.claims(agent)
    chance.shuffle(claims)
    before = _before(claims)
    for claim in claims[:before]:
        life.decide(people.tasks[claim], people.answers[agent][claim])
    left = claims[before:]
    for _ in range(min(len(left), STATIONARY)):
        claim = choose(people, life, left, chance) if choose else left[0]
        left.remove(claim)
        if life.decide(people.tasks[claim], people.answers[agent][claim]):
            return True
    return False


def _delay(
    people: Population, fold: Fold, agent: str, other: str, *, chance: Chance, choose: Choose | None
) -> float | None:
    """Return the claims until it rang; None where the other has too few to tell."""
    life = Life(fold.copy(), agent)
    claims = people.claims(agent)
    chance.shuffle(claims)
    before = _before(claims)
    left = [c for c in claims[before:] if c in people.answers[other]]
    if len(left) < FEWEST_AFTER:
        return None
    for claim in claims[:before]:
        life.decide(people.tasks[claim], people.answers[agent][claim])
    for n in range(1, min(len(left), MOST_AFTER) + 1):
        claim = choose(people, life, left, chance) if choose else left[0]
        left.remove(claim)
        if life.decide(people.tasks[claim], people.answers[other][claim]):
            return n
    return math.inf


@dataclass(frozen=True, slots=True)
class OnOff:
    """What an agent gets away with that lies whenever it is trusted.

    Attributes:
        strong: true rate from which agents take part; `gate` is the bound they need.
        malicious: share of the attacker's claims that are lies told while trusted.
        trusted: share of claims at which honest strong agents were trusted.
        watched: so many claims of each, at most; few leave little time to be trusted.
    """

    agents: int
    strong: float
    gate: float
    malicious: float
    trusted: float
    watched: int


def on_off(people: Population, folds: Sequence[Fold], chance: Chance) -> OnOff | None:
    """Let strong agents lie whenever the gate is open, and compare with honest ones.

    Strong means .7, or .6 where fewer than five agents are that good; None without
    any. The gate stands .1 below the mean of the strong.
    """
    enough = sum(rate >= 0.7 for rate in people.rates.values()) >= 5
    strong = 0.7 if enough else 0.6
    rates = [rate for rate in people.rates.values() if rate >= strong]
    if not rates:
        return None
    gate = fmean(rates) - 0.1
    lies, trusted, watched = [], [], 0
    for fold, agent in [life for life in everybody(folds) for _ in range(LIVES)]:
        if people.rates[agent] >= strong:
            watched = max(watched, min(len(people.claims(agent)), ON_OFF_CLAIMS))
            lies.append(_open_share(people, fold, agent, gate, chance=chance, lying=True))
            trusted.append(_open_share(people, fold, agent, gate, chance=chance, lying=False))
    return OnOff(len(rates), strong, gate, fmean(lies), fmean(trusted), watched)


def _open_share(
    people: Population,
    fold: Fold,
    agent: str,
    gate: float,
    *,
    chance: Chance,
    lying: bool,
) -> float:
    life = Life(fold.copy(), agent)
    claims = people.claims(agent)
    chance.shuffle(claims)
    opened = []
    for claim in claims[:ON_OFF_CLAIMS]:
        opened.append(rules.opens(_bound(fold, life), gate, chance.random))
        held = people.answers[agent][claim] and not (lying and opened[-1])
        life.decide(people.tasks[claim], held, relied_on=opened[-1])
    return fmean(opened)


def _bound(fold: Fold, life: Life) -> float:
    return fold.standing(life.model, life.agent, life.now).bound


def _easiest(people: Population, peers: Sequence[str]) -> list[str]:
    """Return what these agents answered, what they passed most often first."""
    found: dict[str, list[bool]] = defaultdict(list)
    for peer in peers:
        for claim, held in people.answers[peer].items():
            found[claim].append(held)
    return sorted(found, key=lambda c: (-fmean(found[c]), c))


def _ewma(held: Sequence[bool], weight: float = 0.2) -> float:
    score = 0.5
    for outcome in held:
        score += weight * (outcome - score)
    return score
