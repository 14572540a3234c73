"""The trust model's state: a row for each number it keeps, as exact JSON.

Whoever writes holds the ledger's head, so that state and ledger move in the same order.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, lru_cache, partial
from itertools import chain
from typing import Any, get_args

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from tmws.domain.canonical import digest
from tmws.domain.errors import Conflict
from tmws.domain.trust import model as parts
from tmws.domain.trust.alarm import Watch
from tmws.domain.trust.evidence import Task
from tmws.domain.trust.logistic import Belief
from tmws.domain.trust.model import VERSION, Calibration, Part, Scales, roles
from tmws.domain.trust.reference import FIRST, Reference, drawn
from tmws.domain.trust.score import Mix, Point
from tmws.domain.trust.state import Model, Record, Tally
from tmws.storage.numerals import read, written
from tmws.storage.prepared import Execute, Prepared, Upsert, at_once, numbered
from tmws.storage.tables import trust_state

Key = tuple[str, str, str]
"""Names one row by kind, agent and topic, "" where the kind has none; each `Part` is one."""

_KEY = ("kind", "agent", "topic")
_MODEL, _MIX = ("model", "", ""), ("mix", "", "")
# Without the detour over keywords: each verdict makes a dozen of either.
_part: Callable[[Key], Part] = partial(tuple.__new__, Part)
_belief: Callable[[Sequence[float]], Belief] = partial(tuple.__new__, Belief)
_BELIEFS = frozenset(get_args(parts.Kind))
_OF_AN_AGENT = (*parts.PERSONAL, "record", "tally")
_OF_ALL = ("choice", "level", "type", "claim", "effort", "sharpness", "task")
_ROWS_AT_ONCE = 200
_encode = json.JSONEncoder(separators=(",", ":")).encode
_ROW = sa.select(trust_state.c.kind, trust_state.c.agent, trust_state.c.topic, trust_state.c.value)
_SHARED = Prepared(_ROW.where(trust_state.c.kind.in_((*_OF_ALL, "model"))))
_SHOWN = Prepared(
    _ROW.where(
        sa.or_(
            sa.and_(
                sa.or_(*(trust_state.c.kind == kind for kind in _OF_AN_AGENT)),
                trust_state.c.agent == sa.bindparam("of", type_=sa.String),
            ),
            *(trust_state.c.kind == key[0] for key in (_MODEL, _MIX)),
        )
    )
)


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


def load_for(run: Execute, agent: str, task: Task, *, relied_on: bool = False) -> State:
    """Return what one verdict reads and writes; the mix itself stays where it is."""
    part = roles(agent, task, relied_on=relied_on)
    named = [_MODEL, ("record", agent, ""), ("task", "", _digest(task)), *part.parts]
    if part.sharpness is not None:
        named.append(part.sharpness)
    if task.type:
        named.append(("tally", agent, task.type))
    [values] = run(_looked_up(len(named)), tuple(chain.from_iterable(named)))
    return _read({k: value for k, value in zip(named, values, strict=True) if value is not None})


async def load_tasks(connection: AsyncConnection, agent: str, tasks: Iterable[Task]) -> State:
    """Return what tells how an agent would fare on these tasks, and what shows its score."""
    tasks = list(tasks)
    asked = [roles(agent, task) for task in tasks]
    named = {part for each in asked for part in each.parts}
    named |= {each.sharpness for each in asked if each.sharpness is not None}
    shared: set[Key] = {part for part in named if part.kind not in parts.PERSONAL}
    shared |= {("task", "", _digest(task)) for task in tasks}
    wanted = sa.tuple_(trust_state.c.kind, trust_state.c.agent, trust_state.c.topic).in_(
        sorted(shared)
    )
    return await _select(connection, sa.or_(wanted, _of_agent(agent), _shown))


def shown(run: Execute, agent: str) -> State:
    """Return what shows one agent's score."""
    found = run(_SHOWN, {"of": agent})
    return _read({(kind, own, topic): value for kind, own, topic, value in found})


async def load_agent(connection: AsyncConnection, agent: str) -> State:
    """Return the same to whoever only looks."""
    return await at_once(connection, lambda run: shown(run, agent))


async def load_agents(connection: AsyncConnection) -> State:
    """Return what shows every agent's score."""
    return await _select(connection, sa.or_(trust_state.c.kind.in_(_OF_AN_AGENT), _shown))


async def load(connection: AsyncConnection) -> State:
    """Return all of it."""
    return await _select(connection, sa.true())


async def version(connection: AsyncConnection) -> str | None:
    """Return which version of the model computed what is stored, None when nothing is."""
    found = await connection.scalar(
        sa.select(trust_state.c.value).where(trust_state.c.kind == _MODEL[0])
    )
    return None if found is None else str(json.loads(found)["version"])


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
    return {(kind, agent, topic): str(value) for kind, agent, topic, value in found}


def save(run: Execute, state: State, *, moved: bool) -> None:
    """Write what changed since `load_for`; draw the mix again when that is due."""
    state.decided += moved
    due = moved and state.reference.is_due(state.decided)
    if due:
        _upsert(run, _changed(state, _of_model(state.model)))
        found = run(_SHARED, {})
        shared = _read({(kind, own, topic): value for kind, own, topic, value in found})
        state.reference = drawn(shared.model)
    rows = _of_model(state.model)
    if moved:
        rows |= {_MODEL: _head(state)}
    if due:
        rows |= {_MIX: _mix(state.reference.mix)}
    _upsert(run, _changed(state, rows))


