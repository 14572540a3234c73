"""The trust model's state: a row for each number it keeps, as exact JSON.

Whoever writes holds the ledger's head, so that state and ledger move in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, get_args

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import digest
from tmws.domain.errors import Conflict
from tmws.domain.trust import model as parts
from tmws.domain.trust.alarm import Watch
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.model import VERSION, Calibration, Part, Scales, roles
from tmws.domain.trust.reference import FIRST, Reference, drawn
from tmws.domain.trust.score import Mix, Point
from tmws.domain.trust.state import Model, Record, Tally
from tmws.storage.tables import trust_state


class Key(NamedTuple):
    """Names one row; `agent` and `topic` are "" where the kind has none."""

    kind: str
    agent: str = ""
    topic: str = ""


_MODEL, _MIX = Key("model"), Key("mix")
_BELIEFS = frozenset(get_args(parts.Kind))
_OF_AN_AGENT = (*parts.PERSONAL, "record", "tally")
_OF_ALL = ("choice", "level", "type", "claim", "effort", "task")
_ROWS_AT_ONCE = 200


@dataclass(slots=True)
class State:
    """The model, or as much of it as was asked for, with the mix that scores refer to.

    Attributes:
        decided: verdicts that moved something, over all agents.
    """

    model: Model = field(default_factory=Model)
    reference: Reference = FIRST
    decided: int = 0
    _stored: dict[Key, str] = field(default_factory=dict)


async def load_for(connection: AsyncConnection, evidence: Evidence) -> State:
    """Return what one verdict reads and writes, and what shows its agent's score."""
    return await load_tasks(connection, evidence.agent, [evidence.task])


async def load_tasks(connection: AsyncConnection, agent: str, tasks: Iterable[Task]) -> State:
    """Return what tells how an agent would fare on these tasks, and what shows its score."""
    tasks = list(tasks)
    named = {part for task in tasks for part in roles(agent, task).parts}
    shared = {Key(*part) for part in named if part.kind not in parts.PERSONAL}
    shared |= {Key("task", "", _digest(task)) for task in tasks}
    wanted = sa.tuple_(trust_state.c.kind, trust_state.c.agent, trust_state.c.topic).in_(
        sorted(shared)
    )
    return await _select(connection, sa.or_(wanted, _of_agent(agent), _shown))


async def load_agent(connection: AsyncConnection, agent: str) -> State:
    """Return what shows one agent's score."""
    return await _select(connection, sa.or_(_of_agent(agent), _shown))


async def load_agents(connection: AsyncConnection) -> State:
    """Return what shows every agent's score."""
    return await _select(connection, sa.or_(trust_state.c.kind.in_(_OF_AN_AGENT), _shown))


async def load(connection: AsyncConnection) -> State:
    """Return all of it."""
    return await _select(connection, sa.true())


async def rows(connection: AsyncConnection) -> dict[Key, str]:
    """Return every row as it stands, to be believed only after it was checked."""
    found = await connection.execute(
        sa.select(
            trust_state.c.kind,
            trust_state.c.agent,
            trust_state.c.topic,
            sa.type_coerce(trust_state.c.value, sa.types.NULLTYPE),
        )
    )
    return {Key(kind, agent, topic): str(value) for kind, agent, topic, value in found}


async def save(connection: AsyncConnection, state: State, *, moved: bool) -> None:
    """Write what changed since it was loaded; draw the mix again when that is due."""
    state.decided += moved
    await _write(connection, state)
    if moved and state.reference.is_due(state.decided):
        shared = await _select(connection, trust_state.c.kind.in_((*_OF_ALL, _MODEL.kind)))
        state.reference = drawn(shared.model)
        await _write(connection, state)


async def replace(connection: AsyncConnection, state: State) -> None:
    """Write a whole state in place of the one there is."""
    await connection.execute(trust_state.delete())
    await _write(connection, state)


