"""Tables for people: what is copied out of them stands in one piece."""

from __future__ import annotations

import pytest

from tmws.faces.cli.printing import Printer


@pytest.mark.parametrize("column", ["id", "claim_id"])
def test_no_line_breaks_an_id_that_the_next_command_needs(
    column: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    told = "claim_01kkbh81v09rpvscy217kqz9dj"
    row = {column: told, "information": 0.0888, "probability": 0.309}
    statement = "the script of the shop ends well, whatever it is asked for"
    Printer(as_json=False).rows(
        (*row, "statement"), [{**row, "statement": statement}], empty="none"
    )
    shown = capsys.readouterr().out
    assert told in shown
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert all(word in shown for word in statement.split())  # these may go on in the next line
