"""Words as runs of letters with their marks, and without the marks that writers leave out.

What is folded is what search engines fold: PostgreSQL's unaccent (marks of Latin and Greek
letters, ligatures, ё), SQLite's unicode61 with remove_diacritics=2 (marks of Latin letters),
and Lucene's ASCIIFoldingFilter (ø, ł, đ, ı), ArabicNormalizer, PersianNormalizer and the
beginning of HindiNormalizer. Lucene's ICUFoldingFilter (UTR #30) takes the viramas of India
and the tone marks of Thai, too; they tell words apart and stay, like the voicing of kana and
Cyrillic letters that are written with a mark, but for ё. The German ü is u and not ue: who
makes ue of it cannot leave `queue` and `value` alone.
"""

from __future__ import annotations

import re
import unicodedata
from functools import cache

_PLAIN = re.compile(r"[^\W_]+")

# What says how something is drawn: hyphens shown at the end of a line only, variants of a
# sign, joiners in Indian scripts. In Persian a joiner stands where others write a space.
_UNSEEN = re.compile(
    "[\u00ad\u034f\u180b-\u180d\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]"
    "|(?<=[\u0900-\u0dff])[\u200c\u200d]"
)

_LATIN_AND_GREEK = (
    "A-Za-z\u00c0-\u02af\u0370-\u03ff\u1d00-\u1dbf\u1e00-\u1fff\u2c60-\u2c7f"
    "\ua722-\ua7ff\uab30-\uab6f"
)
# Cyrillic, Hebrew, Arabic and Syriac, where what is a letter of its own is one character;
# and digits, whose marks are frames around them.
_COMPOSED = "0-9\u0400-\u052f\u0590-\u077f\u0860-\u08ff"

_LETTERS = str.maketrans(
    {
        **dict(zip("ðøđħıłŧŋƒƙƴɓɔɖɗɛɨɲʉ", "dodhiltnfkyboddeinu", strict=True)),
        "æ": "ae",
        "œ": "oe",
        "þ": "th",
        **dict(zip("ёѐѝ", "\u0435\u0435\u0438", strict=True)),
        # Alef with hamza or madda, alef maksura, teh marbuta; Persian yeh, kaf and heh; tatweel.
        **dict.fromkeys("\u0622\u0623\u0625\u0671", "\u0627"),
        **dict.fromkeys("\u0649\u06cc", "\u064a"),
        **dict.fromkeys("\u0629\u06c0", "\u0647"),
        "\u06a9": "\u0643",
        "\u0640": None,
        # Letters with nukta, nukta, candrabindu.
        **dict(zip("\u0929\u0931\u0934", "\u0928\u0930\u0933", strict=True)),
        "\u093c": None,
        "\u0901": "\u0902",
    }
)
_DEAD_N, _BINDU = "\u0928\u094d", "\u0902"


def runs(text: str) -> list[str]:
    """Return the runs of letters and digits with their marks, in order, in NFKC."""
    if text.isascii():
        return _PLAIN.findall(text)
    return _marked().findall(unicodedata.normalize("NFKC", _UNSEEN.sub("", text)))


def unmarked(run: str) -> str:
    """Return a run in NFKC without marks that are left out; case and letters stay."""
    parted = unicodedata.normalize("NFKD", run)
    composed = unicodedata.normalize("NFKC", _dropped(_LATIN_AND_GREEK).sub("", parted))
    return _dropped(_COMPOSED).sub("", composed)


def plain(word: str) -> str:
    """Return an unmarked word in small letters with other spellings of a letter made one."""
    return word.translate(_LETTERS).replace(_DEAD_N, _BINDU)


@cache
def marks() -> str:
    """Return every combining mark, as ranges for a class of a regular expression.

    Finding them takes some milliseconds, so it waits for the first text that may have some.
    """
    found: list[list[str]] = []
    for code in range(0x300, 0x1E950):
        sign = chr(code)
        if unicodedata.category(sign)[0] != "M":
            continue
        if found and ord(found[-1][1]) == code - 1:
            found[-1][1] = sign
        else:
            found.append([sign, sign])
    return "".join(f"{first}-{last}" for first, last in found)


@cache
def _marked() -> re.Pattern[str]:
    return re.compile(f"[^\\W_]+(?:[{marks()}]+[^\\W_]*)*")


@cache
def _dropped(letters: str) -> re.Pattern[str]:
    """Match all marks behind these letters; first a mark, so that others are passed quickly."""
    return re.compile(f"[{marks()}](?<=[{letters}].)[{marks()}]*")
