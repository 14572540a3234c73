"""An OpenAI-compatible endpoint, played by a real HTTP server that can also misbehave."""

from __future__ import annotations

import asyncio
import contextlib
import json
import math
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.endpoints import Answer, Endpoint, Writer, played, reply, saying, vectors
from tests.patience import ENOUGH_SECONDS
from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.embeddings.openai import OpenAiEmbedder
from tmws.ports import ModelPlace

DIMENSION = 8


def data(texts: list[str]) -> Any:
    return {"object": "list", "data": vectors(texts, DIMENSION)[::-1], "model": "toy"}


@pytest.fixture
async def endpoint() -> AsyncIterator[Endpoint]:
    async with played(saying(data)) as endpoint:
        yield endpoint


@contextlib.asynccontextmanager
async def embedder(endpoint: Endpoint, **changes: Any) -> AsyncIterator[OpenAiEmbedder]:
    fields = {"url": endpoint.url, "model": "toy", "dimension": DIMENSION, "seconds": 5.0}
    made = OpenAiEmbedder(ModelPlace(Path("unused"), **{**fields, **changes}))
    yield made
    await made.aclose()


async def test_it_posts_texts_and_returns_unit_vectors_in_their_order(endpoint: Endpoint) -> None:
    texts = ["a" * length for length in range(1, 71)]
    async with embedder(endpoint, key="s3cret") as made:
        rows = await made.embed(texts)
    assert rows.shape == (70, DIMENSION)
    assert rows.dtype == np.float32
    assert np.allclose(np.linalg.norm(rows, axis=1), 1)
    raw = np.array([row["embedding"] for row in vectors(texts, DIMENSION)])
    assert np.allclose(rows, raw / np.linalg.norm(raw, axis=1, keepdims=True))
    assert [len(body["input"]) for _, _, body in endpoint.requests] == [32, 32, 6]
    line, headers, body = endpoint.requests[0]
    assert line.startswith("POST /v1/embeddings ")
    assert headers["authorization"] == "bearer s3cret"
    assert body["model"] == "toy"
    assert made.id == "openai/toy/8"


async def test_without_a_key_none_is_sent_and_long_texts_are_cut(endpoint: Endpoint) -> None:
    async with embedder(endpoint) as made:
        await made.embed(["x" * 20_000])
        assert (await made.embed([])).shape == (0, DIMENSION)
    [(_, headers, body)] = endpoint.requests
    assert "authorization" not in headers
    assert len(body["input"][0]) == 8_192


async def test_what_a_server_finds_too_long_is_cut_by_halves(endpoint: Endpoint) -> None:
    async def strict(request: dict[str, Any], writer: Writer) -> None:
        fits = all(len(text) <= 2_000 for text in request["input"])
        answer = data(request["input"]) if fits else {"error": "too long"}
        writer.write(reply(json.dumps(answer), "200 OK" if fits else "400 Bad Request"))

    endpoint.answer = strict
    async with embedder(endpoint) as made:
        rows = await made.embed(["short", "x" * 7_000])
        right = await made.embed(["short", "x" * 1_750])
        assert np.array_equal(rows, right)
        endpoint.answer = saying(lambda _: {}, "400 Bad Request")
        with pytest.raises(BackendUnavailable, match="status 400"):
            await made.embed(["x" * 7_000])


