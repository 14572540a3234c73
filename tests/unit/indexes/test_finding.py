"""From a request to an order and to silence, as product and evaluation both go."""

from __future__ import annotations

import numpy as np

from tmws.domain.ranking import Arm
from tmws.indexes.catalogue import Block, Caller, View, WordRow
from tmws.indexes.finding import Asked, by_words, settled

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
