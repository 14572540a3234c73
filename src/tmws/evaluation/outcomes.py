"""Reading outcome files: who answered which claim, and whether it held."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain, islice
from pathlib import Path

from tmws.domain.errors import InvalidInput
from tmws.domain.trust.evidence import Task
from tmws.evaluation.table import Row, Table, read_table

MOST_OUTCOMES = 1_000_000
"""So many are replayed in about ten minutes."""

_KNOWN = {
    what: names.split()
    for what, names in (
        ("agent", "agent model submission forecaster agent_id agent_name"),
        (
            "claim",
            "claim claim_id instance instance_id task task_id item item_id question question_id",
        ),
        (
            "outcome",
            "outcome resolved success supported verdict correct passed accurate solved result",
        ),
        ("type", "type claim_type category bench repo"),
        ("effort", "effort effort_minutes minutes human_minutes"),
        ("time", "time at timestamp date created_at"),
        ("confidence", "confidence stated_confidence probability forecast"),
        ("successes", "successes"),
        ("trials", "trials attempts"),
    )
}

_YES = frozenset(
    {"1", "1.0", "true", "yes", "supported", "pass", "passed", "success", "accurate", "correct"}
    | {"t", "y", "resolved", "solved"}
)
_NO = frozenset(
    {"0", "0.0", "false", "no", "refuted", "fail", "failed", "failure", "inaccurate", "incorrect"}
    | {"f", "n", "unresolved", "unsolved", "wrong"}
)
_UNDECIDED = frozenset({"", "nan", "na", "n/a", "none", "null", "inconclusive", "-"})
_WAY_OUT = (
    "Give a CSV file with the columns agent, claim and outcome (0 or 1), or one row per agent "
    "and one column per claim."
)
_MOST_TRIALS = 10_000
_MILLISECONDS_FROM = 1e11


@dataclass(frozen=True, slots=True)
class Outcome:
    """One answered claim.

    Attributes:
        at: when, None when the file does not say.
        confidence: the probability the agent stated, None without one.
    """

    agent: str
    task: Task
    supported: bool
    at: datetime | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What a file holds.

    Attributes:
        decided: in the order of the file.
        notes: what was understood of it that its owner may not expect, as sentences.
    """

    decided: tuple[Outcome, ...]
    notes: tuple[str, ...] = ()


def read(path: Path, *, types: Path | None = None) -> Outcomes:
    """Return the decided outcomes of a CSV file, gzipped or not.

    Long: a row per outcome with the columns agent, claim and outcome, and optionally
    type, effort, time and confidence (a few other names are understood). Wide: the
    agent in the first column and a column per claim, or the claim in the first column,
    named so, and a column per agent. Cells that say nothing are left out. A type that is
    the same in all rows is no type.

    Args:
        types: a CSV file with a column of claims, the first where none is named so; its
            other columns, joined, are the claim's type.

    Raises:
        InvalidInput: the file is absent or none of this.
    """
    table = read_table(path)
    columns = _columns(table)
    if {"agent", "claim"} <= columns.keys() and columns.keys() & {"outcome", "trials"}:
        _require_pair(table, columns)
        told: Iterator[Iterable[Outcome]] = (_long(row, columns) for row in table.rows)
    else:
        _require_wide(table, columns)
        across = columns.get("claim") in table.columns[:1]
        told = (_wide(row, across=across) for row in table.rows)
    # No more than can be replayed: a small packed file may hold very many.
    found = list(islice(chain.from_iterable(told), MOST_OUTCOMES + 1))
    if not found:
        raise InvalidInput(f"{table.name} holds no outcome. {_WAY_OUT}")
    if len(found) > MOST_OUTCOMES:
        raise InvalidInput(
            f"{table.name} holds more than {MOST_OUTCOMES} outcomes. "
            "Give a part of its agents or claims."
        )
    kept, notes = (found, []) if "trials" in columns else _once(found)
    timed = sum(o.at is not None for o in kept)
    if 0 < timed < len(kept):
        notes.append(f"{len(kept) - timed} outcomes have no time, so no time is read")
        kept = [replace(o, at=None) for o in kept]
    return Outcomes(tuple(_typed(kept, _type_table(types) if types else None)), tuple(notes))


