"""The evaluation of one outcome file, whole and as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmws.evaluation import attacks
from tmws.evaluation.attacks import Audited, Changed, Farmed, OnOff, Reregistered
from tmws.evaluation.chance import seeded
from tmws.evaluation.metrics import Accuracy, accuracy
from tmws.evaluation.outcomes import Outcome, read, unshared
from tmws.evaluation.population import Population, everywhere, folds, population
from tmws.evaluation.trust import Report, evaluate

FEWEST_AGENTS, FEWEST_CLAIMS = 10, 60
"""Attacks are played through where this many agents share this many claims."""


@dataclass(frozen=True, slots=True)
class Attacks:
    """What gaming gains, on the same file.

    Attributes:
        change: claims in the agent's own order, difficulties from other agents.
        change_chosen: claims that the service chooses as soon as it suspects a change.
        change_met: as `change`, but difficulties from everybody, who is measured too:
            slightly optimistic.
    """

    audits: tuple[Audited, ...]
    farming_known: Farmed | None
    farming_peers: Farmed | None
    reregistering: Reregistered
    change: Changed | None
    change_chosen: Changed | None
    change_met: Changed | None
    on_off: OnOff | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Everything measured on one file.

    Attributes:
        notes: what was understood of the file that its owner may not expect.
        stated: how good the agents' own probabilities are, None where none was stated.
        attacks: None where the file is too small for them, or they were not asked for.
    """

    file: str
    notes: tuple[str, ...]
    shared: bool
    replay: Report
    stated: Accuracy | None
    attacks: Attacks | None


def evaluate_file(
    path: Path,
    *,
    types: Path | None = None,
    shared: bool = True,
    seeds: int | None = None,
    attack: bool = True,
) -> Evaluation:
    """Replay an outcome file through the trust model and play the attacks on it.

    Args:
        types: a CSV file that gives claims their types (`outcomes.read`).
        shared: False to judge by type alone, as if no two agents met the same claim.
        attack: False to leave the attacks out.

    Raises:
        InvalidInput: a file is absent or not understood.
    """
    found = read(path, types=types)
    outcomes = found.decided
    people = population(outcomes)
    large = len(people.answers) >= FEWEST_AGENTS and len(people.tasks) >= FEWEST_CLAIMS
    notes = found.notes
    if attack and not large:
        notes += (
            f"attacks are played where at least {FEWEST_AGENTS} agents share at least "
            f"{FEWEST_CLAIMS} claims",
        )
    return Evaluation(
        file=path.name,
        notes=notes,
        shared=shared,
        replay=evaluate(outcomes if shared else unshared(outcomes), seeds=seeds),
        stated=_stated(outcomes),
        attacks=_attacks(people) if attack and large else None,
    )


def _stated(outcomes: Sequence[Outcome]) -> Accuracy | None:
    said = [(o.confidence, o.supported) for o in outcomes if o.confidence is not None]
    return accuracy([p for p, _ in said], [held for _, held in said]) if said else None


def _attacks(people: Population) -> Attacks:
    chance = seeded(0)
    world = folds(people, chance)
    return Attacks(
        audits=tuple(attacks.audited(people, world, chance)),
        farming_known=attacks.farmed(people, world, chance, peers=None),
        farming_peers=attacks.farmed(people, world, chance, peers=3),
        reregistering=attacks.reregistered(people, world, chance),
        change=attacks.changed(people, world, chance),
        change_chosen=attacks.changed(people, world, chance, choose=attacks.where_it_shows),
        change_met=attacks.changed(people, [everywhere(people)], chance),
        on_off=attacks.on_off(people, world, chance),
    )


def lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the evaluation as plain text, a line at a time."""
    found = evaluation.replay
    yield (
        f"{evaluation.file}: {found.agents} agents, {found.claims} claims, "
        f"{found.outcomes} outcomes, {found.rate:.3f} supported; "
        f"{'shared claims' if evaluation.shared else 'by type only'}, {found.seeds} orders"
        f"{'' if found.lives == found.seeds else f', the first 100 claims of {found.lives}'}"
    )
    yield from (f"note: {note}" for note in evaluation.notes)
    yield ""
    yield f"{'':10} {'Brier':>7} {'log loss':>9} {'AUC':>6} {'ECE':>7} {'Brier 1-10':>11}"
    for result in found.results:
        yield f"{_accuracy(result.method, result.accuracy, found.rate)} {result.first_ten:11.4f}"
    if evaluation.stated is not None:
        yield _accuracy("stated", evaluation.stated, found.rate)
    yield from _table(found, "Mean distance from the true rate after n claims", "error")
    yield from _table(found, "Share of agents within .10 of the true rate", "within")
    yield from _table(found, "Rank correlation with the true order", "rank")
    yield from _table(found, "Share of 90 % intervals that hold the true rate", "coverage")
    yield from _table(found, "Mean width of the 90 % interval", "width")
    if evaluation.attacks is not None:
        yield ""
        yield from _attack_lines(evaluation.attacks)


def _table(report: Report, title: str, figure: str) -> Iterator[str]:
    rows = {
        result.method: {m.claims: getattr(m, figure) for m in result.moments}
        for result in report.results
    }
    moments = list(next(iter(rows.values())))
    if not any(value is not None for row in rows.values() for value in row.values()):
        return
    yield ""
    yield title
    yield f"{'':10}" + "".join(f"{n:>7}" for n in moments)
    for method, row in rows.items():
        if any(value is not None for value in row.values()):
            yield f"{method:10}" + "".join(_cell(row[n]) for n in moments)


def _cell(value: float | None) -> str:
    return f"{'-':>7}" if value is None else f"{value:7.3f}"


def _accuracy(method: str, a: Accuracy, rate: float) -> str:
    # Where all outcomes are equal none can be rated above another.
    auc = f"{a.auc:6.3f}" if 0.0 < rate < 1.0 else f"{'-':>6}"
    return f"{method:10} {a.brier:7.4f} {a.log_loss:9.4f} {auc} {a.ece:7.4f}"


def _attack_lines(found: Attacks) -> Iterator[str]:
    yield "Audits chosen by the service: distance, share within .10, coverage"
    for a in found.audits:
        yield f"  after {a.audits:3}: {a.error:.3f}  {a.within:.3f}  {a.coverage:.3f}"
    for name, farm in (
        ("known difficulty", found.farming_known),
        ("own picks, three peers each", found.farming_peers),
    ):
        if farm is None:
            continue
        yield (
            f"Farming the {farm.claims} easiest claims ({farm.agents} weak agents, {name}): "
            f"score {farm.lift:+.3f} against the truth (EWMA .2 {farm.ewma_lift:+.3f}, "
            f"Beta {farm.beta_lift:+.3f}, before any claim {farm.newcomer:+.3f}), "
            f"bound more than .05 above it {farm.over:.1%}; "
            f"all agents on random claims {farm.honest_bias:+.3f}"
        )
    again = found.reregistering
    yield (
        f"Starting over under a new name: {again.gaining:.1%} gain more than .01 at once, "
        f"{again.gaining_later:.1%} after ten more claims"
    )
    for name, change in (
        ("own order", found.change),
        ("claims chosen by the service once it suspects one", found.change_chosen),
        ("own order, difficulties from everybody: slightly optimistic", found.change_met),
    ):
        if change is None:
            continue
        yield (
            f"Change from >= {attacks.GOOD} to <= {attacks.BAD} ({change.pairs} pairs, {name}): "
            f"noticed after {_claims(change.median)} claims (median), {_claims(change.p90)} (p90), "
            f"missed {change.missed:.1%}; false alarms in {change.watched} claims "
            f"{change.false_alarms:.1%}"
        )
    onoff = found.on_off
    if onoff is not None:
        yield (
            f"Lying whenever trusted (gate {onoff.gate:.2f}, {onoff.agents} agents from "
            f"{onoff.strong:.2f}): {onoff.malicious:.1%} of {onoff.watched} claims are lies; "
            f"honest ones are trusted {onoff.trusted:.1%} of the time"
        )


def _claims(delay: float | None) -> str:
    return "more than all" if delay is None else f"{delay:.0f}"
