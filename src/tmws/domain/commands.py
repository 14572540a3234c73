"""From a typed check to the one command that decides it.

Callers never pass arguments. A check names a profile, targets and typed options; the
command comes from the table below: an absolute executable of the image, a fixed
prefix, options in `--name=value` form, and targets as absolute `/workspace/...` paths
that exist in the snapshot. `--` would protect nothing: `pytest -- -p evil` still
imports `evil`. A path that starts with `/workspace/` is never read as an option or as
an argument file.
"""

from __future__ import annotations

import re
import shlex
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass

from tmws.domain.claims import Check, MypyCheck, PytestCheck, PythonCheck, RuffCheck
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import ExecutionRequest, Limits
from tmws.domain.snapshots import PYTHON_SUFFIXES, Snapshot

WORKSPACE = "/workspace"
MAX_ARGUMENTS = 32
MAX_ARGUMENT_BYTES = 4096
MAX_PARAMETER_CHARACTERS = 200
MAX_COUNT = 1_000_000

_PATH_PUNCTUATION = frozenset(" _-.+=,()[]{}@~%#^")
_KEYWORD = re.compile(r"[A-Za-z0-9_(\[][A-Za-z0-9_ ()\[\].-]{0,127}")
# Control, format (bidirectional marks, zero width), surrogate, private, unassigned,
# line and paragraph separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


@dataclass(frozen=True, slots=True)
class Profile:
    """One tool that may be asked, and how it is started.

    Attributes:
        name: also the `profile` of a check in evidence and policy.
        check: the type of check it decides.
        prefix: first words of every command of this profile.
        form: the notation that `parse` accepts.
    """

    name: str
    check: type[Check]
    prefix: tuple[str, ...]
    form: str


def _runner(name: str) -> tuple[str, ...]:
    return ("/opt/tmws/python", "-I", f"/opt/tmws/run_{name}.py")


PROFILES = (
    Profile("pytest", PytestCheck, _runner("pytest"), "pytest [TARGET ...] [-k EXPRESSION]"),
    Profile("ruff", RuffCheck, _runner("ruff"), "ruff check [TARGET ...]"),
    Profile("mypy", MypyCheck, _runner("mypy"), "mypy [--strict] [TARGET ...]"),
    Profile("python", PythonCheck, _runner("python"), "python SCRIPT.py"),
)
FORMS = "; ".join(profile.form for profile in PROFILES)


def profile_of(check: Check) -> Profile:
    """Return the profile that decides this check."""
    return next(profile for profile in PROFILES if isinstance(check, profile.check))


