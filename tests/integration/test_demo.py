"""The story that a newcomer sees first, told to its end."""

from __future__ import annotations

from pathlib import Path

from tests.integration.command import tmws

VERDICTS = ["REFUTED", "SUPPORTED", "REFUTED", "REFUTED", "INCONCLUSIVE"]


def test_the_demo_tells_the_whole_story(tmp_path: Path) -> None:
    told = tmws("demo", data=tmp_path / "unused")
    assert told.status == 0, told.output + told.errors
    seen = [
        line.split("verdict ")[1].split(" ")[0]
        for line in told.output.splitlines()
        if "verdict " in line and "(" in line
    ]
    assert seen == VERDICTS
    assert "signed checkpoint agrees" in told.output
    assert "claude mcp add tmws -- " in told.output
    assert not (tmp_path / "unused").exists()
