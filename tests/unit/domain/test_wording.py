"""What free text may hold."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.errors import InvalidInput
from tmws.domain.wording import require_text


def kept(value: str, *, multiline: bool = False) -> str:
    return require_text(value, what="Summary", longest=100, multiline=multiline)


@pytest.mark.parametrize(
    "character",
    [
        "\u0000",
        "\u001b",
        "\u007f",
        "\u0085",
        "\u200b",  # zero width space
        "\u200e",
        "\u202e",  # right-to-left override
        "\u2066",
        "\u2069",
        "\ufeff",
        "\u00ad",
        "\U000e0041",  # a tag character: invisible ASCII
        "\u2028",
        "\u2029",
        "\ud800",
    ],
)
@pytest.mark.parametrize("multiline", [False, True])
def test_what_hides_reorders_or_breaks_text_is_refused(character: str, multiline: bool) -> None:
    with pytest.raises(InvalidInput, match=f"U\\+{ord(character):04X} at position 2"):
        kept(f"ab{character}cd", multiline=multiline)


def test_lines_and_tabs_stand_in_long_text_only() -> None:
    assert kept("one\n\ttwo", multiline=True) == "one\n\ttwo"
    for text in ("one\ntwo", "one\ttwo", "one\r\ntwo"):
        with pytest.raises(InvalidInput):
            kept(text)


def test_joiners_that_scripts_and_emoji_need_are_kept() -> None:
    assert kept("👩\u200d💻") == "👩\u200d💻"


@pytest.mark.parametrize("text", ["", "   ", "\u200d", " \u200c\u200d ", "\u3000"])
def test_text_that_shows_nothing_is_empty(text: str) -> None:
    with pytest.raises(InvalidInput, match="is empty"):
        kept(text)


def test_equal_looking_spellings_become_one() -> None:
    assert kept("Cafe\u0301") == kept("Caf\u00e9") == "Caf\u00e9"


def test_length_is_measured_after_normalisation() -> None:
    assert kept("e\u0301" * 100) == "\u00e9" * 100
    with pytest.raises(InvalidInput, match="has 101 characters; the limit is 100"):
        kept("x" * 101)


@given(st.text(max_size=120), st.booleans())
def test_accepted_text_is_normal_visible_and_stays_as_it_is(text: str, multiline: bool) -> None:
    try:
        result = kept(text, multiline=multiline)
    except InvalidInput:
        return
    assert result == kept(result, multiline=multiline)
    assert unicodedata.is_normalized("NFC", result)
    assert result == result.strip() != ""
    result.encode()