NAN = '{"data": [{"index": 0, "embedding": [NaN, 1, 1, 1, 1, 1, 1, 1]}]}'
FAULTS: dict[str, tuple[Answer, str]] = {
    "status 500": (saying(lambda _: {}, "500 Internal Server Error"), "status 500"),
    "status 404": (saying(lambda _: {}, "404 Not Found"), "status 404"),
    "a redirect": (saying(lambda _: {}, "302 Found"), "status 302"),
    "another length": (
        saying(lambda texts: {"data": vectors(texts, 384)}),
        "384 numbers a vector where TMWS_EMBEDDER_DIMENSION says 8",
    ),
    "too few": (saying(lambda _: {"data": []}), "0 vectors for 1 texts"),
    "too many": (
        saying(lambda t: {"data": vectors([*t, "more"], DIMENSION)}),
        "2 vectors for 1 texts",
    ),
    "one twice": (saying(lambda t: {"data": vectors(t, DIMENSION) * 2}), "2 vectors for 1 texts"),
    "zeros": (
        saying(lambda _: {"data": [{"index": 0, "embedding": [0.0] * DIMENSION}]}),
        "without a finite length",
    ),
    "words": (
        saying(lambda _: {"data": [{"index": 0, "embedding": ["x"] * DIMENSION}]}),
        "something else than numbers",
    ),
    "nests": (
        saying(lambda _: {"data": [{"index": 0, "embedding": [[1.0]] * DIMENSION}]}),
        "without a finite length",
    ),
    "base64": (
        saying(lambda _: {"data": [{"index": 0, "embedding": "AAAA"}]}),
        "no numbers a vector",
    ),
    "an error that looks well": (
        saying(lambda _: {"error": {"message": "no such model"}}),
        "something else than embeddings",
    ),
    "a list": (saying(lambda _: [1, 2]), "something else than embeddings"),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_what_is_no_vector_is_refused(endpoint: Endpoint, fault: str) -> None:
    endpoint.answer, said = FAULTS[fault]
    async with embedder(endpoint) as made:
        with pytest.raises(BackendUnavailable, match=said):
            await made.embed(["text"])
        endpoint.answer = saying(data)
        assert (await made.embed(["text"])).shape == (1, DIMENSION)


async def raw(endpoint: Endpoint, body: bytes) -> None:
    async def answer(_: dict[str, Any], writer: Writer) -> None:
        writer.write(body)

    endpoint.answer = answer
    async with embedder(endpoint) as made:
        await made.embed(["text"])


@pytest.mark.parametrize(
    "body",
    [reply(NAN), reply("<html>"), reply(b"\xff\xfe"), b"", b"HTTP/1.1 200", reply("[" * 9999)],
    ids=["NaN", "html", "no text", "nothing", "half a head", "a tower of brackets"],
)
async def test_garbage_is_refused(endpoint: Endpoint, body: bytes) -> None:
    with pytest.raises(BackendUnavailable):
        await raw(endpoint, body)


async def test_an_endless_answer_is_cut(endpoint: Endpoint) -> None:
    sent = 0

    async def flood(_: dict[str, Any], writer: Writer) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
        while sent < 100_000_000:
            writer.write(b"1" * 65_536)
            await writer.drain()
            sent += 65_536

    endpoint.answer = flood
    async with embedder(endpoint) as made:
        with pytest.raises(BackendUnavailable, match="more than"):
            await made.embed(["text"])
    assert sent < 10_000_000


@pytest.mark.parametrize("dripping", [True, False], ids=["drips", "hangs"])
async def test_an_answer_that_never_ends_is_given_up(endpoint: Endpoint, dripping: bool) -> None:
    asked = asyncio.Event()

    async def slow(_: dict[str, Any], writer: Writer) -> None:
        asked.set()
        if dripping:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while dripping:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)
        await asyncio.Event().wait()

    endpoint.answer = slow
    async with embedder(endpoint, seconds=0.3) as made, asyncio.timeout(ENOUGH_SECONDS):
        with pytest.raises(BackendUnavailable, match=r"nothing whole in 0.3 s"):
            await made.embed(["text"])
    assert asked.is_set()


async def test_nobody_there_is_unavailable(endpoint: Endpoint) -> None:
    async with embedder(endpoint, url="http://127.0.0.1:9/v1") as made:
        with pytest.raises(BackendUnavailable):
            await made.embed(["text"])


@pytest.mark.parametrize("missing", ["url", "model", "dimension"])
async def test_missing_settings_are_named(endpoint: Endpoint, missing: str) -> None:
    with pytest.raises(BackendUnavailable, match="TMWS_EMBEDDER_URL"):
        async with embedder(endpoint, **{missing: None}):
            pass


@pytest.mark.parametrize("change", [{"url": "file:///etc"}, {"model": "m" * 49}])
async def test_odd_settings_are_refused(endpoint: Endpoint, change: dict[str, str]) -> None:
    with pytest.raises(InvalidInput):
        async with embedder(endpoint, **change):
            pass


def test_the_longest_id_fits_the_column() -> None:
    made = OpenAiEmbedder(
        ModelPlace(Path("unused"), url="http://x", model="m" * 48, dimension=99_999)
    )
    assert len(made.id) <= 64
    assert math.isfinite(made.dimension)
