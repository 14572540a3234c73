"""Folding: which spellings are one word, and which stay two."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.folding import marks, runs
from tmws.domain.text import LONGEST_WORD, accented, bigrams, folded, terms, words

WRITTEN = st.text(
    st.one_of(
        st.characters(categories=["L", "M", "N"]),
        st.characters(min_codepoint=0x300, max_codepoint=0x36F),
        st.sampled_from("aeinouAEIN \u0438\u0435\u03b1\u0627\u0654\u0640\u0928\u094d\u093c\u0e01"),
    ),
    max_size=12,
)
LATIN = st.text(st.characters(min_codepoint=0x41, max_codepoint=0x17F, categories=["L"]))
ASCII = st.text(st.characters(codec="ascii"), max_size=200)


@given(WRITTEN)
def test_what_is_folded_stays_as_it_is(text: str) -> None:
    assert folded(folded(text)) == folded(text)


@given(ASCII)
def test_ascii_is_only_put_in_small_letters(text: str) -> None:
    assert folded(text) == text.lower()
    assert accented(text) == []


@given(WRITTEN, st.sampled_from(["NFC", "NFD", "NFKC", "NFKD"]))
def test_words_are_the_same_in_every_normal_form(text: str, form: str) -> None:
    assert words(unicodedata.normalize(form, text)) == words(text)  # type: ignore[arg-type]


@given(LATIN)
def test_latin_text_is_found_without_its_marks(text: str) -> None:
    parted = unicodedata.normalize("NFD", text)
    bare = "".join(sign for sign in parted if not unicodedata.combining(sign))
    assert words(bare) == words(text)


@given(WRITTEN, WRITTEN)
def test_words_of_a_text_are_those_of_its_parts(one: str, other: str) -> None:
    assert words(f"{one} | {other}") == words(one) + words(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("crème brûlée", "creme brulee"),
        ("Überprüfung der Größe", "uberprufung der grosse"),
        ("Łódź Ørsted Đà þing œuvre", "lodz orsted da thing oeuvre"),
        ("tiếng Việt", "tieng viet"),
        ("İSTANBUL ısı ILIK ılık", "istanbul isi ilik ilik"),
        ("Ὀδυσσεύς μέλι τῷ", "οδυσσευς μελι τω"),
        ("ёлка за\u0301мок \u045d", "елка замок и"),
        (
            "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd",
            "\u05e9\u05dc\u05d5\u05dd",
        ),  # Hebrew points
        ("السَّلامُ أحمد مدرسة إلى ســلام", "السلام احمد مدرسه الي سلام"),
        ("\u06a9\u062a\u0627\u0628 \u06cc\u06a9", "\u0643\u062a\u0627\u0628 \u064a\u0643"),
        ("हिन्दी ज़रूरत हूँ", "हिंदी जरूरत हूं"),
        ("caf\u00e9\u00adhaus ﬁle", "cafehaus file"),
        ("1\ufe0f\u20e3 x\u0302y", "1 xy"),
        ("déjàVu", "dejaVu"),
        ("か\u3099き", "がき"),
        ("ශ්\u200dරී", "ශ්රී"),
    ],
)
def test_spellings_of_one_word_are_one(one: str, other: str) -> None:
    assert terms(one) == terms(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("йод", "иод"),
        ("їжак", "іжак"),
        ("कि", "की"),
        ("कमल", "कमाल"),
        ("ข้าว", "ขาว"),
        ("が", "か"),
        ("ぱ", "は"),
        ("각", "가"),
        ("தமிழ்", "தமழ"),
        ("ড়", "ড"),
        ("سؤال", "سوال"),
        ("Ueberpruefung", "Überprüfung"),
    ],
)
def test_other_letters_stay_other_letters(one: str, other: str) -> None:
    assert terms(one) != terms(other)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("हिंदी में खोज", ["हिंदी", "में", "खोज"]),
        ("தமிழ் தேடல்", ["தமிழ்", "தேடல்"]),
        ("বাংলা অনুসন্ধান", ["বাংলা", "অনুসন্ধান"]),
        ("می\u200cخواهم", ["\u0645\u064a", "خواهم"]),
        ("ลบไฟล์PDF", ["ลบ", "บไ", "ไฟ", "ฟล์", "pdf"]),
        ("ភាសាខ្មែរ", ["ភាសា", "សាខ្មែ", "ខ្មែរ"]),
        ("ก", ["ก"]),
        ("❤\ufe0f", []),
        ("\u0301\u0e31", []),
    ],
)
def test_words_keep_their_marks_and_unspaced_scripts_come_in_pairs(
    text: str, found: list[str]
) -> None:
    assert words(text) == found


def test_a_word_with_marks_is_no_function_word_of_english() -> None:
    assert terms("ăn số the") == ["an", "so"]
    assert terms("an so") == ["an", "so"]
    assert terms("an so rice") == ["rice"]


def test_accented_words_are_told_as_they_are_written() -> None:
    assert accented("Le cafe\u0301 du coin, ÉTÉ") == ["café", "été"]
    assert accented("日本語 のデータ काम йод") == []
    assert accented("é" * LONGEST_WORD) == ["é" * LONGEST_WORD]
    assert accented("é" * (LONGEST_WORD + 1)) == []


def test_however_many_marks_a_letter_has_pairs_stay_short() -> None:
    assert words("a" + "\u0301" * 5000) == ["a"]
    assert all(len(pair) <= 18 for pair in words("ก" + "\u0e31" * 5000))
    assert bigrams("ก\u0e31" + "ข") == ["ก\u0e31ข"]


def test_every_mark_and_nothing_else_is_a_mark() -> None:
    found = runs("\u0915" + "".join(chr(code) for code in range(0x300, 0x370)))
    assert len(found) == 1
    assert "\u0e31-\u0e31" in marks()
