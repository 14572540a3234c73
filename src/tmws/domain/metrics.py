"""One number in a JSON file, read as a stranger wrote it, and what a claim says about it."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any, NoReturn

from tmws.domain.cases import Case
from tmws.domain.claims import ComputedCheck, Judgement, MetricCheck, Reason
from tmws.domain.grammar import require, require_clean, validate_path
from tmws.domain.reports import ScriptReport
from tmws.domain.snapshots import Snapshot

MAX_POINTER_CHARACTERS = 300
LARGEST = 1e300
_TILDE = re.compile(r"~(?![01])")
# What may well name the number for people; a script could read it from anything else.
_PROSE = (".html", ".ipynb", ".log", ".md", ".rst")
# Numbers of so few digits stand everywhere; with a fraction, hardly in the script itself.
_FEW_DIGITS = 3
# What is left of a number that went through a binary fraction.
_SAME = Decimal("1e-15")
_NUMERAL = re.compile(rb"(?<![\w.])[0-9_]*\.?[0-9_]+(?:[eE][-+]?[0-9]{1,3})?")

OPERATORS = ("<=", ">=", "==")


class NoNumber(ValueError):
    """The file does not hold a number there; the words say what it holds."""


def validate_metric(check: MetricCheck) -> None:
    """Refuse a metric whose words break the grammar.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    python = "a .py file of the workspace"
    if check.script is not None:
        require(check.script.endswith(".py"), "script", check.script, python)
        validate_path(check.script)
    validate_path(check.file)
    require(check.file.endswith(".json"), "file", check.file, "a .json file of the workspace")
    pointer = "a JSON pointer such as /results/0/accuracy (RFC 6901)"
    require_clean("pointer", check.pointer, pointer)
    plain = check.pointer == "" or check.pointer.startswith("/")
    short = len(check.pointer) <= MAX_POINTER_CHARACTERS
    fits = plain and short and not _TILDE.search(check.pointer)
    require(fits, "pointer", check.pointer, pointer)
    validate_number(check)


def validate_number(check: MetricCheck | ComputedCheck) -> None:
    """Refuse what is claimed about a number unless it can be compared.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    require(check.operator in OPERATORS, "operator", check.operator, "one of <=, >=, ==")
    number = "a finite number of at most 1e300"
    require(abs(check.value) <= LARGEST, "value", str(check.value), number)
    for name, tolerance in (("absolute", check.absolute), ("relative", check.relative)):
        require(0 <= tolerance <= LARGEST, name, str(tolerance), "a finite tolerance of 0 or more")


def read_number(content: bytes, pointer: str) -> Decimal:
    """Return the number at the pointer, exactly as it is written.

    A key given twice, NaN, an infinity, a text or a truth value is no number.

    Raises:
        NoNumber: there is none.
    """
    try:
        found: Any = json.loads(
            content.decode(),
            object_pairs_hook=_once,
            parse_constant=_refuse,
            parse_float=Decimal,
            parse_int=Decimal,
        )
    except (ValueError, RecursionError, ArithmeticError) as error:
        raise NoNumber(f"it is not plain JSON: {str(error)[:80]}") from error
    for step in pointer.split("/")[1:]:
        found = _below(found, step.replace("~1", "/").replace("~0", "~"))
    if not isinstance(found, Decimal):
        raise NoNumber("what stands there is no number")
    # Bounded before it becomes a fraction, whose size grows with the exponent.
    if found and not -330 < found.adjusted() <= 300:
        raise NoNumber("the number there is too large or too small")
    return found


def holds(check: MetricCheck | ComputedCheck, found: Decimal) -> bool:
    """Say whether the number is as claimed, within the greater of the tolerances."""
    value, claimed = Fraction(found), Fraction(Decimal(repr(check.value)))
    relative = Fraction(Decimal(repr(check.relative))) * abs(claimed)
    slack = max(Fraction(Decimal(repr(check.absolute))), relative)
    match check.operator:
        case "<=":
            return value <= claimed + slack
        case ">=":
            return value >= claimed - slack
        case _:
            return abs(value - claimed) <= slack


def judge_metric(
    check: MetricCheck, snapshot: Snapshot, report: ScriptReport, exit_code: int
) -> Judgement:
    """Decide what the file that a run wrote, or that lay there, says about the claim."""
    case = Case({"exit_code": exit_code}, ())
    if report.status is None or report.status != exit_code:
        return case.distrusted(
            f"The run ended with status {exit_code}, its report says {report.status}."
        )
    if report.missing:
        return case.missing([report.missing])
    if exit_code != 0:
        return case.open(
            Reason.USAGE_ERROR,
            f"{check.script} ended with status {exit_code}, so its number counts for nothing.",
        )
    if report.output is None:
        wrote = "The run wrote no" if check.script else "The workspace has no"
        return case.refuted(Reason.NOTHING_CHECKED, f"{wrote} {check.file}, or too large a one.")
    try:
        found = read_number(report.output, check.pointer)
    except NoNumber as error:
        return case.refuted(
            Reason.NOTHING_CHECKED, f"{check.file} says nothing at {check.pointer!r}: {error}."
        )
    return _compared(check, Case(case.counts, tuple(_told(check, snapshot, found))), found)


def _compared(check: MetricCheck, case: Case, found: Decimal) -> Judgement:
    seen = f"{check.pointer or 'the file'} is {found:.12g}"
    if not holds(check, found):
        claimed = f"{check.operator} {check.value:.12g}"
        return case.refuted(Reason.CHECK_FAILED, f"{seen}, the claim says {claimed}.")
    if case.flags:
        return case.only_observed(seen)
    return case.supported(f"{seen}, as computed by {check.script} in this run.")


def _told(check: MetricCheck, snapshot: Snapshot, found: Decimal) -> Iterator[str]:
    """Name what makes the number the author's word rather than a result."""
    if check.script is None:
        yield f"{check.file}: was written before, not computed by this run"
        return
    digits = "".join(map(str, found.normalize().as_tuple().digits))
    common, whole = len(digits) <= _FEW_DIGITS, found == found.to_integral_value()
    if common and (whole or len(digits) == 1):
        return
    # However it is written: 0.25, .250, 2.5e-1, 25_0e-3.
    seen = re.compile(b"[._]*".join(digit.encode() for digit in digits))
    for file in snapshot.files:
        # What lay where the run writes was taken away before it began.
        if file.path == check.file or file.path.endswith(_PROSE):
            continue
        if common and file.path != check.script:
            continue
        if seen.search(file.content) and any(_numerals(file.content, seen, abs(found))):
            yield f"{file.path}: holds the very number that the run came to"


def _numerals(content: bytes, seen: re.Pattern[bytes], number: Decimal) -> Iterator[bool]:
    """Tell of each numeral that has these digits whether it is this number."""
    for numeral in _NUMERAL.findall(content):
        if seen.search(numeral):
            with contextlib.suppress(InvalidOperation):
                yield abs(Decimal(numeral.replace(b"_", b"").decode()) / number - 1) < _SAME


def _below(value: Any, step: str) -> Any:
    if isinstance(value, dict) and step in value:
        return value[step]
    if isinstance(value, list) and re.fullmatch(r"0|[1-9][0-9]{0,6}", step):
        index = int(step)
        if index < len(value):
            return value[index]
    raise NoNumber(f"there is no {step[:40]!r}")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is given twice")
    return found


def _refuse(word: str) -> NoReturn:
    raise ValueError(f"{word} is no number")
