"""Questions that an administrator keeps, asked of the code from another process.

The code under test gets a question on its standard input, in a process of its own, and
answers in JSON or in text. What the answer should have been never enters the sandbox:
it is compared here. So nothing that the tested process does or prints is a verdict.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tmws.domain.answers import MAX_ANSWER_BYTES
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import ExecutionRequest
from tmws.domain.grammar import WORKSPACE, shown, validate_path
from tmws.domain.snapshots import SnapshotFile

MEDIA_TYPE = "application/vnd.tmws.held-check+json"
MOST_CASES = 1000
MOST_BYTES = 4 * 1024 * 1024
LONGEST_SECONDS = 60.0
DEFAULT_SECONDS = 5.0
DEFAULT_RELATIVE = 1e-9
DEEPEST = 50

_CALL = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
_TOP = frozenset({"call", "script", "seconds", "tolerance", "cases"})
_CALLED = frozenset({"call", "arguments", "keywords", "returns", "raises"})
_RUN = frozenset({"script", "words", "stdin", "stdout", "json", "exit"})


@dataclass(frozen=True, slots=True)
class Question:
    """One case: what is asked, and what the answer has to be.

    Attributes:
        asked: goes into the sandbox.
        expected: stays outside: `returns` or `raises` of a call; `exit`, and `stdout` or
            `json`, of a script.
    """

    asked: Mapping[str, Json]
    expected: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Held:
    """A held check as it was registered.

    Attributes:
        digest: SHA-256 (hex) of its document, which holds a salt: nobody can guess the
            answers by the digest.
        seconds: that each answer may take.
        relative, absolute: how far a number with a fraction may be off.
    """

    name: str
    workspace: str
    digest: str
    seconds: float
    relative: float
    absolute: float
    questions: tuple[Question, ...]


def document(text: bytes, *, salt: str) -> bytes:
    """Return what is stored of a file of cases.

    Raises:
        InvalidInput: the file is no such file, naming the part and the allowed form.
    """
    told = _parsed(text)
    read(told)
    return canonical_bytes({"v": 1, "salt": salt, "check": told})


def opened(name: str, workspace: str, digest: str, stored: bytes) -> Held:
    """Return the held check that `document` stored."""
    fields = read(json.loads(stored)["check"])
    return dataclasses.replace(fields, name=name, workspace=workspace, digest=digest)


def read(told: Any) -> Held:
    """Return the check that a file tells, still without a name.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    _require_keys(told, _TOP, "the file")
    cases = told.get("cases")
    if not isinstance(cases, list) or not 1 <= len(cases) <= MOST_CASES:
        raise _refused("cases", f"a list of 1 to {MOST_CASES} cases")
    tolerance = told.get("tolerance", {})
    _require_keys(tolerance, {"relative", "absolute"}, "tolerance")
    seconds = _number(told, "seconds", DEFAULT_SECONDS, LONGEST_SECONDS)
    if seconds <= 0:
        raise _refused("seconds", "more than 0")
    return Held(
        name="",
        workspace="",
        digest="",
        seconds=seconds,
        relative=_number(tolerance, "relative", DEFAULT_RELATIVE, 1.0),
        absolute=_number(tolerance, "absolute", 0.0, 1e300),
        questions=tuple(
            _question(case, told, f"case {place}") for place, case in enumerate(cases, start=1)
        ),
    )


def asking(
    held: Held, request: ExecutionRequest, *, order: Sequence[int], token: str
) -> ExecutionRequest:
    """Return the run that asks the questions in this order.

    Args:
        token: names the file of questions, which is gone before any code of theirs runs.
    """
    path = f".questions-{token}.json"
    asked: Json = {
        "seconds": held.seconds,
        "questions": [dict(held.questions[place].asked) for place in order],
    }
    file = SnapshotFile.of(path, canonical_bytes(asked))
    return dataclasses.replace(
        request, argv=(*request.argv, f"{WORKSPACE}/{path}"), files=(*request.files, file)
    )


def _no_number(_text: str) -> Any:
    raise ValueError  # NaN and infinity are no JSON


