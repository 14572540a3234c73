"""How the code under test answered, one process for each question."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_ANSWER_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Answer:
    """How one question was answered, seen by the process that asked.

    Attributes:
        status: exit status, None when the process was ended by somebody.
        cut: it said more than is kept.
    """

    status: int | None
    timed_out: bool
    cut: bool
    stdout: bytes


@dataclass(frozen=True, slots=True)
class AnswersReport:
    """The answers in the order of the questions."""

    answers: tuple[Answer, ...]
    status: int | None


def read_answer(record: Mapping[str, Any]) -> Answer:
    """Return the answer that a line of a report tells.

    Raises:
        ValueError: it tells none.
    """
    said, status = record.get("stdout"), record.get("status")
    if not isinstance(said, str) or len(said) > 2 * MAX_ANSWER_BYTES:
        raise ValueError("an answer is no text, or too long")
    if status is not None and (type(status) is not int or status < 0):
        raise ValueError("the status of an answer is not a whole number")
    return Answer(
        status,
        timed_out=record.get("timed_out") is True,
        cut=record.get("cut") is True,
        stdout=base64.b64decode(said, validate=True),
    )
