"""Answers held against what they should have been."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from tmws.domain.answers import Answer, AnswersReport
from tmws.domain.cases import MAX_ITEMS, Case, number
from tmws.domain.claims import Judgement, Level, Reason, Verdict
from tmws.domain.execution import ExecutionResult
from tmws.domain.held import Held, Question
from tmws.domain.judging import read_report

_NOT_JSON = object()


def judge_answers(held: Held, order: Sequence[int], result: ExecutionResult) -> Judgement:
    """Compare the answers, which came in this order, with what they should have been.

    The judgement tells which cases came out differently, never what was expected.
    """
    case = Case({"cases": len(order)}, ())
    report = read_report(case, result)
    if isinstance(report, Judgement):
        return report
    if not isinstance(report, AnswersReport):
        return case.distrusted("The report comes from another tool than the one that was started.")
    if report.status != 0 or result.exit_code != 0 or len(report.answers) != len(order):
        return case.distrusted("Not every question was answered.")
    answered = dict(zip(order, report.answers, strict=True))
    wrong = [place for place in sorted(order) if not _is_right(held, place, answered[place])]
    missing = {name for place in wrong if (name := _missing(answered[place]))}
    counts = {"cases": len(order), "matched": len(order) - len(wrong)}
    if wrong and all(_missing(answered[place]) for place in wrong):
        return Case(counts, ()).missing(sorted(missing))
    if wrong:
        return Judgement(
            Verdict.REFUTED,
            Reason.CHECK_FAILED,
            Level.INDEPENDENT,
            f"{len(wrong)} of {number(len(order), 'held case')} came out differently.",
            counts,
            tuple(f"case {place + 1}" for place in wrong)[:MAX_ITEMS],
        )
    return Judgement(
        Verdict.SUPPORTED,
        Reason.CHECK_PASSED,
        Level.INDEPENDENT,
        f"{number(len(order), 'held case')} came out as expected, asked from another process.",
        counts,
    )


def same(expected: Any, got: Any, *, relative: float, absolute: float) -> bool:
    """Tell whether two JSON values are equal, numbers with a fraction within a tolerance."""
    match expected, got:
        case (bool(), _) | (_, bool()):
            equal = expected is got
        case (int() | float(), int() | float()):
            equal = _is_close(expected, got, relative=relative, absolute=absolute)
        case (list(), list()):
            equal = len(expected) == len(got) and all(
                same(one, other, relative=relative, absolute=absolute)
                for one, other in zip(expected, got, strict=True)
            )
        case (dict(), dict()):
            equal = expected.keys() == got.keys() and all(
                same(value, got[key], relative=relative, absolute=absolute)
                for key, value in expected.items()
            )
        case _:
            equal = type(expected) is type(got) and expected == got
    return equal


def _is_close(expected: float, got: float, *, relative: float, absolute: float) -> bool:
    if isinstance(expected, int) and isinstance(got, int):
        return expected == got
    try:
        return math.isclose(expected, got, rel_tol=relative, abs_tol=absolute)
    except OverflowError:  # a whole number beyond any with a fraction
        return False


def _is_right(held: Held, place: int, answer: Answer) -> bool:
    if answer.timed_out or answer.cut or answer.status is None:
        return False
    question = held.questions[place]
    by = _is_right_call if "call" in question.asked else _is_right_run
    return by(held, question, answer)


def _is_right_call(held: Held, question: Question, answer: Answer) -> bool:
    told = _json_of(answer.stdout)
    if answer.status != 0 or not isinstance(told, dict):
        return False
    if "raises" in question.expected:
        return told == {"raised": question.expected["raises"]}
    return told.keys() == {"returned"} and same(
        question.expected["returns"],
        told["returned"],
        relative=held.relative,
        absolute=held.absolute,
    )


def _is_right_run(held: Held, question: Question, answer: Answer) -> bool:
    expected = question.expected
    if answer.status != expected["exit"]:
        return False
    if "json" in expected:
        told = _json_of(answer.stdout)
        return told is not _NOT_JSON and same(
            expected["json"], told, relative=held.relative, absolute=held.absolute
        )
    return "stdout" not in expected or answer.stdout == str(expected["stdout"]).encode()


def _missing(answer: Answer) -> str | None:
    told = _json_of(answer.stdout)
    name = told.get("missing") if isinstance(told, dict) else None
    # Shown to whoever claimed: a module's name, not what somebody would like to say there.
    return name[:100] if isinstance(name, str) and name.isidentifier() else None


def _json_of(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError):
        return _NOT_JSON


def _no_number(_text: str) -> Any:
    raise ValueError  # NaN and infinity equal nothing
