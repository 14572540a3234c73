"""What free text may hold: nothing that hides, reorders or breaks it."""

from __future__ import annotations

import unicodedata

from tmws.domain.errors import InvalidInput

_FORMAT_ALLOWED = frozenset("\u200c\u200d")  # joiners that several scripts and emoji need
_CONTROL_ALLOWED = frozenset("\n\r\t")


def require_text(value: str, *, what: str, longest: int, multiline: bool = False) -> str:
    """Return `value` in NFC without outer white space.

    Args:
        what: how the message calls it, e.g. `Pattern name`.
        longest: characters, after normalisation.
        multiline: line breaks and tabs may stand in it.

    Raises:
        InvalidInput: it is empty, too long, or holds control characters,
            bidirectional controls, or lone surrogates.
    """
    require_printable(value, what=what, multiline=multiline)
    text = unicodedata.normalize("NFC", value).strip()
    if not text.strip("".join(_FORMAT_ALLOWED)):
        raise InvalidInput(f"{what} is empty. Give at least one printable character.")
    if len(text) > longest:
        raise InvalidInput(f"{what} has {len(text)} characters; the limit is {longest}.")
    return text


def require_printable(value: str, *, what: str, multiline: bool = False) -> None:
    """Return if nothing in the text hides, reorders or breaks it.

    Raises:
        InvalidInput: it holds control characters, bidirectional controls, or lone
            surrogates.
    """
    for position, character in enumerate(value):
        if _is_refused(character, multiline=multiline):
            raise InvalidInput(
                f"{what} holds U+{ord(character):04X} at position {position}, which is not "
                "printable text. Remove control, bidirectional and surrogate characters."
            )


def _is_refused(character: str, *, multiline: bool) -> bool:
    category = unicodedata.category(character)
    if category == "Cc":
        return not (multiline and character in _CONTROL_ALLOWED)
    if category == "Cf":
        return character not in _FORMAT_ALLOWED
    return category in {"Cs", "Zl", "Zp"}
