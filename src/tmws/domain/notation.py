"""Command lines as notation for a check; none is ever executed as text."""

from __future__ import annotations

import math
import re
import shlex
from dataclasses import replace

from tmws.domain.added_profiles import NONE_ADDED, AddedProfiles
from tmws.domain.claims import (
    Check,
    ComputedCheck,
    CoverageCheck,
    HeldCheck,
    MypyCheck,
    NodeTestCheck,
    NpmTestCheck,
    PytestCheck,
    PythonCheck,
    RuffCheck,
)
from tmws.domain.commands import PROFILES, validate
from tmws.domain.grammar import MAX_ARGUMENT_BYTES, refused, require, require_clean

FORMS = "; ".join(each.form.split(" [")[0] for each in PROFILES if each.form)
_LONGEST_FORMS = 190
_PERCENT = re.compile(r"[0-9]{1,3}(\.[0-9]{1,2})?")
_NUMBER = re.compile(r"[-+]?[0-9]{1,60}(\.[0-9]{1,60})?([eE][-+]?[0-9]{1,3})?")


def parse(text: str, added: AddedProfiles = NONE_ADDED) -> Check:
    """Read a command line as notation for a check; it is never executed as text.

    Args:
        added: the installation's own profiles, beside the built-in ones.

    Raises:
        InvalidInput: with the allowed forms.
    """
    require_clean("command", text, "one line of printable NFC text")
    require(len(text.encode()) <= MAX_ARGUMENT_BYTES, "command", text, "at most 4096 bytes")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise refused("command", text, f"{FORMS} (with closed quotes)") from error
    if words and (profile := added.find(words[0])) is not None:
        noted = profile.read(words[1:])
        profile.validate(noted)
        return noted
    check = _read(words, text, _forms(added))
    validate(check)
    return check


def _forms(added: AddedProfiles) -> str:
    names = "; ".join((FORMS, *added.names))
    return names if len(names) <= _LONGEST_FORMS else f"{names[:_LONGEST_FORMS]}..."


def _read(words: list[str], text: str, forms: str) -> Check:
    match words:
        case ["pytest", *rest]:
            return _read_pytest(rest, text)
        case ["ruff", "check", *targets]:
            return RuffCheck(_targets(targets, "ruff", text))
        case ["mypy", *rest]:
            targets = [word for word in rest if word != "--strict"]
            return MypyCheck(_targets(targets, "mypy", text), strict="--strict" in rest)
        case ["python", script]:
            return PythonCheck(script)
        case ["coverage", "run", *rest]:
            return _read_coverage(rest, text)
    return _read_other(words, text, forms)


def _read_other(words: list[str], text: str, forms: str) -> Check:
    match words:
        case ["held", name]:
            return HeldCheck(name)
        case ["checker", name, file, operator, value, *rest]:
            return _read_computed(ComputedCheck(name, file, operator, math.nan), value, rest, text)
        case ["npm", "test"]:
            return NpmTestCheck()
        case ["node", "--test", *targets]:
            return NodeTestCheck(_targets(targets, "node_test", text))
    raise refused("command", text, forms)


def _read_pytest(words: list[str], text: str) -> PytestCheck:
    options, targets = _split_options(words, {"-k", "-m"}, text)
    named = _targets(targets, "pytest", text)
    return PytestCheck(named, options.get("-k"), marker=options.get("-m"))


def _read_coverage(words: list[str], text: str) -> CoverageCheck:
    at = words.index("-m") if "-m" in words else len(words)
    given = {name: value for name, _, value in (word.partition("=") for word in words[:at])}
    percent = _PERCENT.fullmatch(given.get("--fail-under", ""))
    known = {"--branch", "--fail-under", "--source"}
    if words[at + 1 : at + 2] != ["pytest"] or len(given) != at or percent is None:
        raise refused("command", text, _form("coverage"))
    if not given.keys() <= known or "--source" not in given or given.get("--branch"):
        raise refused("command", text, _form("coverage"))
    tests = _read_pytest(words[at + 2 :], text)
    return CoverageCheck(
        given["--source"],
        float(percent[0]),
        "--branch" in given,
        tests.targets,
        tests.keyword,
        tests.marker,
    )


def _read_computed(
    check: ComputedCheck, value: str, options: list[str], text: str
) -> ComputedCheck:
    given = {name: number for name, _, number in (word.partition("=") for word in options)}
    numbers = (value, *given.values())
    if not given.keys() <= {"--absolute", "--relative"} or len(given) != len(options):
        raise refused("command", text, _form("checker"))
    if not all(_NUMBER.fullmatch(number) for number in numbers):
        raise refused("command", text, _form("checker"))
    absolute, relative = (float(given.get(name, "0")) for name in ("--absolute", "--relative"))
    return replace(check, value=float(value), absolute=absolute, relative=relative)


def _split_options(
    words: list[str], names: set[str], text: str
) -> tuple[dict[str, str], list[str]]:
    """Return the options of these names with their values, and the other words."""
    found: dict[str, str] = {}
    rest = []
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        if word not in names:
            rest.append(word)
        elif word in found or not waiting:
            raise refused("command", text, _form("pytest"))
        else:
            found[word] = waiting.pop(0)
    return found, rest


def _targets(words: list[str], profile: str, text: str) -> tuple[str, ...]:
    """Return the targets as a check names them: `.` is all there is, `./a/` is `a`."""
    if any(word.startswith("-") for word in words):
        raise refused("command", text, _form(profile))  # an option that is none of the profile's
    if words == ["."]:
        return ()
    return tuple(_plain(word) for word in words)


def _plain(word: str) -> str:
    shortened = word.removeprefix("./").removesuffix("/")
    return shortened or word


def _form(name: str) -> str:
    return next(profile.form for profile in PROFILES if profile.name == name)