def unshared(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the same outcomes as if nobody could answer another's claim."""
    return [replace(o, task=replace(o.task, claim=None)) for o in outcomes]


def _columns(table: Table) -> dict[str, str]:
    """Return what each understood column is called in the file."""
    names = {name.lower(): name for name in table.columns}
    found = {
        what: next((names[name] for name in known if name in names), None)
        for what, known in _KNOWN.items()
    }
    return {what: name for what, name in found.items() if name is not None}


def _require_pair(table: Table, columns: Mapping[str, str]) -> None:
    if "outcome" not in columns and "successes" not in columns:
        raise InvalidInput(
            f"{table.name} has a column '{columns['trials']}' and none named successes. {_WAY_OUT}"
        )


def _require_wide(table: Table, columns: Mapping[str, str]) -> None:
    """Refuse a long file that lacks a column, rather than take its columns for claims."""
    understood = [what for what in ("agent", "claim", "outcome", "successes") if what in columns]
    if len(understood) > 1:
        missing = [what for what in ("agent", "claim", "outcome") if what not in columns]
        raise InvalidInput(
            f"{table.name} has the columns {', '.join(table.columns)[:120]}: "
            f"none of them is the {missing[0]}. {_WAY_OUT}"
        )
    if len(table.columns) == 1:  # a name and no outcome
        raise InvalidInput(f"{table.name} has a single column. {_WAY_OUT}")


def _long(row: Row, columns: Mapping[str, str]) -> list[Outcome]:
    def cell(what: str) -> str:
        return row.cells[columns[what]] if what in columns else ""

    decided: list[bool] = []
    if "outcome" in columns:
        one = _decided(row, cell("outcome"))
        decided = [] if one is None else [one]
    else:
        trials, successes = _count(row, cell("trials")), _count(row, cell("successes"))
        if successes > trials:
            raise InvalidInput(f"{row.place}: {successes} successes of {trials} are refused.")
        decided = [trial < successes for trial in range(trials)]
    if not decided:
        return []
    for what in ("agent", "claim"):
        if not cell(what):
            raise InvalidInput(f"{row.place}, has an outcome and no {what}. Fill it in.")
    task = Task(cell("claim"), cell("type"), _effort(row, cell("effort")))
    at, confidence = _moment(row, cell("time")), _probability(row, cell("confidence"))
    return [Outcome(cell("agent"), task, held, at, confidence) for held in decided]


def _wide(row: Row, *, across: bool) -> Iterator[Outcome]:
    """Yield a row of a wide file; `across` when the first column is the claim."""
    (_, first), *cells = row.cells.items()
    for name, cell in cells:
        decided = _decided(row, cell, f" in column '{name[:40]}'")
        if decided is None:
            continue
        if not first or not name:
            raise InvalidInput(f"{row.place}, has an outcome without a name. {_WAY_OUT}")
        agent, claim = (name, first) if across else (first, name)
        yield Outcome(agent, Task(claim=claim), decided)


def _once(found: Sequence[Outcome]) -> tuple[list[Outcome], list[str]]:
    """Return the outcomes without copies, and say what was made of repetitions.

    Where an agent is once right and once wrong about the same claim, the file holds
    attempts, and each of them counts. Where all repetitions agree they tell nothing
    new, as in the product, where a repeated claim weighs nothing.
    """
    verdicts = {(o.agent, o.task.claim, o.supported) for o in found}
    pairs = Counter((o.agent, o.task.claim) for o in found)
    repeated = len(found) - len(pairs)
    if not repeated:
        return list(found), []
    if len(verdicts) > len(pairs):
        return list(found), [
            f"{repeated} outcomes are further attempts of an agent at a claim; each counts"
        ]
    once: dict[tuple[str, str | None], Outcome] = {}
    for o in found:
        once.setdefault((o.agent, o.task.claim), o)
    return list(once.values()), [
        f"{repeated} repetitions of the same agent, claim and outcome are left out"
    ]


def _decided(row: Row, cell: str, where: str = "") -> bool | None:
    word = cell.lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if word in _UNDECIDED:
        return None
    raise InvalidInput(
        f"{row.place}: outcome '{cell[:40]}'{where} is refused: give 0 or 1, or nothing."
    )


def _number(row: Row, cell: str, what: str) -> float | None:
    """Return a finite number, None where the cell says nothing."""
    if cell.lower() in _UNDECIDED:
        return None
    try:
        number = float(cell)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InvalidInput(
            f"{row.place}: {what} '{cell[:40]}' is refused: give a number, or nothing."
        )
    return number


def _count(row: Row, cell: str) -> int:
    number = _number(row, cell, "count") or 0.0
    if number != int(number) or not 0 <= number <= _MOST_TRIALS:
        raise InvalidInput(f"{row.place}: count '{cell}' is refused: give 0 to {_MOST_TRIALS}.")
    return int(number)


def _effort(row: Row, cell: str) -> float | None:
    minutes = _number(row, cell, "effort")
    try:
        return Task(effort_minutes=minutes).effort_minutes
    except InvalidInput as error:
        raise InvalidInput(f"{row.place}: {error.message}") from error


def _probability(row: Row, cell: str) -> float | None:
    stated = _number(row, cell, "confidence")
    if stated is not None and not 0.0 <= stated <= 1.0:
        raise InvalidInput(
            f"{row.place}: confidence '{cell}' is refused: give 0 to 1 (a percentage divided "
            "by 100), or nothing."
        )
    return stated


def _moment(row: Row, cell: str) -> datetime | None:
    if cell.lower() in _UNDECIDED:
        return None
    try:
        if cell.replace(".", "", 1).isdigit() and len(cell) != len("20261231"):
            seconds = float(cell)
            scale = 1e3 if seconds > _MILLISECONDS_FROM else 1.0
            return datetime.fromtimestamp(seconds / scale, UTC)
        moment = datetime.fromisoformat(cell)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise InvalidInput(
            f"{row.place}: time '{cell[:40]}' is refused: give ISO 8601 (2026-01-31T12:00:00Z) "
            "or seconds since 1970."
        ) from error


def _type_table(path: Path) -> dict[str, str]:
    table = read_table(path)
    place = table.columns.index(_columns(table).get("claim", table.columns[0]))
    types = {}
    for row in table.rows:
        cells = list(row.cells.values())
        claim = cells.pop(place)
        types[claim] = " | ".join(cells)
    return types


def _typed(outcomes: Sequence[Outcome], table: Mapping[str, str] | None) -> list[Outcome]:
    if table is not None:
        if not any(o.task.claim in table for o in outcomes):
            raise InvalidInput(
                "No claim of the outcomes stands in the file of types. Its column 'claim', or the "
                "first, has to hold the claims as the outcomes name them."
            )
        return [
            replace(o, task=replace(o.task, type=table.get(o.task.claim or "", "")))
            for o in outcomes
        ]
    if len({o.task.type for o in outcomes}) > 1:
        return list(outcomes)
    return [replace(o, task=replace(o.task, type="")) for o in outcomes]
