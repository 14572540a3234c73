"""Text as the features that search compares: words, stems, character grams."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache, lru_cache
from itertools import pairwise

from tmws.domain.folding import marks, plain, runs, unmarked

LONGEST_WORD = 64
"""A longer run of letters is data, not language, and is cut into pieces of this size."""

_RUN = re.compile(r"[^\W_]+")
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")

_CAN_BE_ROOT = re.compile(r"[aeiouy].*[^e]$")
_LOST_ITS_E = re.compile(r"[^aeiou]*[aeiouy][^aeiouwxy]")

# Scripts that are read by pairs of characters: kana, Han (with extensions and
# compatibility forms), Hangul.
_EAST_ASIAN = (
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
_CJK = re.compile("[" + "".join(f"{chr(low)}-{chr(high)}" for low, high in _EAST_ASIAN) + "]+")
# Thai, Lao, Myanmar and Khmer put no space between words either; a letter keeps its marks.
_SOUTH_EAST_ASIAN = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\ua9e0-\ua9ff\uaa60-\uaa7f"
_UNSPACED = re.compile(f"{_CJK.pattern}|[{_SOUTH_EAST_ASIAN}]+")

_NOT_LATIN = re.compile(
    "[^\\W\\d_A-Za-z\u00aa-\u02af\u1d00-\u1dbf\u1e00-\u1eff\u2c60-\u2c7f\ua722-\ua7ff]+"
)
_MOST_FOREIGN = 0.3

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
    return _share(_CJK, text)


def reads_english_only(text: str) -> bool:
    """Return whether an embedder that was trained on English can compare this text.

    MiniLM knows letters of other scripts, and hardly a word: with its vectors, search among
    Japanese pages found half as many on the first place, and 85 to 100 % of requests to
    Hindi, Arabic and Russian pages that nothing fitted were shown something.
    """
    return text.isascii() or _share(_NOT_LATIN, text) < _MOST_FOREIGN


def reads_no_cjk(text: str) -> bool:
    """Return whether an embedder can compare this text of which only that is not known."""
    return text.isascii() or cjk_share(text) < _MOST_FOREIGN


def _share(letters: re.Pattern[str], text: str) -> float:
    form = normal(text)
    total = sum(map(len, _RUN.findall(form)))
    return min(1.0, sum(map(len, letters.findall(form))) / total) if total else 0.0


def words(text: str) -> list[str]:
    """Return the words in order, folded, unspaced scripts as pairs of characters.

    A name in camel case gives its parts as well as the whole, so that both
    `parseJson` and `parse json` find it.
    """
    return [word for run in runs(text) for word in _words(run)]


def terms(text: str) -> list[str]:
    """Return the stems of the words that carry meaning; of all words where none would be left.

    Of a Cyrillic word the first six letters stand for the stem. A word with marks is no
    function word of English, whatever it is without them.

    A text is indexed and asked for by these, repeated as often as they occur.
    """
    telling = [
        word
        for run in runs(text)
        for word in _words(run)
        if word not in STOP_WORDS or not run.isascii()
    ]
    return [_beginning(stem(word)) for word in telling or words(text)]


def folded(run: str) -> str:
    """Return a run of letters in the one form that is looked for; see `tmws.domain.folding`."""
    return plain(normal(unmarked(run)))


def accented(text: str) -> list[str]:
    """Return the words that folding changes, as they are written, in normal form."""
    return [
        normal(run)
        for run in runs(text)
        if not run.isascii() and len(run) <= LONGEST_WORD and _is_accented(run)
    ]


@lru_cache(maxsize=8192)
def _is_accented(run: str) -> bool:
    return folded(run) != normal(run)


def _beginning(word: str) -> str:
    """Return the first letters of a Cyrillic word, others as they are."""
    return word[:_BEGINNING] if _CYRILLIC.match(word) else word


def _words(run: str) -> Sequence[str]:
    if run.isascii():
        named = _CAMEL.split(run)
        return [part.lower() for part in named if len(named) > 1] + _cut(run.lower())
    return _known_words(run) if len(run) <= LONGEST_WORD else _folded_words(run)


def _folded_words(run: str) -> tuple[str, ...]:
    bare = unmarked(run)
    parts = _CAMEL.split(bare)
    named = [plain(normal(part)) for part in parts if len(parts) > 1]
    return (*named, *_pieces(plain(normal(bare))))


_known_words = lru_cache(maxsize=8192)(_folded_words)


def _pieces(run: str) -> Iterator[str]:
    end = 0
    for unspaced in _UNSPACED.finditer(run):
        yield from _cut(run[end : unspaced.start()])
        yield from bigrams(unspaced.group())
        end = unspaced.end()
    yield from _cut(run[end:])


def _cut(run: str) -> list[str]:
    return [run[start : start + LONGEST_WORD] for start in range(0, len(run), LONGEST_WORD)]


def bigrams(run: str) -> list[str]:
    """Return every two neighbouring characters with their marks; a single one as it is."""
    letters = _letter().findall(run)
    return [one + other for one, other in pairwise(letters)] or [run]


@cache
def _letter() -> re.Pattern[str]:
    """Match a letter with its marks, and what Myanmar and Khmer write below it.

    Eight are more than anybody writes; behind them begins the next, so that no pair is long.
    """
    return re.compile(f".(?:[{marks()}]|(?<=[\u1039\u17d2]).){{0,8}}", re.DOTALL)


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