def validate(check: Check) -> None:
    """Refuse a check whose words break the grammar, before anything is read or started.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    match check:
        case PytestCheck():
            _validate_tests(check)
        case RuffCheck() | MypyCheck():
            _validate_targets(check.targets, validate_path)
        case PythonCheck():
            _require(
                check.script.endswith(".py"), "script", check.script, "a .py file of the workspace"
            )
            validate_path(check.script)
            _require_range("exit_code", check.exit_code, 0, 125)


def build_request(check: Check, snapshot: Snapshot, limits: Limits) -> ExecutionRequest:
    """Return the run that decides `check` on this snapshot.

    Raises:
        InvalidInput: the check breaks the grammar, or names what the snapshot lacks.
    """
    validate(check)
    arguments = _arguments(check, snapshot)
    if len(arguments) > MAX_ARGUMENTS or any(
        len(argument.encode()) > MAX_ARGUMENT_BYTES for argument in arguments
    ):
        raise InvalidInput(
            f"A check takes at most {MAX_ARGUMENTS} arguments of {MAX_ARGUMENT_BYTES} bytes. "
            "Name a folder instead of its files."
        )
    return ExecutionRequest((*profile_of(check).prefix, *arguments), snapshot.files, limits)


def parse(text: str) -> Check:
    """Read a command line as notation for a check; it is never executed as text.

    Raises:
        InvalidInput: with the allowed forms.
    """
    _require_clean("command", text, "one line of printable NFC text")
    _require(len(text.encode()) <= MAX_ARGUMENT_BYTES, "command", text, "at most 4096 bytes")
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise _refused("command", text, f"{FORMS} (with closed quotes)") from error
    check = _read(words, text)
    validate(check)
    return check


def validate_path(path: str) -> None:
    """Refuse anything but a plain relative path.

    Raises:
        InvalidInput: naming the allowed form.
    """
    form = "a relative path such as src/app.py, without .., ., empty parts or shell characters"
    _require_clean("target", path, form)
    _require(
        bool(path)
        and len(path.encode()) <= MAX_ARGUMENT_BYTES - len(WORKSPACE) - 1
        and path[0] not in "-@~"
        and all(_is_path_character(character) for character in path)
        and not any(
            part in {"", ".", ".."} or part != part.strip() or len(part.encode()) > 255
            for part in path.split("/")
        ),
        "target",
        path,
        form,
    )


def validate_node_id(target: str) -> None:
    """Refuse anything but `file.py::name::name[parameters]`.

    Raises:
        InvalidInput: naming the allowed form.
    """
    form = "a test id such as tests/test_app.py::TestApp::test_start[case]"
    _require_clean("target", target, form)
    path, names, parameters = split_node_id(target)
    validate_path(path)
    _require(
        path.endswith(".py")
        and bool(names)
        and all(name.isidentifier() for name in names)
        and (parameters is None or len(parameters) <= MAX_PARAMETER_CHARACTERS)
        and (parameters is None or target.endswith("]")),
        "target",
        target,
        form,
    )


def validate_keyword(keyword: str) -> None:
    """Refuse anything but the plain form of pytest's `-k`.

    Raises:
        InvalidInput: naming the allowed form.
    """
    _require(
        _KEYWORD.fullmatch(keyword) is not None,
        "keyword",
        keyword,
        "at most 128 of letters, digits, space, _ . - ( ) [ ], such as 'parser and not slow'",
    )


def split_node_id(target: str) -> tuple[str, tuple[str, ...], str | None]:
    """Return path, names and parameters of a test id; a plain path has no names."""
    path, separator, tail = target.partition("::")
    names, bracket, parameters = tail.partition("[")
    return (
        path,
        tuple(names.split("::")) if separator else (),
        parameters.removesuffix("]") if bracket else None,
    )


def _validate_tests(check: PytestCheck) -> None:
    _validate_targets(check.targets, _validate_test_target)
    if check.keyword is not None:
        validate_keyword(check.keyword)
    if check.passed is not None:
        _require_range("passed", check.passed, 1, MAX_COUNT)
    _require_range("allow_skipped", check.allow_skipped, 0, MAX_COUNT)


def _validate_test_target(target: str) -> None:
    if "::" in target:
        validate_node_id(target)
    else:
        validate_path(target)


def _validate_targets(targets: tuple[str, ...], validate_one: Callable[[str], None]) -> None:
    if len(targets) > MAX_ARGUMENTS - 1:
        raise InvalidInput(
            f"A check takes at most {MAX_ARGUMENTS - 1} targets, got {len(targets)}. "
            "Name a folder instead of its files."
        )
    for target in targets:
        validate_one(target)
    if len(set(targets)) != len(targets):
        raise InvalidInput("A target is named twice. Name each file, folder or test once.")


def _arguments(check: Check, snapshot: Snapshot) -> tuple[str, ...]:
    match check:
        case PytestCheck():
            keyword = () if check.keyword is None else (f"--keyword={check.keyword}",)
            return (*keyword, *(_tests(target, snapshot) for target in check.targets))
        case RuffCheck():
            return tuple(_sources(target, snapshot) for target in check.targets) or (WORKSPACE,)
        case MypyCheck():
            strict = ("--strict",) if check.strict else ()
            paths = tuple(_sources(target, snapshot) for target in check.targets)
            return (*strict, *(paths or (WORKSPACE,)))
        case PythonCheck():
            _require_file(check.script, snapshot)
            return (_absolute(check.script),)


def _tests(target: str, snapshot: Snapshot) -> str:
    path, names, _ = split_node_id(target)
    if names:
        _require_file(path, snapshot)
    else:
        _sources(path, snapshot)
    return _absolute(target)


def _sources(target: str, snapshot: Snapshot) -> str:
    if not snapshot.below(target):
        raise InvalidInput(_absent(target, snapshot))
    if snapshot.file(target) is not None and not target.endswith(PYTHON_SUFFIXES):
        raise _refused("target", target, "a folder or a Python file")
    return _absolute(target)


def _require_file(path: str, snapshot: Snapshot) -> None:
    if snapshot.file(path) is None:
        raise InvalidInput(_absent(path, snapshot))


def _absent(path: str, snapshot: Snapshot) -> str:
    reason = next((why for left, why in snapshot.left_out if path == left), None)
    if reason is not None:
        return f"{shown(path)} was left out of the snapshot: {reason}."
    near = sorted({file.path.split("/")[0] for file in snapshot.files})[:8]
    return (
        f"The workspace has no {shown(path)}. Name a file or folder of it, relative to its "
        f"root; at the top are: {', '.join(near) or 'no files'}."
    )[:300]


def _absolute(target: str) -> str:
    return f"{WORKSPACE}/{target}"


def _read(words: list[str], text: str) -> Check:
    match words:
        case ["pytest", *rest]:
            return _read_pytest(rest, text)
        case ["ruff", "check", *targets]:
            return RuffCheck(tuple(targets))
        case ["mypy", *rest]:
            return MypyCheck(
                tuple(word for word in rest if word != "--strict"), strict="--strict" in rest
            )
        case ["python", script]:
            return PythonCheck(script)
    raise _refused("command", text, FORMS)


def _read_pytest(words: list[str], text: str) -> PytestCheck:
    if words.count("-k") > 1 or words[-1:] == ["-k"]:
        raise _refused("command", text, PROFILES[0].form)
    if "-k" not in words:
        return PytestCheck(tuple(words))
    at = words.index("-k")
    return PytestCheck((*words[:at], *words[at + 2 :]), keyword=words[at + 1])


def _is_path_character(character: str) -> bool:
    return (
        character == "/"
        or character in _PATH_PUNCTUATION
        or unicodedata.category(character)[0] in "LMN"
    )


def _require_clean(what: str, text: str, form: str) -> None:
    clean = unicodedata.is_normalized("NFC", text) and not any(
        unicodedata.category(character) in _UNPRINTABLE for character in text
    )
    _require(clean, what, text, form)


def _require_range(what: str, value: int, low: int, high: int) -> None:
    _require(
        not isinstance(value, bool) and low <= value <= high,
        what,
        str(value),
        f"a whole number from {low} to {high}",
    )


def _require(condition: bool, what: str, value: str, form: str) -> None:
    if not condition:
        raise _refused(what, value, form)


def _refused(what: str, value: str, form: str) -> InvalidInput:
    return InvalidInput(f"The {what} {shown(value)} is not allowed. Give {form}.")


def shown(text: str) -> str:
    """Return untrusted text in a form that is safe and short enough for a message."""
    return ascii(text[:60]) + ("..." if len(text) > 60 else "")
