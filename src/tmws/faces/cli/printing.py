"""The same answer for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tmws.domain.wording import shown


class Printer:
    """Prints tables and sentences, or one JSON document when that was asked for."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self._console = Console(highlight=False)

    def rows(
        self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], *, empty: str
    ) -> None:
        """Print a list of things; `empty` says how to get the first one."""
        if self.as_json:
            _dump(list(rows))
            return
        if not rows:
            self._console.print(Text(empty))
            return
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in columns:
            # An id is copied into the next command, so no line breaks it.
            whole = column == "id" or column.endswith("_id")
            table.add_column(column.replace("_", " "), overflow="fold", no_wrap=whole)
        for row in rows:
            table.add_row(*(Text(_told(row[column])) for column in columns))
        self._console.print(table)

    def record(self, record: Mapping[str, Any]) -> None:
        """Print one thing, a field a line."""
        if self.as_json:
            _dump(record)
            return
        width = max(len(name) for name in record)
        for name, value in record.items():
            field = name if " " in name else name.replace("_", " ")  # else it holds a name
            label = Text(shown(f"{field:<{width}}  "), style="bold")
            self._console.print(label.append(_told(value), style="not bold"))

    def say(self, sentence: str) -> None:
        """Print a sentence for people; programs do not need it."""
        if not self.as_json:
            self._console.print(Text(shown(sentence)))


def _dump(value: Any) -> None:
    text = json.dumps(value, default=_plain, ensure_ascii=False)
    # Half a character, from a file that is no text, is written by its code, as JSON may.
    sys.stdout.write(text.encode("utf-8", "backslashreplace").decode() + "\n")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _told(value: Any) -> str:
    """Return a value for a terminal, which nothing in it can steer."""
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.3g}"
        case datetime():
            return value.strftime("%Y-%m-%d %H:%M:%S")
        case list() | tuple():
            return shown(", ".join(map(str, value))) or "-"
        case _:
            return shown(str(value))
