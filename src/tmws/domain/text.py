"""Text as the features that search compares: words, stems, character grams."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

LONGEST_WORD = 64
"""A longer run of letters is data, not language, and is cut into pieces of this size."""

_RUN = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_CAN_BE_ROOT = re.compile(r"[aeiouy].*[^e]$")
_LOST_ITS_E = re.compile(r"[^aeiou]*[aeiouy][^aeiouwxy]")

# Scripts that put no space between words: kana, Han (with extensions and
# compatibility forms), Hangul. Thai, Lao and Khmer are unspaced too but are
# served well enough by character grams.
_UNSPACED = (
    (0x1100, 0x11FF),
    (0x3005, 0x3007),
    (0x3040, 0x30FF),
    (0x3130, 0x318F),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xA960, 0xA97F),
    (0xAC00, 0xD7FF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_CJK = re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _UNSPACED) + "]+")

_MOST_CJK = 0.3

# Russian inflects at the end, by up to four letters, and six hold nearly every stem apart.
_CYRILLIC = re.compile("[\u0400-\u052f]")
_BEGINNING = 6

# Function words of English: they say how a request is put, not what it is about.
STOP_WORDS = frozenset(
    """
    a about above after again all also am an and any are as at be because been before being
    below between both but by can could did do does doing down during each few for from further
    had has have having he her here hers him his how i if in into is it its just me more most my
    no nor not now of off on once only or other our ours out over own please same she should so
    some such than that the their theirs them then there these they this those through to too
    under until up very was we were what when where which while who whom why will with would you
    your yours
    """.split()
)


def normal(text: str) -> str:
    """Return the text in the one form that is compared: NFKC, case folded, NFKC again."""
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def cjk_share(text: str) -> float:
    """Return which share of the letters and digits belongs to unspaced East Asian scripts."""
    plain = normal(text)
    total = sum(len(run.group()) for run in _RUN.finditer(plain))
    cjk = sum(len(run.group()) for run in _CJK.finditer(plain))
    return min(1.0, cjk / total) if total else 0.0


def reads_english_only(text: str) -> bool:
    """Return whether an embedder that was trained on English can compare this text.

    MiniLM knows hardly any East Asian characters: with its vectors, search among
    Japanese pages found half as many on the first place.
    """
    return cjk_share(text) < _MOST_CJK


def words(text: str) -> list[str]:
    """Return the words in order, in normal form, unspaced scripts as character bigrams.

    A name in camel case gives its parts as well as the whole, so that both
    `parseJson` and `parse json` find it.
    """
    return list(_words(text))


def terms(text: str) -> list[str]:
    """Return the stems of the words that carry meaning; of all words where none would be left.

    Of a Cyrillic word the first six letters stand for the stem.

    A text is indexed and asked for by these, repeated as often as they occur.
    """
    every = words(text)
    telling = [word for word in every if word not in STOP_WORDS]
    return [_beginning(stem(word)) for word in (telling or every)]


def renewed(stored: str) -> list[str]:
    """Return stored terms as `terms` would make them now: Cyrillic words were stored whole once."""
    every = stored.split()
    return every if stored.isascii() else [_beginning(term) for term in every]


def _beginning(word: str) -> str:
    """Return the first letters of a Cyrillic word, others as they are."""
    return word[:_BEGINNING] if _CYRILLIC.match(word) else word


def _words(text: str) -> Iterator[str]:
    for run in _RUN.finditer(unicodedata.normalize("NFKC", text)):
        parts = _CAMEL.split(run.group())
        if len(parts) > 1:
            yield from (normal(part) for part in parts)
        yield from _pieces(normal(run.group()))


def _pieces(run: str) -> Iterator[str]:
    end = 0
    for cjk in _CJK.finditer(run):
        yield from _cut(run[end : cjk.start()])
        yield from bigrams(cjk.group())
        end = cjk.end()
    yield from _cut(run[end:])


def _cut(run: str) -> Iterator[str]:
    return (run[start : start + LONGEST_WORD] for start in range(0, len(run), LONGEST_WORD))


def bigrams(run: str) -> list[str]:
    """Return every two neighbouring characters; a single character stands for itself."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


def grams(word: str, sizes: tuple[int, ...] = (3, 4, 5)) -> list[str]:
    """Return the character n-grams of a word between boundary marks.

    `cat` gives `<ca`, `cat`, `at>`, `<cat`, ... after Bojanowski et al. (2017).
    """
    marked = f"<{word}>"
    return [
        marked[start : start + size] for size in sizes for start in range(len(marked) - size + 1)
    ]


def stem(word: str) -> str:
    """Return an English word without its inflection, others as they are.

    Lighter than Porter (1980): only plural, past and progressive endings go,
    because a wrong conflation costs more in a small store than a missed one.
    """
    if len(word) <= 3 or not word.isascii():
        return word
    word = _root(_singular(word))
    return word.removesuffix("e") if len(word) > 4 else word


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return word[:-3] + "y"
    if word.endswith(("sses", "xes", "ches", "shes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


def _root(word: str) -> str:
    """Take `ing` or `ed` away, and undo what they did: `runn` to `run`, `fil` to `file`."""
    ending = "ing" if word.endswith("ing") else "ed"
    root = word.removesuffix(ending)
    if root == word or not _CAN_BE_ROOT.search(root):
        return word
    if root[-1] == root[-2] and root[-1] not in "lsz":
        return root[:-1]
    return f"{root}e" if _LOST_ITS_E.fullmatch(root) else root
