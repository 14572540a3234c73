"""Reading outcome files: who answered which claim, and whether it held."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tmws.domain.errors import InvalidInput
from tmws.domain.trust.evidence import Task

_AGENT = ("agent", "model", "submission", "forecaster")
_CLAIM = ("claim", "instance", "instance_id", "task", "task_id", "item", "question")
_OUTCOME = ("outcome", "resolved", "success", "supported", "verdict", "correct", "passed")
_TYPE = ("type", "claim_type", "category", "bench", "repo")
_EFFORT = ("effort", "effort_minutes", "minutes", "human_minutes")
_TIME = ("time", "at", "timestamp", "date")
_CONFIDENCE = ("confidence", "stated_confidence", "probability", "forecast")
_SUCCESSES, _TRIALS = ("successes",), ("trials", "attempts")

_YES = frozenset({"1", "1.0", "true", "yes", "supported", "pass", "passed", "success"})
_NO = frozenset({"0", "0.0", "false", "no", "refuted", "fail", "failed", "failure"})
_UNDECIDED = frozenset({"", "nan", "none", "null", "inconclusive"})


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


def read(path: Path, *, types: Path | None = None) -> list[Outcome]:
    """Return the decided outcomes of a CSV file, gzipped or not, in file order.

    Long: a row per outcome with the columns agent, claim and outcome, and optionally
    type, effort, time and confidence (a few other names are understood). Wide: the
    agent in the first column and a column per claim. Cells that say nothing are left
    out. A type that is the same in all rows is no type.

    Args:
        types: a CSV file whose first column is the claim; its other columns, joined,
            are the claim's type.

    Raises:
        InvalidInput: the file is absent or none of this.
    """
    rows = _rows(path)
    names = {name.strip().lower(): name for name in rows[0]} if rows else {}
    columns = {
        what: next((names[n] for n in known if n in names), None)
        for what, known in (
            ("agent", _AGENT),
            ("claim", _CLAIM),
            ("outcome", _OUTCOME),
            ("type", _TYPE),
            ("effort", _EFFORT),
            ("time", _TIME),
            ("confidence", _CONFIDENCE),
            ("successes", _SUCCESSES),
            ("trials", _TRIALS),
        )
    }
    if columns["agent"] and columns["claim"] and (columns["outcome"] or columns["trials"]):
        outcomes = [o for row in rows for o in _long(row, columns)]
    else:
        outcomes = [o for row in rows for o in _wide(row)]
    if not outcomes:
        raise InvalidInput(
            f"{path.name} holds no outcome. Give a CSV file with the columns agent, claim and "
            "outcome (0 or 1), or one row per agent and one column per claim."
        )
    return _typed(outcomes, _type_table(types) if types else None)


def unshared(outcomes: Iterable[Outcome]) -> list[Outcome]:
    """Return the same outcomes as if nobody could answer another's claim."""
    return [replace(o, task=replace(o.task, claim=None)) for o in outcomes]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8-sig")
    except (OSError, EOFError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path.name} cannot be read as CSV: {error}.") from error
    return [
        {name: cell or "" for name, cell in row.items() if name is not None}
        for row in csv.DictReader(io.StringIO(text))
    ]


def _long(row: Mapping[str, str], columns: Mapping[str, str | None]) -> Iterable[Outcome]:
    def cell(what: str) -> str:
        name = columns[what]
        return row[name].strip() if name else ""

    task = Task(
        claim=cell("claim"),
        type=cell("type"),
        effort_minutes=_number(cell("effort")),
    )
    at = _moment(cell("time")) if cell("time") else None
    confidence = _number(cell("confidence"))
    if columns["outcome"]:
        decided = _decided(cell("outcome"))
        return [] if decided is None else [Outcome(cell("agent"), task, decided, at, confidence)]
    successes, trials = int(cell("successes")), int(cell("trials"))
    return [
        Outcome(cell("agent"), task, trial < successes, at, confidence) for trial in range(trials)
    ]


def _wide(row: Mapping[str, str]) -> Iterable[Outcome]:
    (_, agent), *cells = row.items()
    for claim, cell in cells:
        decided = _decided(cell.strip())
        if decided is not None:
            yield Outcome(agent, Task(claim=claim), decided)


def _decided(cell: str) -> bool | None:
    word = cell.lower()
    if word in _YES:
        return True
    if word in _NO:
        return False
    if word in _UNDECIDED:
        return None
    raise InvalidInput(f"outcome '{cell[:40]}' is refused: give 0 or 1, or nothing.")


def _number(cell: str) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError as error:
        raise InvalidInput(f"'{cell[:40]}' is refused: give a number, or nothing.") from error


def _moment(cell: str) -> datetime:
    try:
        if cell.replace(".", "", 1).isdigit() and len(cell) != len("20261231"):
            return datetime.fromtimestamp(float(cell), UTC)
        moment = datetime.fromisoformat(cell)
    except ValueError as error:
        raise InvalidInput(f"time '{cell[:40]}' is refused: give ISO 8601 or seconds.") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _type_table(path: Path) -> dict[str, str]:
    table = {}
    for row in _rows(path):
        claim, *rest = row.values()
        table[claim] = " | ".join(rest)
    return table


def _typed(outcomes: Sequence[Outcome], table: Mapping[str, str] | None) -> list[Outcome]:
    if table is not None:
        return [
            replace(o, task=replace(o.task, type=table.get(o.task.claim or "", "")))
            for o in outcomes
        ]
    if len({o.task.type for o in outcomes}) > 1:
        return list(outcomes)
    return [replace(o, task=replace(o.task, type="")) for o in outcomes]
