"""What a verdict reads and writes: found by keys, in the fewest B-trees, as exact JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from tests.integration.services import Installation
from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import Evidence, Task
from tmws.domain.trust.model import Calibration
from tmws.domain.trust.state import Model
from tmws.storage import evidence, trust
from tmws.storage.prepared import Execute, Prepared, Values, at_once
from tmws.testing.clock import START

_IDS = st.text(min_size=1, max_size=20)
_MINUTES = st.none() | st.floats(0.01, 40_000.0)
_TASKS = st.builds(Task, st.none() | _IDS, _IDS, _MINUTES, st.none() | _IDS)


async def test_what_a_verdict_asks_of_trust_is_found_by_keys(
    sqlite_url: str, tmp_path: Path
) -> None:
    """However many verdicts there are on its task: none is sorted, and no table is walked."""
    asked: list[Prepared] = []

    def ask(run: Execute) -> None:
        def noted(prepared: Prepared, values: Values) -> Sequence[Any]:
            asked.append(prepared)
            return run(prepared, values)

        evidence.met(noted, "task", "agent")
        evidence.owner_for(noted, "agent")
        evidence.weights(noted, "agent", "type", since=START, until=START)
        trust.shown(noted, "agent")
        trust.load_for(noted, "agent", Task("task"))

    place = Installation(sqlite_url, tmp_path)
    plans = []
    async with place.open(), place.database() as database, database.read() as connection:
        await at_once(connection, ask)
        for each in asked:
            explained = f"EXPLAIN QUERY PLAN {each.on_sqlite}"
            rows = await connection.exec_driver_sql(explained, (None,) * len(each.order))
            plans += [row.detail for row in rows if row.detail != "SCAN CONSTANT ROW"]
    assert any("ix_evidence_task_ledger_index" in plan for plan in plans)
    assert not [plan for plan in plans if "SCAN" in plan or "TEMP B-TREE" in plan]


async def test_ledger_and_trust_are_kept_in_the_b_trees_of_their_keys(
    sqlite_url: str, tmp_path: Path
) -> None:
    place = Installation(sqlite_url, tmp_path)
    async with place.open(), place.database() as database, database.read() as connection:
        found = await connection.scalars(
            sa.text(
                "SELECT name FROM sqlite_master WHERE type = 'index' AND tbl_name IN "
                "('ledger_entries', 'ledger_payloads', 'ledger_head', 'trust_state')"
            )
        )
        assert list(found) == []
        # Of evidence: by whom and when, by task, by claim; by ledger index it lies itself.
        keys = sa.text("SELECT count(*) FROM pragma_index_list('evidence')")
        assert await connection.scalar(keys) == 3


@given(st.lists(st.tuples(_TASKS, st.sampled_from(Verdict), _IDS), max_size=8), st.floats(0.5, 2.0))
def test_numbers_of_trust_are_written_as_the_encoder_of_json_does(
    told: list[tuple[Task, Verdict, str]], slope: float
) -> None:
    model, steps = Model(calibration=Calibration(slope)), []
    for day, (task, verdict, agent) in enumerate(told):
        seen = Evidence(str(day), agent, START + timedelta(days=day), verdict, task)
        if step := model.record(seen):
            steps.append(evidence.Entry(seen, agent, day, step))
    for value in trust.told(trust.State(model)).values():
        assert json.dumps(json.loads(value), separators=(",", ":")) == value
    for entry in steps:
        value = evidence.told(entry)["step"]
        assert json.dumps(json.loads(value)) == value
