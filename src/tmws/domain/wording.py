"""What free text may hold: nothing that hides, reorders or breaks it."""

from __future__ import annotations

import re
import unicodedata

from tmws.domain.errors import InvalidInput

LONGEST_REASON = 500

_FORMAT_ALLOWED = frozenset("\u200c\u200d")  # joiners that several scripts and emoji need
_CONTROL_ALLOWED = frozenset("\n\r\t")

# What is drawn as nothing though no control: fillers, variation selectors, the joiners.
# (Default_Ignorable_Code_Point of Unicode 16, without what is refused anyway.)
_UNSEEN = (
    "\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180d\u180f\u200c\u200d\u3164\ufe00-\ufe0f\uffa0"
    "\U000e0100-\U000e01ef"
)
# Scripts and emoji need two in a row at most; the selectors of the last range follow
# ideographs alone. Whatever holds more of them hides words between its words.
_HIDDEN = re.compile(f"[{_UNSEEN}]{{3}}|(?<![\u2e80-\U0003ffff])[\U000e0100-\U000e01ef]")
_SEEN = re.compile(f"[^\\s\u2800{_UNSEEN}]")


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
    if not _SEEN.search(text):
        raise InvalidInput(f"{what} is empty. Give at least one printable character.")
    if len(text) > longest:
        raise InvalidInput(f"{what} has {len(text)} characters; the limit is {longest}.")
    return text


def require_reason(value: str) -> str:
    """Return why an administrator does something, as the ledger and others are told.

    Raises:
        InvalidInput: it is no line of text that `require_text` lets pass, or too long.
    """
    return require_text(value, what="Reason", longest=LONGEST_REASON)


def require_printable(value: str, *, what: str, multiline: bool = False) -> None:
    """Return if nothing in the text hides, reorders or breaks it.

    Raises:
        InvalidInput: it holds control characters, bidirectional controls, lone surrogates,
            or several signs in a row that nobody sees.
    """
    for position, character in enumerate(value):
        if _is_refused(character, multiline=multiline):
            raise _refused(what, character, position)
    if hidden := _HIDDEN.search(value):
        raise _refused(what, hidden.group()[0], hidden.start())


def _refused(what: str, character: str, position: int) -> InvalidInput:
    return InvalidInput(
        f"{what} holds U+{ord(character):04X} at position {position}, which is not "
        "printable text. Remove control, bidirectional, hidden and surrogate characters."
    )


def shown(value: str) -> str:
    """Return the text as it can be shown anywhere: what no text may hold by its code."""
    return "".join(
        f"\\u{ord(character):04x}" if _is_refused(character, multiline=True) else character
        for character in value
    )


def _is_refused(character: str, *, multiline: bool) -> bool:
    category = unicodedata.category(character)
    if category == "Cc":
        return not (multiline and character in _CONTROL_ALLOWED)
    if category == "Cf":
        return character not in _FORMAT_ALLOWED
    return category in {"Cs", "Zl", "Zp"}