def _parsed(text: bytes) -> Any:
    if len(text) > MOST_BYTES:
        raise _refused("the file", f"at most {MOST_BYTES} bytes")
    try:
        return json.loads(text.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise _refused("the file", 'JSON such as {"call": "app:add", "cases": [...]}') from error


def _question(case: Any, told: Mapping[str, Any], where: str) -> Question:
    if not isinstance(case, dict):
        raise _refused(where, "an object")
    kinds = [kind for kind in ("call", "script") if kind in case] or [
        kind for kind in ("call", "script") if kind in told
    ]
    if len(kinds) != 1:
        raise _refused(where, "one of call (`module:function`) and script (a path)")
    _require_depth(case, where)
    entry = case.get(kinds[0], told.get(kinds[0]))
    return (_called if kinds[0] == "call" else _run)(case, entry, where)


def _called(case: dict[str, Any], entry: Any, where: str) -> Question:
    _require_keys(case, _CALLED, where)
    if not isinstance(entry, str) or not _CALL.fullmatch(entry):
        raise _refused(f"{where}: call", "module:function, such as shop.prices:total")
    if ("returns" in case) == ("raises" in case):
        raise _refused(where, "either returns (a JSON value) or raises (a name of an exception)")
    if "raises" in case and not isinstance(case["raises"], str):
        raise _refused(f"{where}: raises", "the name of an exception's class")
    arguments, keywords = case.get("arguments", []), case.get("keywords", {})
    if not isinstance(arguments, list) or not isinstance(keywords, dict):
        raise _refused(where, "arguments as a list and keywords as an object")
    expected: dict[str, Json] = {
        key: value for key, value in case.items() if key in {"returns", "raises"}
    }
    _require_short(expected.get("returns"), where)
    return Question({"call": entry, "arguments": arguments, "keywords": keywords}, expected)


def _run(case: dict[str, Any], entry: Any, where: str) -> Question:
    _require_keys(case, _RUN, where)
    if not isinstance(entry, str) or not entry.endswith(".py"):
        raise _refused(f"{where}: script", "a .py file of the workspace")
    validate_path(entry)
    words, stdin, status = case.get("words", []), case.get("stdin", ""), case.get("exit", 0)
    if not isinstance(words, list) or not all(
        isinstance(word, str) and "\0" not in word for word in words
    ):
        raise _refused(f"{where}: words", "a list of texts")
    if not isinstance(stdin, str):
        raise _refused(f"{where}: stdin", "a text")
    if isinstance(status, bool) or not isinstance(status, int) or not 0 <= status <= 125:
        raise _refused(f"{where}: exit", "a whole number from 0 to 125")
    if "stdout" in case and ("json" in case or not isinstance(case["stdout"], str)):
        raise _refused(where, "stdout as a text, or json as a value, or neither")
    expected: dict[str, Json] = {
        key: value for key, value in case.items() if key in {"stdout", "json"}
    }
    if not expected and "exit" not in case:
        raise _refused(where, "what is expected: stdout, json or exit")
    _require_short(expected.get("json", expected.get("stdout")), where)
    return Question(
        {"script": f"{WORKSPACE}/{entry}", "words": words, "stdin": stdin},
        {**expected, "exit": status},
    )


def _require_short(expected: Any, where: str) -> None:
    if len(json.dumps(expected)) > MAX_ANSWER_BYTES // 2:
        raise _refused(where, f"an expected answer of at most {MAX_ANSWER_BYTES // 2} bytes")


def _require_depth(value: Any, where: str, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise _refused(where, f"values nested {DEEPEST} deep at most")
    for part in value.values() if isinstance(value, dict) else value:
        if isinstance(part, dict | list):
            _require_depth(part, where, depth + 1)


def _require_keys(value: Any, known: Iterable[str], where: str) -> None:
    if not isinstance(value, dict):
        raise _refused(where, "an object")
    unknown = sorted(set(value) - set(known))
    if unknown:
        raise _refused(f"{where}: {shown(unknown[0])}", f"only {', '.join(sorted(known))}")


def _number(fields: Mapping[str, Any], name: str, default: float, most: float) -> float:
    value = fields.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= most:
        raise _refused(name, f"a number from 0 to {most:g}")
    return float(value)


def _refused(what: str, form: str) -> InvalidInput:
    return InvalidInput(f"{what} of a held check is refused. Give {form}.")