def told(state: State) -> dict[Key, str]:
    """Return the rows that hold this state."""
    model = state.model
    told: dict[Key, Any] = {Key(*part): list(belief) for part, belief in model.beliefs.items()}
    told |= {Key("record", agent): _record(record) for agent, record in model.records.items()}
    told |= {
        Key("tally", part.agent, part.topic): _tally(tally) for part, tally in model.tallies.items()
    }
    told |= {Key("task", "", _digest(task)): [*_task(task), n] for task, n in model.census.items()}
    told[_MODEL] = {
        "version": model.version,
        "scales": list(model.scales),
        "calibration": list(model.calibration),
        "decided": state.decided,
    }
    mix = state.reference.mix
    told[_MIX] = {
        "decided": state.reference.decided,
        "level": list(mix.level),
        "points": [[p.type, *p.difficulty, p.weight] for p in mix.points],
    }
    return {key: json.dumps(value, separators=(",", ":")) for key, value in told.items()}


async def _write(connection: AsyncConnection, state: State) -> None:
    now = told(state)
    changed = [(key, value) for key, value in now.items() if state._stored.get(key) != value]
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    for start in range(0, len(changed), _ROWS_AT_ONCE):
        batch = insert(trust_state).values(
            [
                {**key._asdict(), "value": value}
                for key, value in changed[start : start + _ROWS_AT_ONCE]
            ]
        )
        await connection.execute(
            batch.on_conflict_do_update(
                index_elements=["kind", "agent", "topic"], set_={"value": batch.excluded.value}
            )
        )
    state._stored = now


def _of_agent(agent: str) -> sa.ColumnElement[bool]:
    return sa.and_(trust_state.c.kind.in_(_OF_AN_AGENT), trust_state.c.agent == agent)


_shown = trust_state.c.kind.in_((_MODEL.kind, _MIX.kind))


async def _select(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> State:
    found = await connection.execute(sa.select(trust_state).where(condition))
    return _read({Key(kind, agent, topic): value for kind, agent, topic, value in found})


def _read(stored: Mapping[Key, str]) -> State:
    state = State(_stored=dict(stored))
    model = state.model
    for key, text in stored.items():
        value = json.loads(text)
        if key.kind in _BELIEFS:
            model.beliefs[Part(key.kind, key.agent, key.topic)] = Belief(*value)  # type: ignore[arg-type]  # one of the kinds
        elif key.kind == "record":
            model.records[key.agent] = _record_from(value)
        elif key.kind == "tally":
            model.tallies[Part("affinity", key.agent, key.topic)] = _tally_from(value)
        elif key.kind == "task":
            model.census[Task(*value[:4])] = value[4]
        elif key == _MIX:
            points = [Point(type, Belief(m, v), weight) for type, m, v, weight in value["points"]]
            mix = Mix(tuple(points), Belief(*value["level"]))
            state.reference = Reference(mix, value["decided"])
        else:
            _require_version(value["version"])
            model.scales = Scales(*value["scales"])
            model.calibration = Calibration(*value["calibration"])
            state.decided = value["decided"]
    return state


def _require_version(version: str) -> None:
    if version != VERSION:
        raise Conflict(
            f"Trust was computed by model '{version}'; this is '{VERSION}'. "
            "Run 'tmws trust refit' to compute it by the new one."
        )


def _task(task: Task) -> list[str | float | None]:
    return [task.claim, task.type, task.effort_minutes, task.author]


def _digest(task: Task) -> str:
    return digest(_task(task))


def _tally(tally: Tally) -> list[int | float | str | None]:
    return [tally.supported, tally.refuted, _moment(tally.last_at), tally.form]


def _tally_from(value: list[Any]) -> Tally:
    supported, refuted, last_at, form = value
    return Tally(supported, refuted, _moment_from(last_at), form)


def _record(record: Record) -> list[Any]:
    return [_tally(record.tally), record.inconclusive, record.ignored, list(record.watch)]


def _record_from(value: list[Any]) -> Record:
    tally, inconclusive, ignored, watch = value
    return Record(_tally_from(tally), inconclusive, ignored, Watch(*watch))


def _moment(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()


def _moment_from(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
