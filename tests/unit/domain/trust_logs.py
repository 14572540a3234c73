"""Logs of evidence, small ones by hand and any by hypothesis."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from tmws.domain.claims import Verdict
from tmws.domain.trust.evidence import ANY_TASK, Evidence, Task

DAY = datetime(2026, 1, 1, tzinfo=UTC)

tasks = st.builds(
    Task,
    claim=st.none() | st.sampled_from(["c1", "c2", "c3"]),
    type=st.sampled_from(["", "pytest", "ruff"]),
    effort_minutes=st.none() | st.floats(0.1, 10_000),
    author=st.none() | st.sampled_from(["ann", "bob"]),
)
verdicts = st.sampled_from(list(Verdict))


@st.composite
def logs(draw: st.DrawFn) -> list[Evidence]:
    rows = draw(
        st.lists(
            st.tuples(
                st.sampled_from(["ann", "bob", "cy"]),
                st.floats(0, 30),
                verdicts,
                tasks,
                st.sampled_from([0.0, 0.5, 1.0]),
                st.booleans(),
            ),
            max_size=25,
        )
    )
    return [
        Evidence(f"e{n:03}", agent, DAY + timedelta(days=day), verdict, task, relied_on, weight)
        for n, (agent, day, verdict, task, weight, relied_on) in enumerate(rows)
    ]


def supported(id: str, agent: str = "ann", task: Task = ANY_TASK, day: float = 0.0) -> Evidence:
    return Evidence(id, agent, DAY + timedelta(days=day), Verdict.SUPPORTED, task)


def refuted(id: str, agent: str = "ann", task: Task = ANY_TASK, day: float = 0.0) -> Evidence:
    return replace(supported(id, agent, task, day), verdict=Verdict.REFUTED)
