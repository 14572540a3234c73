"""Unknown words are looked for as they were probably meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.indexes.spelling import SHORTEST, Spellings, is_one_slip

LETTERS = "abc"
WORDS = st.text(LETTERS, min_size=1, max_size=6)


def slips(word: str) -> set[str]:
    """Every word that one slip makes of this one."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    made = {start + end[1:] for start, end in cuts if end}
    made |= {start + end[1] + end[0] + end[2:] for start, end in cuts if len(end) > 1}
    made |= {start + letter + end[1:] for start, end in cuts if end for letter in LETTERS}
    made |= {start + letter + end for start, end in cuts for letter in LETTERS}
    return made - {word}


@given(WORDS, WORDS)
def test_a_slip_is_one_letter_or_two_neighbours_swapped(one: str, other: str) -> None:
    assert is_one_slip(one, other) == (other in slips(one))
    assert is_one_slip(one, other) == is_one_slip(other, one)


@given(st.text(LETTERS, min_size=5, max_size=7), st.data())
def test_whatever_slips_after_the_first_letter_is_found(meant: str, data: st.DataObject) -> None:
    near = sorted(word for word in slips(meant) if word[0] == meant[0] and len(word) > 4)
    written = data.draw(st.sampled_from(near))
    assert Spellings([meant]).near(written) == {meant}


@given(st.lists(WORDS, unique=True, max_size=30), WORDS)
def test_nothing_is_found_but_known_words_one_slip_away(known: list[str], written: str) -> None:
    assert Spellings(known).near(written) <= slips(written) & set(known)


def test_slips_in_words_with_marks_are_found_and_numbers_of_any_script_stand() -> None:
    assert Spellings(["फाइलें", "१२३४५"]).near("फाइले") == {"फाइलें"}
    assert Spellings(["फाइलें", "१२३४५"]).near("१२३४६") == frozenset()


def test_words_that_come_later_are_found_too() -> None:
    known = {"retry": 1}
    spellings = Spellings(known)
    assert spellings.near("netwrok") == frozenset()
    known["network"] = 2
    assert spellings.near("netwrok") == {"network"}


@pytest.mark.parametrize("written", ["run", "x86a", "utf8", "4711"])
def test_short_words_and_numbers_stand_as_they_are(written: str) -> None:
    assert SHORTEST == 4
    assert Spellings(["runs", "ru", "x86", "utf9", "4712"]).near(written) == frozenset()
