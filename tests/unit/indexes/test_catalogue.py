"""The working copy that search looks into: BM25 over what may be read, and nothing else."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.indexes.catalogue import Block, Caller, WordRow, common, matching, nearest_uses, spelt
from tmws.indexes.uses import UseRow

WORDS = st.lists(st.sampled_from("retry flaky network call build cache lock".split()), max_size=12)
LEVELS = st.sampled_from(["private", "shared", "public", "system"])
OWNERS = st.sampled_from(["ann", "bob", "eve"])
DOCUMENTS = st.lists(st.tuples(WORDS, OWNERS, LEVELS, st.booleans()), max_size=25)
Documents = list[tuple[list[str], str, str, bool]]
SLIPS = st.lists(
    st.sampled_from("rtery flakky netwrk cal buld cache catch lick".split()), max_size=6
)
ANN = "ann"
AT = datetime(2026, 1, 1, tzinfo=UTC)


def rows(documents: Documents) -> list[WordRow]:
    return [
        WordRow(f"p{number:02}", owner, level, number + 1, " ".join(words))
        for number, (words, owner, level, _) in enumerate(documents)
    ]


def filled(documents: Documents) -> Block:
    block = Block()
    block.refresh(rows(documents))
    return block


def may_see(document: tuple[list[str], str, str, bool], *, member: bool) -> bool:
    _, owner, level, granted = document
    return (
        owner == ANN
        or level == "system"
        or (level == "public" and member)
        or (level == "shared" and granted)
    )


def granted(documents: Documents) -> list[str]:
    return [f"p{n:02}" for n, (_, _, _, opened) in enumerate(documents) if opened]


def naive(asked: list[str], seen: dict[str, list[str]]) -> dict[str, float]:
    """BM25 as it is printed in the books, over what can be seen."""
    total = len(seen)
    mean = sum(map(len, seen.values())) / total if total else 0.0
    scores: dict[str, float] = {}
    for term in set(asked):
        holding = sum(term in words for words in seen.values())
        for key, words in seen.items():
            count = Counter(words)[term]
            if count:
                rarity = math.log(1 + (total - holding + 0.5) / (holding + 0.5))
                load = 1.2 * (0.6 + 0.4 * len(words) / mean)
                scores[key] = scores.get(key, 0.0) + rarity * count * 2.2 / (count + load)
    return scores


@given(DOCUMENTS, WORDS, st.booleans())
def test_scores_are_those_of_a_store_that_holds_only_what_may_be_read(
    documents: Documents, asked: list[str], member: bool
) -> None:
    seen = {
        f"p{n:02}": document[0]
        for n, document in enumerate(documents)
        if may_see(document, member=member)
    }
    view = filled(documents).view(Caller(ANN, granted(documents)), member=member)
    assert view.ids == seen.keys()
    assert view.count == len(seen)
    assert matching(asked, [view], limit=100) == pytest.approx(naive(asked, seen), rel=1e-4)


@given(DOCUMENTS, SLIPS, st.booleans())
def test_what_was_meant_is_told_by_what_may_be_read_alone(
    documents: Documents, asked: list[str], member: bool
) -> None:
    seen = [document for document in documents if may_see(document, member=member)]
    alone = filled([(words, ANN, "private", False) for words, *_ in seen])
    view = filled(documents).view(Caller(ANN, granted(documents)), member=member)
    expected = spelt(asked, [alone.view(Caller(ANN, ()), member=False)])
    assert spelt(asked, [view]) == expected
    readable = {word for words, *_ in seen for word in words}
    assert set(expected) <= readable | set(asked)


def test_the_most_common_of_two_near_words_was_meant_and_a_known_one_stays() -> None:
    documents: Documents = [(["cache"], ANN, "public", False), (["catch"], ANN, "public", False)]
    documents.append((["catch", "cache"], "bob", "private", False))
    documents.append((["catch"], ANN, "public", False))
    view = filled(documents).view(Caller(ANN, ()), member=True)
    assert spelt(["cacch", "cache", "wholly"], [view]) == ("catch", "cache", "wholly")


@given(DOCUMENTS, DOCUMENTS, WORDS)
def test_two_namespaces_are_weighed_as_one_store(
    here: Documents, there: Documents, asked: list[str]
) -> None:
    both = filled(here + there).view(Caller(ANN, ()), member=True)
    first, second = filled(here), Block()
    second.refresh(rows(here + there)[len(here) :])
    views = [block.view(Caller(ANN, ()), member=True) for block in (first, second)]
    assert matching(asked, views, limit=100) == pytest.approx(matching(asked, [both], limit=100))


@given(DOCUMENTS, DOCUMENTS, WORDS, st.integers(1, 9))
def test_in_however_many_steps_it_is_taken_over_the_same_is_found(
    before: Documents, after: Documents, asked: list[str], step: int
) -> None:
    later = [
        WordRow(r.item_id, r.owner_id, r.level, 100 + r.revision, r.terms if n % 4 else None)
        for n, r in enumerate(rows(after))
    ]
    history = [*rows(before), *later]
    whole, parted = Block(), Block()
    whole.refresh(history)
    for start in range(0, len(history), step):
        parted.refresh(history[start : start + step])
    one, other = (block.view(Caller(ANN, ()), member=True) for block in (whole, parted))
    assert matching(asked, [one], limit=100) == matching(asked, [other], limit=100)
    assert (one.ids, whole.revision) == (other.ids, parted.revision)


@given(DOCUMENTS, WORDS, st.integers(1, 5))
def test_the_best_are_kept_and_of_equal_ones_the_earlier(
    documents: Documents, asked: list[str], limit: int
) -> None:
    view = filled(documents).view(Caller(ANN, ()), member=True)
    every = matching(asked, [view], limit=100)
    best = sorted(every, key=lambda key: (-every[key], key))[:limit]
    assert set(matching(asked, [view], limit=limit)) == set(best)


@given(DOCUMENTS, DOCUMENTS, WORDS)
def test_what_changed_is_found_by_its_new_words_alone(
    before: Documents, after: Documents, asked: list[str]
) -> None:
    block = filled(before)
    gone = [WordRow(row.item_id, row.owner_id, row.level, 50, None) for row in rows(before)]
    block.refresh(gone[::2])
    block.refresh(
        [WordRow(r.item_id, r.owner_id, r.level, 100 + r.revision, r.terms) for r in rows(after)]
    )
    fresh = {row.item_id: row for row in rows(before)}
    fresh = {key: row for n, (key, row) in enumerate(fresh.items()) if n % 2}
    fresh |= {row.item_id: row for row in rows(after)}
    only = Block()
    only.refresh(list(fresh.values()))
    views = [each.view(Caller(ANN, ()), member=True) for each in (block, only)]
    got, expected = (matching(asked, [view], limit=100) for view in views)
    assert got == pytest.approx(expected)


def test_a_row_that_another_search_was_faster_with_counts_once() -> None:
    block = filled([(["retry"], ANN, "public", False)])
    block.refresh(rows([(["retry", "retry"], ANN, "public", False)]))
    view = block.view(Caller(ANN, ()), member=True)
    assert view.held("p00", ["retry", "flaky"]) == {"retry"}
    assert view.count == 1


def test_a_request_among_chosen_ids_weighs_only_those() -> None:
    documents: Documents = [(["retry"] * n, ANN, "public", False) for n in (1, 2, 3)]
    view = filled(documents).view(Caller(ANN, ()), member=True, among=["p01", "absent"])
    assert view.ids == {"p01"}
    assert matching(["retry"], [view], limit=9).keys() == {"p01"}


def use(number: int, pattern: str, *similar: float, embedders: int = 2) -> UseRow:
    vectors = {
        f"e{place}": np.array([value, math.sqrt(1 - value**2)], np.float32).tobytes()
        for place, value in enumerate(similar[:embedders])
    }
    return UseRow(f"u{number}", pattern, "bob", 1.0, True, 1.0, AT, number + 1, vectors)


ASKED = {f"e{place}": np.array([1.0, 0.0], np.float32) for place in range(2)}


def test_the_nearest_uses_are_those_of_what_may_be_read() -> None:
    block = filled([(["a"], "bob", level, False) for level in ("public", "private", "system")])
    block.refresh_uses(
        0, [use(0, "p00", 0.2, 0.4), use(1, "p01", 0.9, 0.9), use(2, "p02", 0.6, 0.8)]
    )
    view = block.view(Caller(ANN, ()), member=True)
    near = nearest_uses(ASKED, [view], limit=9)
    assert [each.use.pattern_id for each in near] == ["p02", "p00"]
    assert [each.similarity for each in near] == [pytest.approx(0.7), pytest.approx(0.3)]
    assert view.uses == 2
    assert nearest_uses(ASKED, [block.view(Caller(ANN, ()), member=False)], limit=9) == near[:1]
    assert len(nearest_uses(ASKED, [view], limit=1)) == 1


def test_uses_of_what_may_be_read_are_counted_and_mere_word_little_and_not_without_end() -> None:
    block = filled([(["a"], "bob", level, False) for level in ("public", "private", "public")])
    said = [replace(use(number, "p02", 0.5, 0.5), proven=False) for number in range(3, 50)]
    block.refresh_uses(0, [use(0, "p00", 0.2, 0.4), use(1, "p01", 0.9, 0.9), *said])
    view = block.view(Caller(ANN, ()), member=True)
    # Of Bob's word two uses count a quarter each, and one of something else is thought of.
    ids = ["p00", "p01", "p02", "absent"]
    shares = common(ids, [view], caller_id=ANN)
    assert shares == {"p00": 1 / 2.5, "p01": 0.0, "p02": 0.5 / 2.5}
    own = common(ids, [block.view(Caller("bob", ()), member=True)], caller_id="bob")
    assert own == {"p00": 1 / 50, "p01": 1 / 50, "p02": 47 / 50}


def test_an_embedder_that_did_not_answer_takes_no_part_in_the_similarity() -> None:
    block = filled([(["a"], ANN, "public", False)])
    block.refresh_uses(0, [use(0, "p00", 0.8, embedders=1), use(1, "p00", 0.5, 0.5)])
    view = block.view(Caller(ANN, ()), member=True)
    near = nearest_uses(ASKED, [view], limit=9)
    assert [each.similarity for each in near] == [pytest.approx(0.8), pytest.approx(0.5)]
    later = {"e1": use(0, "p00", 0.2).vectors["e0"]}
    block.refresh_uses(0, [UseRow("u0", "p00", "bob", 1.0, True, 1.0, AT, 9, later)])
    again = nearest_uses(ASKED, [block.view(Caller(ANN, ()), member=True)], limit=9)
    assert [each.similarity for each in again] == [pytest.approx(0.5), pytest.approx(0.5)]


def test_uses_of_what_is_gone_are_gone() -> None:
    block = filled([(["a"], ANN, "public", False)])
    block.refresh_uses(0, [use(0, "p00", 0.9, 0.9), use(1, "absent", 0.9, 0.9)])
    block.refresh([WordRow("p00", ANN, "public", 99, None)])
    view = block.view(Caller(ANN, ()), member=True)
    assert nearest_uses(ASKED, [view], limit=9) == []
    assert (view.count, view.uses) == (0, 0)
    assert view.held("p00", ["a"]) == frozenset()
    assert view.held("absent", ["a"]) == frozenset()


def test_what_a_forgotten_use_was_for_is_near_nothing() -> None:
    block = filled([(["a"], ANN, "public", False)])
    empty = dict.fromkeys(ASKED, b"")
    block.refresh_uses(0, [UseRow("u0", "p00", "bob", 1.0, True, 1.0, AT, 1, empty)])
    block.refresh_uses(0, [use(1, "p00", 0.9, 0.9)])
    block.refresh_uses(0, [UseRow("u1", "p00", "bob", 1.0, True, 1.0, AT, 9, empty)])
    near = nearest_uses(ASKED, [block.view(Caller(ANN, ()), member=True)], limit=9)
    assert [each.similarity for each in near] == [0.0, 0.0]


def test_uses_that_were_taken_back_are_gone_and_older_searches_bring_none_back() -> None:
    block = filled([(["a"], ANN, "public", False)])
    both = [use(0, "p00", 0.9, 0.9), use(1, "p00", 0.8, 0.8)]
    block.refresh_uses(0, both)
    block.refresh_uses(1, both[:1])
    block.refresh_uses(0, both)
    view = block.view(Caller(ANN, ()), member=True)
    assert view.uses == 1
    assert [each.use.use_id for each in nearest_uses(ASKED, [view], limit=9)] == ["u0"]