async def replace(connection: AsyncConnection, state: State) -> None:
    """Write a whole state in place of the one there is."""
    await connection.execute(trust_state.delete())
    await at_once(connection, lambda run: _upsert(run, list(told(state).items())))


def told(state: State) -> dict[Key, str]:
    """Return the rows that hold this state."""
    rows = _of_model(state.model)
    return {**rows, _MODEL: _head(state), _MIX: _mix(state.reference.mix)}


def _of_model(model: Model) -> dict[Key, str]:
    rows: dict[Key, str] = {part: written([*belief]) for part, belief in model.beliefs.items()}
    for agent, (tally, inconclusive, ignored, watch) in model.records.items():
        told = [_tally(tally), inconclusive, ignored, [*watch]]
        rows["record", agent, ""] = written(told)
    for (_, agent, topic), tally in model.tallies.items():
        rows["tally", agent, topic] = written(_tally(tally))
    for task, count in model.census.items():
        rows["task", "", _digest(task)] = f"{_told(task)[:-1]},{count}]"
    return rows


def _head(state: State) -> str:
    model = state.model
    return (
        f'{{"version":"{VERSION}","scales":{written([*model.scales])},'
        f'"calibration":{written([*model.calibration])},'
        f'"decided":{state.decided},"drawn":{state.reference.decided}}}'
    )


def _mix(mix: Mix) -> str:
    points = [[p.type, *p.difficulty, p.weight, p.sharpness] for p in mix.points]
    return _encode({"level": mix.level, "points": points})


@lru_cache(8)
def _mix_from(told: str) -> Mix:
    """Return the mix; between two draws everybody reads the same text."""
    value = json.loads(told)
    points = [Point(type, Belief(m, v), *rest) for type, m, v, *rest in value["points"]]
    return Mix(tuple(points), Belief(*value["level"]))


def _changed(state: State, rows: dict[Key, str]) -> list[tuple[Key, str]]:
    """Return the rows that differ from what is stored, and remember them as stored."""
    changed = [(key, value) for key, value in rows.items() if state._stored.get(key) != value]
    state._stored.update(changed)
    return changed


def _upsert(run: Execute, rows: Sequence[tuple[Key, str]]) -> None:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        batch = rows[start : start + _ROWS_AT_ONCE]
        told = tuple(chain.from_iterable([(*key, value) for key, value in batch]))
        run(_stored(len(batch)), told)


@cache
def _looked_up(rows: int) -> Prepared:
    """Return how the values of so many keys are read as one row, None where there is none."""
    columns = trust_state.c
    return Prepared(
        sa.select(
            *(
                sa.select(columns.value)
                .where(*(columns[name] == sa.bindparam(numbered(name, n)) for name in _KEY))
                .scalar_subquery()
                .label(numbered("value", n))
                for n in range(rows)
            )
        )
    )


@cache
def _stored(rows: int) -> Prepared:
    return Upsert(trust_state, rows=rows)


def _of_agent(agent: str) -> sa.ColumnElement[bool]:
    return sa.and_(trust_state.c.kind.in_(_OF_AN_AGENT), trust_state.c.agent == agent)


_shown = trust_state.c.kind.in_((_MODEL[0], _MIX[0]))


async def _select(connection: AsyncConnection, condition: sa.ColumnElement[bool]) -> State:
    found = await connection.execute(sa.select(trust_state).where(condition))
    return _read({(kind, agent, topic): value for kind, agent, topic, value in found})


def _read(stored: dict[Key, str]) -> State:
    state = State(_stored=stored)
    model, drawn_from = state.model, 0
    mix = stored.get(_MIX)
    told = stored if mix is None else {key: stored[key] for key in stored if key != _MIX}
    # At once: one by one takes four times as long.
    for key, value in zip(told, read(f"[{','.join(told.values())}]"), strict=True):
        kind, agent, topic = key
        if kind in _BELIEFS:
            model.beliefs[_part(key)] = _belief(value)
        elif kind == "record":
            model.records[agent] = _record_from(value)
        elif kind == "tally":
            model.tallies[_part(("affinity", agent, topic))] = _tally_from(value)
        elif kind == "task":
            model.census[Task(*value[:4])] = value[4]
        else:
            _require_version(value["version"])
            model.scales = Scales(*value["scales"])
            model.calibration = Calibration(*value["calibration"])
            state.decided, drawn_from = value["decided"], value["drawn"]
    state.reference = Reference(FIRST.mix if mix is None else _mix_from(mix), drawn_from)
    return state


def _require_version(version: str) -> None:
    if version != VERSION:
        raise Conflict(
            f"Trust is kept here by model '{version}', this program has '{VERSION}': another "
            "version of TMWS has been at work. Start the newest one in its place."
        )


def _task(task: Task) -> list[str | float | None]:
    return [task.claim, task.type, task.effort_minutes, task.author]


@lru_cache(1024)
def _digest(task: Task) -> str:
    return digest(_task(task))


@lru_cache(1024)
def _told(task: Task) -> str:
    return _encode(_task(task))


def _tally(tally: Tally) -> list[int | float | str | None]:
    supported, refuted, last_at, *rest = tally
    return [supported, refuted, None if last_at is None else last_at.isoformat(), *rest]


def _tally_from(value: list[Any]) -> Tally:
    supported, refuted, last_at, *rest = value
    return Tally(supported, refuted, _moment_from(last_at), *rest)


def _record_from(value: list[Any]) -> Record:
    tally, inconclusive, ignored, watch = value
    return Record(_tally_from(tally), inconclusive, ignored, Watch(*watch))


def _moment_from(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
