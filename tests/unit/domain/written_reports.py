"""Reports as the runners write them, for tests of what reads them."""

from __future__ import annotations

import json
from typing import Any

from tmws.domain.execution import ExecutionResult, Outcome
from tmws.domain.reports import seal_of

KEY = bytes(range(32))

Line = tuple[str, dict[str, Any]]


def written(tool: str, *lines: Line) -> bytes:
    """Return the report of `tool` with these lines, sealed."""
    started = json.dumps({"kind": "started", "tool": tool, "key": KEY.hex()}).encode()
    out = [b"- " + started]
    for number, (kind, fields) in enumerate(lines, start=1):
        body = json.dumps({"kind": kind, **fields}).encode()
        out.append(seal_of(KEY, number, body) + b" " + body)
    return b"\n".join(out) + b"\n"


def pytest_lines(
    outcomes: dict[str, str], *, status: int | None = 0, canary: str = "failed", **finished: Any
) -> list[Line]:
    """Return the lines of a run in which these tests came to these outcomes."""
    ids = list(outcomes)
    modules = sorted({node_id.partition("::")[0] for node_id in ids})
    return [
        *(("module", {"path": path, "outcome": "passed"}) for path in modules),
        ("collected", {"ids": ids}),
        ("selected", {"indices": list(range(len(ids))), "deselected": 0, "unruly": []}),
        *(
            ("test", {"index": index, "outcome": outcome})
            for index, outcome in enumerate(outcomes.values())
            if outcome != "unfinished"
        ),
        *(("canary", {"path": path, "outcome": canary}) for path in modules),
        *([] if status is None else [("finished", {"status": status, **finished})]),
    ]


def ran(
    report: bytes | None = None,
    *,
    exit_code: int | None = 0,
    outcome: Outcome = Outcome.EXITED,
    signal: int | None = None,
) -> ExecutionResult:
    """Return what a sandbox says about a run that ended so."""
    return ExecutionResult(
        outcome=outcome,
        exit_code=exit_code,
        signal=signal,
        wall_seconds=0.2,
        cpu_seconds=0.1,
        peak_memory_bytes=40 * 2**20,
        stdout=b"9 passed",
        stderr=b"",
        stdout_bytes=8,
        stderr_bytes=0,
        report=report,
        image_digest="sha256:" + "0" * 64,
    )
