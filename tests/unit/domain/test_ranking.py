"""One order out of several searches: sums, order, and silence."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tmws.domain.ranking import (
    NO_PRECEDENTS,
    SHOWN_FROM,
    VOICES_OF_A_PATTERN,
    VOICES_OF_AN_AGENT,
    WEIGHTS,
    Arm,
    Evidence,
    PastUse,
    fuse,
    is_worth_showing,
    precedents,
    usefulness,
    weighing,
)


def nearest_first(uses: Iterable[PastUse]) -> list[PastUse]:
    return sorted(uses, key=lambda use: -use.similarity)


IDS = st.sampled_from([f"p{number}" for number in range(12)])
SCORE = st.floats(-1.0, 60.0).map(lambda score: round(score, 6))
SCORES = st.dictionaries(IDS, SCORE, max_size=12)
ARMS = st.dictionaries(st.sampled_from([Arm.WORDS, Arm.CHARACTERS, Arm.MEANING]), SCORES)
USES = st.lists(
    st.builds(PastUse, IDS, st.floats(-1.0, 1.0), st.floats(0.0, 1.0)), max_size=30
).map(nearest_first)
COUNTS = st.integers(0, 10_000)
COSINES = st.none() | st.floats(-1.0, 1.0)


@given(ARMS, USES, COUNTS)
@example({}, [PastUse("p0", 0.5, 5e-324)], 1)
def test_parts_sum_to_the_score_and_lie_between_0_and_1(
    arms: dict[Arm, dict[str, float]], uses: list[PastUse], recorded: int
) -> None:
    for result in fuse(arms, precedents(uses, recorded=recorded)):
        assert result.score == math.fsum(result.parts.values())
        assert all(part > 0 for part in result.parts.values())
        assert 0.0 <= result.score <= 1.0 + 1e-12


@given(ARMS, USES)
def test_all_that_was_found_is_ranked_once_best_first_equals_by_id(
    arms: dict[Arm, dict[str, float]], uses: list[PastUse]
) -> None:
    past = precedents(uses, recorded=100)
    ranked = list(fuse(arms, past))
    found = {key for scores in arms.values() for key in scores} | set(past.shares)
    assert {result.item_id for result in ranked} == found
    assert len(ranked) == len(found)
    assert ranked == sorted(ranked, key=lambda result: (-result.score, result.item_id))


@given(ARMS, USES)
def test_the_order_of_what_comes_in_does_not_matter(
    arms: dict[Arm, dict[str, float]], uses: list[PastUse]
) -> None:
    turned = {arm: dict(reversed(arms[arm].items())) for arm in reversed(arms)}
    one = fuse(arms, precedents(uses, recorded=9))
    other = fuse(turned, precedents(nearest_first(uses[::-1]), recorded=9))
    assert [result.item_id for result in one] == [result.item_id for result in other]


@given(SCORES, st.floats(0.5, 20.0))
def test_the_scale_of_an_arm_does_not_matter(scores: dict[str, float], factor: float) -> None:
    scaled = {key: score * factor for key, score in scores.items()}
    one, other = fuse({Arm.WORDS: scores}), fuse({Arm.WORDS: scaled})
    assert {result.item_id: result.score for result in one} == pytest.approx(
        {result.item_id: result.score for result in other}, abs=1e-6
    )


def test_an_arm_alone_keeps_its_order() -> None:
    ranked = fuse({Arm.MEANING: {"far": 0.2, "near": 0.9, "middle": 0.6}})
    assert [result.item_id for result in ranked] == ["near", "middle", "far"]


def test_an_absent_arm_leaves_its_weight_to_the_others() -> None:
    scores = {f"p{number}": float(number) for number in range(20)}
    alone = fuse({Arm.WORDS: scores})[0]
    beside_an_empty_one = fuse({Arm.WORDS: scores, Arm.MEANING: {}})[0]
    beside_a_silent_one = fuse({Arm.WORDS: scores, Arm.MEANING: {"p1": -0.5}})[0]
    assert alone == beside_an_empty_one
    assert beside_a_silent_one.score < alone.score


def test_a_clear_winner_outweighs_an_arm_that_cannot_decide() -> None:
    clear = {f"p{number:03}": 1.0 for number in range(100)} | {"p007": 30.0}
    flat = {f"p{number:03}": 0.5 + number / 1000 for number in range(100)}
    assert fuse({Arm.CHARACTERS: clear, Arm.MEANING: flat})[0].item_id == "p007"


def test_nothing_found_gives_nothing() -> None:
    assert not fuse({})
    assert not fuse({Arm.WORDS: {}}, NO_PRECEDENTS)


def test_weights_of_the_arms_are_shares_of_one() -> None:
    assert math.fsum(WEIGHTS.values()) == pytest.approx(1.0)


@given(ARMS, USES, st.floats(0.05, 0.9))
def test_what_meaning_weighs_is_chosen_and_explained(
    arms: dict[Arm, dict[str, float]], uses: list[PastUse], meaning: float
) -> None:
    among, past = weighing(meaning), precedents(uses, recorded=100)
    assert math.fsum(among.values()) == pytest.approx(1.0)
    ranked = fuse(arms, past, among)
    assert list(ranked) == list(fuse(arms, among=among).after(past))
    for result in ranked:
        assert result.score == math.fsum(result.parts.values())
        assert 0.0 <= result.score <= 1.0 + 1e-12
    described = dict(arms)
    described.pop(Arm.MEANING, None)
    assert list(fuse(described, past, among)) == list(fuse(described, past))


def test_the_weights_are_those_where_meaning_has_its_usual_one() -> None:
    assert weighing(WEIGHTS[Arm.MEANING]) == WEIGHTS


def test_the_more_meaning_weighs_the_more_of_the_score_it_is() -> None:
    arms = {Arm.WORDS: {"word": 9.0, "other": 1.0}, Arm.MEANING: {"sense": 0.9, "other": 0.1}}
    assert [fuse(arms, among=weighing(weight))[0].item_id for weight in (0.05, 0.3, 0.9)] == [
        "word",
        "word",
        "sense",
    ]


def test_near_successes_decide_against_a_description() -> None:
    described = {Arm.MEANING: {"described": 0.9, "used": 0.3, "other": 0.2}}
    near = precedents([PastUse("used", 0.9) for _ in range(5)], recorded=5)
    assert fuse(described, near)[0].item_id == "used"


def test_few_distant_uses_do_not_decide_yet_many_do() -> None:
    described = {Arm.MEANING: {"described": 0.9, "used": 0.3, "other": 0.2}}
    uses = [PastUse("used", 0.5) for _ in range(5)]
    assert fuse(described, precedents(uses, recorded=5))[0].item_id == "described"
    assert fuse(described, precedents(uses, recorded=1_000))[0].item_id == "used"


def test_past_uses_of_another_matter_say_nothing() -> None:
    assert precedents([PastUse("p", 0.1)], recorded=1_000) == NO_PRECEDENTS
    assert precedents([], recorded=0) == NO_PRECEDENTS


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=8), st.floats(0.0, 0.9))
def test_a_failure_dilutes_and_never_helps(similarities: list[float], outcome: float) -> None:
    good = [PastUse("p", similarity) for similarity in similarities]
    worse = [replace(use, outcome=outcome) for use in good]
    before = precedents(good, recorded=100)
    after = precedents(worse, recorded=100)
    assert after.weight == before.weight
    assert after.shares.get("p", 0.0) <= before.shares.get("p", 0.0) + 1e-12


def test_what_serves_most_requests_counts_only_where_it_is_met_more_often() -> None:
    uses = [PastUse(key, 0.5) for key in ("always", "always", "always", "rarely")]
    said = precedents(uses, recorded=100, common={"always": 0.75, "rarely": 0.01})
    assert said.shares["always"] == 0.0
    assert said.shares["rarely"] == pytest.approx(0.24 / 0.99)
    alone = precedents(uses[:3], recorded=100, common={"always": 0.75})
    assert alone.shares["always"] == pytest.approx(1.0)


def test_how_much_uses_decide_grows_with_them_and_with_how_near_they_are() -> None:
    weights = [
        [precedents([PastUse("p", near)], recorded=count).weight for near in (0.5, 0.7, 0.9)]
        for count in (30, 300, 3_000)
    ]
    assert weights == [sorted(row) for row in weights]
    assert weights == sorted(weights)
    assert weights[0][0] < 0.45
    assert weights[2][2] > 0.7


@given(st.floats(0.25, 0.99), COUNTS.filter(bool), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_what_a_description_answers_is_left_to_it_but_for_a_fifth(
    near: float, recorded: int, one: float, other: float
) -> None:
    less, more = sorted((one, other))
    alone, beside_less, beside_more = (
        precedents([PastUse("p", near)], recorded=recorded, described=share)
        for share in (0.0, less, more)
    )
    assert beside_more.weight <= beside_less.weight <= alone.weight
    assert beside_more.weight >= alone.weight / 5.0 - 1e-12
    assert beside_more.shares == alone.shares


def test_where_the_same_request_was_made_its_use_counts_in_full_beside_any_description() -> None:
    same = [PastUse("p", 1.0)]
    alone = precedents(same, recorded=10)
    assert precedents(same, recorded=10, described=1.0) == alone


@given(USES, COUNTS, st.dictionaries(IDS, st.floats(0.0, 0.999)))
def test_shares_of_past_uses_are_at_most_one(
    uses: list[PastUse], recorded: int, common: dict[str, float]
) -> None:
    past = precedents(uses, recorded=recorded, common=common)
    assert all(0.0 <= share <= 1.0 + 1e-9 for share in past.shares.values())
    assert math.fsum(past.shares.values()) <= 1.0 + 1e-9
    assert 0.0 <= past.weight < 1.0


@given(st.integers(0, 50), st.integers(0, 50), COUNTS, COSINES, COSINES)
def test_usefulness_is_a_probability(
    asked: int, hits: int, searched: int, meaning: float | None, characters: float | None
) -> None:
    evidence = Evidence(asked, min(asked, hits), searched, meaning, characters)
    assert 0.0 < usefulness(evidence) < 1.0


@given(st.integers(1, 20), st.integers(0, 19), COUNTS, st.floats(-1.0, 0.9), st.floats(-1.0, 0.9))
def test_more_evidence_is_never_less_useful(
    asked: int, hits: int, searched: int, meaning: float, characters: float
) -> None:
    less = Evidence(asked, min(hits, asked - 1), searched, meaning, characters)
    for more in (
        replace(less, held=less.held + 1),
        replace(less, meaning=meaning + 0.1),
        replace(less, characters=characters + 0.1),
    ):
        assert usefulness(more) >= usefulness(less)


def test_the_same_evidence_says_less_among_many() -> None:
    few = Evidence(asked=8, held=5, searched=10, meaning=0.4, characters=0.3)
    assert usefulness(few) > SHOWN_FROM > usefulness(replace(few, held=0, searched=100_000))


def test_the_same_matter_in_other_words_is_worth_showing_and_another_matter_is_not() -> None:
    other_words = Evidence(asked=15.0, held=0.0, searched=12, meaning=0.1, nearest=0.37)
    assert is_worth_showing(other_words)
    assert not is_worth_showing(replace(other_words, nearest=0.2))
    assert not is_worth_showing(replace(other_words, searched=10_000))


def test_a_name_is_worth_showing_whatever_else_there_is() -> None:
    name = Evidence(asked=2.0, held=2.0, searched=100_000, meaning=0.0, characters=0.0)
    assert is_worth_showing(name)
    assert not is_worth_showing(replace(name, asked=12.0))
    assert not is_worth_showing(Evidence(asked=0.0, held=0.0, searched=0))


def spoken(pattern: str, by: str | None, similarity: float = 0.9) -> PastUse:
    return PastUse(pattern, similarity, weight=1.0 if by is None else 0.25, voice=by)


def test_one_agents_word_cannot_drown_what_was_proven() -> None:
    flood = [spoken("bad", "mallory", 0.99) for _ in range(500)]
    flood += [spoken(f"bad {n}", "mallory", 0.98) for n in range(500)]
    said = precedents([*flood, spoken("good", None, 0.95)], recorded=1001)
    assert said.shares["good"] > 0.25
    assert sum(key.startswith("bad") for key in said.shares) <= VOICES_OF_AN_AGENT


def test_of_equally_near_uses_the_proven_one_decides() -> None:
    said = precedents([spoken("said", "bob"), spoken("proven", None)], recorded=2)
    assert said.shares["proven"] == pytest.approx(4 * said.shares["said"])


def test_hearsay_alone_leaves_the_greater_part_to_the_descriptions() -> None:
    hearsay = precedents([spoken("p", name, 1.0) for name in ("ann", "bob")], recorded=10_000)
    proven = precedents([spoken("p", None, 1.0)], recorded=10_000)
    assert hearsay.weight == pytest.approx(proven.weight / 2)
    assert hearsay.weight < 0.5


@given(st.lists(st.tuples(IDS, st.sampled_from([None, "ann", "bob"]), st.floats(-1, 1))))
def test_of_nobodys_mere_word_more_than_a_few_are_heard(
    uses: list[tuple[str, str | None, float]],
) -> None:
    spoken_uses = [spoken(pattern, by, similar) for pattern, by, similar in uses]
    said = precedents(nearest_first(spoken_uses), recorded=len(uses))
    few = [use for use in spoken_uses if use.voice is None]
    for name in ("ann", "bob"):
        few += _first_words([use for use in spoken_uses if use.voice == name])
    assert said == precedents(nearest_first(few), recorded=len(uses))


@given(ARMS, USES)
def test_a_ranking_is_a_list_that_is_cut_where_nothing_speaks_for_the_rest(
    arms: dict[Arm, dict[str, float]], uses: list[PastUse]
) -> None:
    ranking = fuse(arms, precedents(uses, recorded=100))
    every = list(ranking)
    assert [ranking[place] for place in range(len(ranking))] == every == ranking[:]
    assert list(ranking.above_nothing()) == [result for result in every if result.score > 0.0]


def _first_words(uses: list[PastUse]) -> list[PastUse]:
    kept: list[PastUse] = []
    for use in sorted(uses, key=lambda use: (-use.similarity, use.pattern_id)):
        same = sum(known.pattern_id == use.pattern_id for known in kept)
        if same < VOICES_OF_A_PATTERN and len(kept) < VOICES_OF_AN_AGENT:
            kept.append(use)
    return kept
