"""Reading a CSV file of anybody's: names of columns, then rows that know their place."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmws.domain.errors import InvalidInput
from tmws.evaluation.files import data_of

_LONGEST_CELL = 1_000_000
_LONGEST_LINE = 32 * 1024 * 1024
_SEPARATORS = b",;\t"


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes:
        place: where it stands, for messages: file and line.
        cells: by name of the column as the file writes it, blanks at either end gone.
    """

    place: str
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Table:
    """A file with a header and the rows below it.

    Attributes:
        rows: read one by one, once; those without any content are left out. A fault in a
            row is told when it is reached.
    """

    name: str
    columns: tuple[str, ...]
    rows: Iterator[Row]


def read_table(path: Path) -> Table:
    """Return a CSV file, gzipped or not; separated by comma, semicolon or tab.

    Raises:
        InvalidInput: the file is absent, too large, or no such table.
    """
    records = _records(path, data_of(path, form="CSV"))
    columns = tuple(name.strip() for name in next(records, ("", []))[1])
    _require_names(path, columns)
    rows = (_row(place, columns, cells) for place, cells in records)
    return Table(path.name, columns, (row for row in rows if any(row.cells.values())))


def _lines(path: Path, data: bytes) -> Iterator[str]:
    """Yield line by line, so that small rows in great number never lie in memory together."""
    for number, line in enumerate(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), 1):
        if len(line) > _LONGEST_LINE:
            raise InvalidInput(
                f"{path.name}, line {number}, is longer than {_LONGEST_LINE >> 20} MiB. Give a "
                "row per outcome instead of one column per claim."
            )
        yield line


def _records(path: Path, data: bytes) -> Iterator[tuple[str, list[str]]]:
    """Yield each record with where it ends; blank lines are none."""
    separator = max(_SEPARATORS, key=data.partition(b"\n")[0].count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(_lines(path, data), delimiter=chr(separator), strict=True)
    try:
        for cells in reader:
            if cells:
                yield f"{path.name}, line {reader.line_num}", cells
    except csv.Error as error:
        raise InvalidInput(
            f"{path.name}, line {reader.line_num}, is no CSV: {error}. Write the file again "
            "as plain CSV in UTF-8."
        ) from error


def _row(place: str, columns: Sequence[str], cells: Sequence[str]) -> Row:
    given = [cell.strip() for cell in cells]
    if any(given[len(columns) :]):
        raise InvalidInput(
            f"{place}, has {len(given)} cells, the header {len(columns)}. Quote cells "
            'that hold the separator: "a, b".'
        )
    given += [""] * (len(columns) - len(given))
    return Row(place, dict(zip(columns, given, strict=False)))


def _require_names(path: Path, columns: Sequence[str]) -> None:
    known = Counter(name.lower() for name in columns)
    twice = sorted(name for name, count in known.items() if count > 1)
    if twice:
        raise InvalidInput(
            f"{path.name} has more than one column '{twice[0][:40]}'. Give each its own name."
        )
