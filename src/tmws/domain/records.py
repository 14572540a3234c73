"""The parts of a report's lines, each read as a stranger's and refused when it is another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from tmws.domain.canonical import Json

MAX_TEXT = 4096
LONGEST_NANOSECONDS = 10**13

Record = Mapping[str, Json]


class ReportInvalid(Exception):
    """The bytes are not a report that one of our runners writes."""


def of(records: list[Record], kind: str) -> list[Record]:
    """Return the lines of this kind."""
    return [record for record in records if record.get("kind") == kind]


def only(records: list[Record], kind: str) -> Record | None:
    """Return the line of this kind, None if there is none."""
    found = of(records, kind)
    if len(found) > 1:
        raise ReportInvalid(f"there is more than one {kind!r} line")
    return found[0] if found else None


def finished(records: list[Record]) -> Record:
    """Return the last line, empty if the run never came to its end."""
    last = only(records, "finished")
    if last is not None and last is not records[-1]:
        raise ReportInvalid("something was reported after the end")
    return last or {}


def status(last: Record) -> int | None:
    """Return the exit status that the last line names."""
    return whole(last, "status") if last else None


def text(record: Record, name: str) -> str:
    """Return a text of bounded length."""
    value = record.get(name)
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise ReportInvalid(f"{name!r} is not a text of at most {MAX_TEXT} characters")
    return plain(value)


def optional_text(record: Record, name: str) -> str | None:
    """Return a text of bounded length, None if there is none."""
    return None if record.get(name) is None else text(record, name)


def texts(record: Record, name: str) -> tuple[str, ...]:
    """Return a list of texts."""
    values = record.get(name, [])
    if not isinstance(values, list) or not all(
        isinstance(value, str) and len(value) <= MAX_TEXT for value in values
    ):
        raise ReportInvalid(f"{name!r} is not a list of texts")
    return tuple(plain(value) for value in cast("list[str]", values))


def plain(words: str) -> str:
    """Return the text with a `?` for what could not be stored or would not show."""
    return "".join(character if character.isprintable() else "?" for character in words)


def whole(record: Record, name: str, *, default: int | None = None) -> int:
    """Return a whole number that is not negative."""
    value = record.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ReportInvalid(f"{name!r} is not a whole number")
    return value


def indices(record: Record, name: str, count: int) -> tuple[int, ...]:
    """Return the numbers of collected tests, none of them twice."""
    values = record.get(name, [])
    if (
        not isinstance(values, list)
        or not all(type(value) is int and 0 <= value < count for value in values)
        or len(set(values)) != len(values)
    ):
        raise ReportInvalid(f"{name!r} does not number collected tests")
    return tuple(cast("list[int]", values))


def seconds(record: Record, name: str) -> tuple[float, ...]:
    """Return times that were told in nanoseconds."""
    values = record.get(name, [])
    if not isinstance(values, list) or not all(
        type(value) is int and 0 <= value < LONGEST_NANOSECONDS for value in values
    ):
        raise ReportInvalid(f"{name!r} is not a list of times")
    return tuple(value / 1e9 for value in cast("list[int]", values))
