"""The words that a caller may use, and how the others are refused.

What is allowed is said, never what is not: paths and test ids of plain characters,
numbers in their range. A refusal names the part and the allowed form.
"""

from __future__ import annotations

import re
import unicodedata

from tmws.domain.errors import InvalidInput

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


def validate_path(path: str) -> None:
    """Refuse anything but a plain relative path.

    Raises:
        InvalidInput: naming the allowed form.
    """
    form = "a relative path such as src/app.py, without .., ., empty parts or shell characters"
    require_clean("target", path, form)
    require(
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
    require_clean("target", target, form)
    path, names, parameters = split_node_id(target)
    validate_path(path)
    require(
        path.endswith(".py")
        and bool(names)
        and all(name.isidentifier() for name in names)
        and (parameters is None or len(parameters) <= MAX_PARAMETER_CHARACTERS)
        and (parameters is None or target.endswith("]")),
        "target",
        target,
        form,
    )


def validate_keyword(keyword: str, *, what: str = "keyword") -> None:
    """Refuse anything but the plain form of pytest's `-k` and `-m`.

    Raises:
        InvalidInput: naming the allowed form.
    """
    require(
        _KEYWORD.fullmatch(keyword) is not None,
        what,
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


def validate_percent(percent: float) -> None:
    """Refuse anything but a share of a hundred."""
    require(
        not isinstance(percent, bool) and 0 < percent <= 100 and round(percent, 2) == percent,
        "percent",
        str(percent),
        "a number above 0, at most 100, with at most two decimals",
    )


def _is_path_character(character: str) -> bool:
    return (
        character == "/"
        or character in _PATH_PUNCTUATION
        or unicodedata.category(character)[0] in "LMN"
    )


def require_clean(what: str, text: str, form: str) -> None:
    """Refuse text that shows otherwise than it is."""
    clean = unicodedata.is_normalized("NFC", text) and not any(
        unicodedata.category(character) in _UNPRINTABLE for character in text
    )
    require(clean, what, text, form)


def require_range(what: str, value: int, low: int, high: int) -> None:
    """Refuse a number outside of its range, its ends included."""
    require(
        not isinstance(value, bool) and low <= value <= high,
        what,
        str(value),
        f"a whole number from {low} to {high}",
    )


def require(condition: bool, what: str, value: str, form: str) -> None:
    """Refuse the value unless the condition holds."""
    if not condition:
        raise refused(what, value, form)


def refused(what: str, value: str, form: str) -> InvalidInput:
    """Return the refusal of a value, with the allowed form."""
    return InvalidInput(f"The {what} {shown(value)} is not allowed. Give {form}.")


def shown(text: str) -> str:
    """Return untrusted text in a form that is safe and short enough for a message."""
    return ascii(text[:60]) + ("..." if len(text) > 60 else "")
