"""From a request to an order and to silence, as product and evaluation both go."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from tmws.domain.ranking import Arm
from tmws.indexes.catalogue import Block, Caller, View, WordRow
from tmws.indexes.finding import Asked, Found, by_uses, by_words, settled
from tmws.indexes.uses import UseRow

TEXTS = {"retry": "retri flaki network call backoff", "bread": "dough rise fridg"}


def view() -> View:
    block = Block()
    block.refresh(
        [WordRow(key, "ann", "public", n, text) for n, (key, text) in enumerate(TEXTS.items(), 1)]
    )
    return block.view(Caller("ann", ()), member=True)


def shown(asked: Asked, **near: dict[str, float]) -> list[str]:
    arms = {Arm.WORDS: by_words(asked, [view()]), **{Arm(arm): near[arm] for arm in near}}
    found = settled(asked, [view()], arms, [], caller_id="ann")
    return [result.item_id for result in found.ranked] if found.shown else []


OTHER_WORDS = Asked(("connect", "drop"), {Arm.MEANING: np.ones(1, np.float32)})


def test_the_same_matter_in_other_words_comes_first_whatever_is_spelt_alike_by_chance() -> None:
    meaning, chance = {"retry": 0.37, "bread": 0.05}, {"bread": 0.12, "retry": 0.01}
    assert shown(OTHER_WORDS, meaning=meaning, characters=chance)[0] == "retry"


def test_one_common_word_elsewhere_does_not_silence_the_same_matter() -> None:
    asked = Asked(("connect", "keep", "drop", "onc", "dough"), OTHER_WORDS.vectors)
    assert "retry" in shown(asked, meaning={"retry": 0.37, "bread": 0.05})


def test_another_matter_finds_nothing() -> None:
    assert shown(OTHER_WORDS, meaning={"retry": 0.07, "bread": 0.05}) == []


def test_a_word_that_stands_in_it_finds_it_without_any_embedder() -> None:
    assert shown(Asked(("dough",))) == ["bread"]
    assert shown(Asked(("sky",))) == []


def test_a_word_with_a_typing_error_finds_what_was_meant() -> None:
    assert shown(Asked(("netwrok",))) == ["retry"]
    assert shown(Asked(("doug",))) == ["bread"]
    assert shown(Asked(("sough",))) == []


def used(count: int, *, vector: tuple[float, float], **others: str) -> View:
    """`bread` served so many requests of this vector."""
    block, texts = Block(), TEXTS | others
    block.refresh(
        [WordRow(key, "ann", "public", n, text) for n, (key, text) in enumerate(texts.items(), 1)]
    )
    made = np.array(vector, np.float32).tobytes()
    at = datetime(2026, 1, 1, tzinfo=UTC)
    block.refresh_uses(
        0,
        [
            UseRow(f"{n:04}", "bread", "ann", 1.0, True, 1.0, at, n, {"model": made})
            for n in range(1, count + 1)
        ],
    )
    return block.view(Caller("ann", ()), member=True)


def asked_beside_uses(words: tuple[str, ...], seen: View) -> Found:
    asked = Asked(words, {Arm.MEANING: np.array([1.0, 0.0], np.float32)}, {Arm.MEANING: "model"})
    arms = {Arm.WORDS: by_words(asked, [seen])}
    return settled(asked, [seen], arms, by_uses(asked, [seen]), caller_id="ann")


ALIKE, NEAR, SAME = (0.6, 0.8), (0.8, 0.6), (1.0, 0.0)


def test_uses_of_the_like_give_way_to_a_description_that_holds_the_request() -> None:
    seen = used(100, vector=ALIKE)
    held = asked_beside_uses(("retri", "flaki", "network"), seen)
    unknown = asked_beside_uses(("retri", "walrus", "zebra", "violin"), seen)
    assert held.described == 1.0
    assert 0.0 < unknown.described < 0.3
    assert held.uses.weight < unknown.uses.weight
    assert held.ranked[0].item_id == "retry"
    assert unknown.ranked[0].item_id == "bread"


def test_a_use_of_the_same_request_leads_beside_a_description_that_holds_it() -> None:
    found = asked_beside_uses(("retri", "flaki", "network"), used(100, vector=SAME))
    assert found.ranked[0].item_id == "bread"
    assert found.ranked[0].parts[Arm.USES] == found.uses.weight


def test_a_description_stuffed_with_words_does_not_bury_what_was_proven_for_the_like() -> None:
    stuffed = " ".join(TEXTS.values()) + " walrus zebra violin"
    seen = used(300, vector=NEAR, stuffed=stuffed)
    words = ("retri", "flaki", "walrus", "zebra", "violin")
    found = asked_beside_uses(words, seen)
    assert found.described == 1.0
    assert [result.item_id for result in found.ranked][:2] == ["bread", "stuffed"]


def test_what_is_told_of_uses_sums_to_the_score_beside_a_description() -> None:
    found = asked_beside_uses(("retri", "flaki", "network"), used(30, vector=ALIKE))
    for result in found.ranked:
        assert result.score == pytest.approx(sum(result.parts.values()), abs=1e-12)
    assert asked_beside_uses(("dough",), used(1, vector=(0.0, 1.0))).uses.weight == 0.0
