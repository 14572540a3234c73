"""Reads corpora, questions and past uses from JSON, plain or gzipped.

A corpus is one object of text by id, or stands as `docs` in an object of more. Questions are
a list of records, or stand as `queries` there: `q`, an optional `context` that stands before
it, and the ids that answer it as `rel` or, where one counts, `primary`; an empty `rel` says that
nothing does. Past uses are records of the same kind, oldest first.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, Field, TypeAdapter, ValidationError

from tmws.domain.errors import InvalidInput
from tmws.evaluation.files import data_of
from tmws.evaluation.search import Question

_EARLIER = 0.6

_Id = Annotated[str, Field(min_length=1)]


def _several(value: object) -> object:
    return (value,) if isinstance(value, str) else value


class _Record(BaseModel):
    q: str
    context: str = ""
    primary: _Id | None = None
    rel: Annotated[tuple[_Id, ...], BeforeValidator(_several)]

    def question(self) -> Question:
        text = f"{self.context} {self.q}".strip()
        return Question(text, (self.primary,) if self.primary else self.rel)


@dataclass(frozen=True, slots=True)
class Material:
    """What `evaluate` needs."""

    corpus: dict[str, str]
    questions: tuple[Question, ...]
    uses: tuple[Question, ...]


_TEXTS = TypeAdapter(dict[_Id, str])
_RECORDS = TypeAdapter(list[_Record])


def read(corpus: Path, questions: Path, uses: Path | None = None) -> Material:
    """Return the material of an evaluation.

    A corpus that is a list of records stands for its own past uses: its items have
    no text and are found by what they served before. Where the past uses are the file
    of the questions too, its first 60 % are the past and the rest is asked.

    Raises:
        InvalidInput: a file is missing or has another form.
    """
    described = _part(_json(corpus), "docs")
    if isinstance(described, list):
        uses = corpus
    asked = _records(questions)
    past = [] if uses is None else _records(uses)
    if uses is not None and uses.resolve() == questions.resolve():
        cut = int(len(asked) * _EARLIER)
        past, asked = asked[:cut], asked[cut:]
    past = [use for use in past if use.relevant]
    texts = (
        dict.fromkeys((key for use in past for key in use.relevant), "")
        if isinstance(described, list)
        else _texts(described, corpus)
    )
    return Material(texts, tuple(asked), tuple(past))


def _texts(value: object, path: Path) -> dict[str, str]:
    try:
        return _TEXTS.validate_python(value)
    except ValidationError as error:
        raise InvalidInput(f"{path.name} is no corpus: one object of text by id.") from error


def _records(path: Path) -> list[Question]:
    try:
        return [
            record.question() for record in _RECORDS.validate_python(_part(_json(path), "queries"))
        ]
    except ValidationError as error:
        problem = error.errors()[0]
        place = ".".join(str(part) for part in problem["loc"])
        raise InvalidInput(
            f"{path.name} is no list of records with 'q' and 'rel': {place}: {problem['msg']}."
        ) from error


def _part(value: object, name: str) -> object:
    """Return the part of this name where an object has one that holds more than a text."""
    part = value.get(name) if isinstance(value, dict) else None
    return part if isinstance(part, dict | list) else value


def _json(path: Path) -> object:
    data = data_of(path, form="JSON")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path.name} is not readable JSON: {error}.") from error
