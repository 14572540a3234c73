"""Reading a CSV file of anybody's: names of columns, then rows that know their place."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tmws.domain.errors import InvalidInput

LARGEST_BYTES = 256 * 1024 * 1024
"""Of a file once it is unpacked."""

_GZIP = b"\x1f\x8b"
_LONGEST_CELL = 1_000_000
_SEPARATORS = ",;\t"


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
    """A file with a header and the rows below it."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(path: Path) -> Table:
    """Return a CSV file, gzipped or not; separated by comma, semicolon or tab.

    Rows without any content are left out.

    Raises:
        InvalidInput: the file is absent, too large, or no such table.
    """
    text = _text(path)
    separator = max(_SEPARATORS, key=text.partition("\n")[0].count)
    csv.field_size_limit(_LONGEST_CELL)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        columns = tuple(name.strip() for name in next(reader, []))
        _require_names(path, columns)
        rows = [_row(f"{path.name}, line {reader.line_num}", columns, cells) for cells in reader]
    except csv.Error as error:
        raise InvalidInput(
            f"{path.name}, line {reader.line_num}, is no CSV: {error}. Write the file again "
            "as plain CSV in UTF-8."
        ) from error
    return Table(path.name, columns, tuple(row for row in rows if any(row.cells.values())))


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
    known = [name.lower() for name in columns]
    twice = sorted({name for name in known if known.count(name) > 1})
    if twice:
        raise InvalidInput(
            f"{path.name} has more than one column '{twice[0][:40]}'. Give each its own name."
        )


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if data.startswith(_GZIP):
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(
            f"{path.name} cannot be read: {reason}. Give a CSV file, plain or gzipped."
        ) from error
    if len(data) > LARGEST_BYTES:
        raise InvalidInput(
            f"{path.name} is larger than {LARGEST_BYTES >> 20} MiB unpacked. Give a part of it."
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path.name} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}. "
            "Save it as CSV in UTF-8."
        ) from error
