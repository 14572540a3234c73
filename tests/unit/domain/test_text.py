"""Text as features: what counts as a word, and what as the same word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.text import (
    LONGEST_WORD,
    bigrams,
    cjk_share,
    grams,
    normal,
    reads_english_only,
    reads_no_cjk,
    stem,
    terms,
    words,
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Delete the files!", ["delete", "the", "files"]),
        ("parseJson", ["parse", "json", "parsejson"]),
        ("HTTPServer", ["http", "server", "httpserver"]),
        ("snake_case-name.py", ["snake", "case", "name", "py"]),
        ("\ufb01le \uff26\uff49\uff4c\uff45", ["file", "file"]),
        ("Straße", ["strasse"]),
        ("日本語", ["日本", "本語"]),
        ("字", ["字"]),
        ("tarで圧縮", ["tar", "で圧", "圧縮"]),
        ("파일 삭제", ["파일", "삭제"]),
        ("", []),
        ("—!? …", []),
    ],
)
def test_words_are_in_one_form_and_scripts_without_spaces_in_pairs(
    text: str, found: list[str]
) -> None:
    assert words(text) == found


@given(st.text(max_size=300))
def test_words_hold_letters_and_digits_only_and_are_never_long(text: str) -> None:
    assert all(word.isalnum() or not word.isascii() for word in words(text))
    assert all(0 < len(word) <= 4 * LONGEST_WORD for word in words(text))
    assert not any(set(word) & set("\"'()*:^_ \t\n") for word in words(text))


@given(st.text(max_size=100))
def test_normal_form_is_its_own_normal_form(text: str) -> None:
    assert normal(normal(text)) == normal(text)


@pytest.mark.parametrize(
    ("forms", "root"),
    [
        (("run", "runs", "running"), "run"),
        (("file", "files", "filed", "filing"), "file"),
        (("use", "uses", "used", "using"), "use"),
        (("write", "writes", "writing"), "writ"),
        (("delete", "deletes", "deleted", "deleting"), "delet"),
        (("query", "queries"), "query"),
        (("cache", "caches", "cached", "caching"), "cach"),
        (("install", "installs", "installed", "installing"), "install"),
        (("box", "boxes"), "box"),
    ],
)
def test_inflections_share_a_stem(forms: tuple[str, ...], root: str) -> None:
    assert {stem(form) for form in forms} == {root}


@pytest.mark.parametrize(
    "word", ["string", "bus", "this", "process", "née", "日本", "red", "speed", "king"]
)
def test_what_only_looks_inflected_stays(word: str) -> None:
    assert stem(word) == word


@given(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=30))
def test_a_stem_is_never_empty(word: str) -> None:
    assert stem(normal(word))


def test_terms_leave_out_how_a_request_is_put() -> None:
    assert terms("How do I delete the old files?") == ["delet", "old", "file"]


def test_a_request_of_stop_words_keeps_them() -> None:
    assert terms("who are you") == ["who", "are", "you"]


@pytest.mark.parametrize(
    ("text", "share"),
    [("", 0.0), ("abc", 0.0), ("日本語", 1.0), ("ab 日本", 0.5), ("123 ...", 0.0)],
)
def test_share_of_scripts_without_spaces(text: str, share: float) -> None:
    assert cjk_share(text) == share


@given(st.text(max_size=100))
def test_shares_are_shares(text: str) -> None:
    assert 0.0 <= cjk_share(text) <= 1.0


def test_grams_know_where_a_word_begins_and_ends() -> None:
    assert grams("cat", (3, 4)) == ["<ca", "cat", "at>", "<cat", "cat>"]
    assert bigrams("abc") == ["ab", "bc"]


@pytest.mark.parametrize("word", ["каталог", "каталога", "каталогом", "Каталоги"])
def test_russian_words_are_found_in_any_case(word: str) -> None:
    assert terms(word) == terms("в каталогах")[1:] == ["катало"]


@pytest.mark.parametrize(
    ("text", "english", "no_cjk"),
    [
        ("find files", True, True),
        ("", True, True),
        ("crème brûlée à l'œuf, tiếng Việt, \u0131\u015f\u0131k", True, True),
        ("compute \u03b1 and \u03b2 of the series", True, True),
        ("日本語の検索", False, False),
        ("tar で圧縮したファイルを展開", False, False),
        ("удалить файлы", False, True),
        ("git: удалить ветку", False, True),
        ("पुरानी फ़ाइलें हटाएँ", False, True),
        ("ลบไฟล์เก่า", False, True),
        ("حذف الملفات", False, True),
    ],
)
def test_embedders_are_kept_from_scripts_that_they_do_not_know(
    text: str, english: bool, no_cjk: bool
) -> None:
    assert reads_english_only(text) is english
    assert reads_no_cjk(text) is no_cjk
