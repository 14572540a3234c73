"""The embedder that needs nothing: what its vectors promise."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.embeddings.hashing import HashingEmbedder

pytestmark = pytest.mark.anyio


async def cosine(one: str, other: str) -> float:
    first, second = await HashingEmbedder().embed([one, other])
    return float(first @ second)


async def test_no_texts_give_an_empty_array_of_the_right_width() -> None:
    embedder = HashingEmbedder()
    assert (await embedder.embed([])).shape == (0, embedder.dimension)


@given(st.lists(st.text(max_size=200), min_size=1, max_size=4))
async def test_every_text_has_a_vector_of_unit_length(texts: list[str]) -> None:
    vectors = await HashingEmbedder().embed(texts)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts), HashingEmbedder().dimension)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)


@given(st.text(max_size=100), st.text(max_size=100))
async def test_a_vector_does_not_depend_on_its_neighbours(one: str, other: str) -> None:
    embedder = HashingEmbedder()
    together = await embedder.embed([one, other])
    alone = await embedder.embed([other])
    assert np.array_equal(together[1], alone[0])


async def test_vectors_are_those_that_the_id_stands_for() -> None:
    vectors = await HashingEmbedder().embed(
        ["Delete files older than 30 days", "日本語のテキスト検索", ""]
    )
    rounded = np.round(vectors.astype(np.float64), 4) + 0.0
    # A new value here means that stored vectors no longer compare: raise the id's version.
    assert HashingEmbedder().id == "hashing-512-1"
    assert hashlib.sha256(rounded.tobytes()).hexdigest()[:16] == "01c03012474879f3"


async def test_the_same_words_are_nearer_if_they_are_spelled_alike() -> None:
    for one, other in (("crème brûlée", "creme brulee"), ("số tệp", "sô têp"), ("ёлка", "елка")):
        assert 0.5 < await cosine(one, other) < 0.95
        assert await cosine(one, one) == pytest.approx(1.0)


async def test_inflected_words_stay_near() -> None:
    assert await cosine("deleting old files", "delete the old file") > 0.8


async def test_a_typing_error_costs_less_than_another_word() -> None:
    right = "accessibility audit"
    assert await cosine(right, "accesibility audit") > await cosine(right, "database audit") + 0.1


async def test_japanese_is_compared_by_pairs_of_characters() -> None:
    near = await cosine("日本語の検索", "日本語検索エンジン")
    assert near > 0.4 > await cosine("日本語の検索", "画像を圧縮する")


async def test_texts_without_a_common_word_are_strangers() -> None:
    assert abs(await cosine("compile the kernel", "water a cactus")) < 0.2
