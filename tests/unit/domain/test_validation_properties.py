"""Whatever is typed: kept whole, or refused in words that are themselves safe to show."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Callable

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tmws.domain import memories, patterns, versions
from tmws.domain.agents import AccessLevel, Agent, Role, require_member, require_name
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.memories import LONGEST_TEXT, MemoryDraft
from tmws.domain.patterns import (
    LONGEST_NAME,
    LONGEST_SUMMARY,
    PatternDraft,
    normal_tags,
    require_slug,
)
from tmws.domain.versions import Content, Revision
from tmws.domain.wording import require_printable, require_text
from tmws.testing.clock import START

ALICE = Agent("agent_1", "alice", Role.AGENT, ("home",), START)
RESERVED = {"system", "admin", "tmws", "all", "everyone", "me", "self", "unknown"}
OLD = Content("old", "build", None, "", {}, (), None, 1.0)
HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
FOR_IDEOGRAPHS = {chr(code) for code in range(0xE0100, 0xE01F0)}
JOINERS, BREAKS = set("\u200c\u200d"), set("\n\r\t")

texts = st.text(st.characters(), max_size=80) | st.text(
    st.sampled_from("aA0-_. é\u0301\t\n\u0000\u001b\u200d\u202e\u2066\ud800'\"\\{}"), max_size=70
)


def test_of_all_characters_there_are_those_that_hide_or_reorder_are_refused() -> None:
    for multiline in (False, True):
        allowed = JOINERS | BREAKS if multiline else JOINERS
        refused = set()
        for character in map(chr, range(sys.maxunicode + 1)):
            if unicodedata.category(character) in HIDING:
                try:
                    require_printable(character, what="Text", multiline=multiline)
                except InvalidInput:
                    refused.add(character)
                else:
                    assert character in allowed, f"U+{ord(character):04X}"
        assert not refused & allowed
        assert len(refused) > 2000  # surrogates and tags alone are that many


@given(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"]))
def test_of_the_others_none_is(character: str) -> None:
    assume(character not in FOR_IDEOGRAPHS)
    require_printable(character, what="Text")


@pytest.mark.parametrize(
    "text",
    [
        "👁️\u200d🗨️",
        "❤️\u200d🔥",
        "1\ufe0f\u20e3",
        "葛\U000e0100城",
        "نمی\u200cشود",
        "क्\u200dष",
        "한\u1160글",
    ],
)
def test_scripts_and_emoji_may_hold_what_nobody_sees(text: str) -> None:
    assert require_text(text, what="Text", longest=20) == text


@given(st.binary(min_size=3, max_size=40), st.sampled_from(["a{}b", "👍{}", "{}"]))
def test_words_are_not_hidden_in_what_nobody_sees(words: bytes, around: str) -> None:
    """The attack: a byte in each variation selector, behind a harmless sign."""
    hidden = "".join(chr(0xFE00 + byte if byte < 16 else 0xE0100 + byte - 16) for byte in words)
    bits = "".join("\u200c\u200d"[byte & 1] for byte in words)
    for each in (hidden, bits):
        with pytest.raises(InvalidInput, match="which is not printable text"):
            require_printable(around.format(each), what="Text")


@pytest.mark.parametrize(
    "text", ["\u3164", "\u2800 \u2800", "\u200d", "\ufe0f", "\u115f\u1160", "\u00a0"]
)
def test_a_text_that_nobody_sees_is_empty(text: str) -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        require_text(text, what="Text", longest=20)


Keep = Callable[[str], str]
FIELDS: dict[str, tuple[Keep, int]] = {
    "the name of a pattern": (
        lambda text: patterns.validated(PatternDraft(text, "build"), ALICE).name,
        LONGEST_NAME,
    ),
    "its summary": (
        lambda text: patterns.validated(PatternDraft("a", "build", text), ALICE).summary,
        LONGEST_SUMMARY,
    ),
    "the name in a revision": (
        lambda text: versions.revised(OLD, Revision(name=text)).name,
        LONGEST_NAME,
    ),
    "the summary in a revision": (
        lambda text: versions.revised(OLD, Revision(summary=text)).summary,
        LONGEST_SUMMARY,
    ),
    "a memory": (lambda text: memories.validated(MemoryDraft(text), ALICE).text, LONGEST_TEXT),
}


@pytest.mark.parametrize("field", FIELDS)
@given(letter=st.sampled_from(["a", "é", "e\u0301", "日", "🙂"]), blanks=st.text(" ", max_size=3))
def test_a_length_is_that_of_the_text_that_is_kept(field: str, letter: str, blanks: str) -> None:
    keep, longest = FIELDS[field]
    whole = letter * longest
    assert keep(f"{blanks}{whole}{blanks}") == unicodedata.normalize("NFC", whole)
    with pytest.raises(InvalidInput, match=rf"has {longest + 1} characters; the limit is"):
        keep(f"{letter}{whole}")


@pytest.mark.parametrize("field", FIELDS)
@given(
    hidden=st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp"]),
    before=st.text("aé日", max_size=5),
)
def test_a_hidden_character_is_named_with_its_place(field: str, hidden: str, before: str) -> None:
    assume(hidden not in JOINERS | BREAKS)
    with pytest.raises(InvalidInput, match=rf"U\+{ord(hidden):04X} at position {len(before)}, "):
        FIELDS[field][0](f"{before}{hidden}b")


@given(texts | st.sampled_from(sorted(RESERVED)))
def test_a_name_is_plain_and_nobody_elses(name: str) -> None:
    plain = re.fullmatch(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?", name)
    if plain and name not in RESERVED:
        assert require_name(name, what="Agent name") == name
    else:
        with pytest.raises(InvalidInput):
            require_name(name, what="Agent name")


REFUSALS: dict[str, Callable[[str], object]] = {
    "agent": lambda text: require_name(text, what="Agent name"),
    "namespace": lambda text: require_member(ALICE, text),
    "category": lambda text: require_slug(text, what="Category"),
    "tag": lambda text: normal_tags((text,)),
    "text": lambda text: require_text(text, what="Query", longest=5),
    "data": lambda text: patterns.normal_data({text: [text]}),
    "shared with": lambda text: patterns.grants(AccessLevel.PRIVATE, [text], "alice"),
}


@pytest.mark.parametrize("kind", REFUSALS)
@given(text=texts)
def test_a_refusal_is_one_printable_line_whatever_was_typed(kind: str, text: str) -> None:
    message = ""
    try:
        REFUSALS[kind](text)
    except (InvalidInput, NotFound) as refused:
        message = refused.message
    assert message.isprintable()
    assert len(message) <= 300
