"""A model behind an OpenAI-compatible endpoint: Ollama, vLLM, llama.cpp, and others."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import httpx2
import numpy as np

from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.ports import ModelPlace, Vector

_TEXTS_A_CALL = 32
_MOST_CHARACTERS = 8_192
_LONGEST_MODEL = 48
# Some servers cut a text to what their model reads, others refuse it.
_TOO_LONG = (400, 413, 422)
_SHORTEST_CUT = 512
# A number takes at most 26 characters of JSON; the rest is for names and counts.
_BYTES_A_NUMBER, _BYTES_BESIDE = 32, 65_536


class OpenAiEmbedder:
    """Posts texts to `{url}/embeddings` and believes nothing of the answer unchecked.

    The first 8,192 characters of a text are sent. Redirects are not followed, so the key
    goes where it was meant to go.
    """

    def __init__(self, place: ModelPlace) -> None:
        """Prepare to connect; nothing is sent yet.

        Raises:
            BackendUnavailable: a setting is missing.
        """
        if not place.url or not place.model or not place.dimension:
            raise BackendUnavailable(
                "The embedder 'openai' needs TMWS_EMBEDDER_URL (such as "
                "http://127.0.0.1:11434/v1), TMWS_EMBEDDER_MODEL and TMWS_EMBEDDER_DIMENSION.",
                retryable=False,
            )
        if len(place.model) > _LONGEST_MODEL:
            raise InvalidInput(
                f"TMWS_EMBEDDER_MODEL has {len(place.model)} characters; at most {_LONGEST_MODEL} "
                "fit. Give the model a shorter alias at its server."
            )
        if not place.url.startswith(("http://", "https://")):
            raise InvalidInput("TMWS_EMBEDDER_URL is refused: give http://… or https://….")
        self._model, self._dimension = place.model, place.dimension
        self._url, self._seconds = f"{place.url.rstrip('/')}/embeddings", place.seconds
        key = place.key
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._http = httpx2.AsyncClient(headers=headers, timeout=place.seconds)

    @property
    def id(self) -> str:
        """Name and length of its vectors: what the server calls by that name is its affair."""
        return f"openai/{self._model}/{self._dimension}"

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return self._dimension

    @property
    def english_only(self) -> bool:
        """Nothing is known of the model, which may read many languages."""
        return False

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Return one unit vector per text.

        Raises:
            BackendUnavailable: the server did not answer in time, or not with such vectors.
        """
        rows = np.empty((len(texts), self._dimension), np.float32)
        for start in range(0, len(texts), _TEXTS_A_CALL):
            some = [text[:_MOST_CHARACTERS] for text in texts[start : start + _TEXTS_A_CALL]]
            rows[start : start + len(some)] = await self._call(some)
        return rows

    async def aclose(self) -> None:
        """Close the connection."""
        await self._http.aclose()

    async def _call(self, texts: Sequence[str]) -> Vector:
        """Post texts, fewer and shorter ones while the server finds them too long."""
        try:
            return self._vectors(await self._answer(texts), len(texts))
        except _TooLong:
            if len(texts) > 1:
                return np.concatenate([await self._call([text]) for text in texts])
            if len(texts[0]) <= _SHORTEST_CUT:
                raise
            return await self._call([texts[0][: len(texts[0]) // 2]])

    async def _answer(self, texts: Sequence[str]) -> bytes:
        wanted = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        most = len(texts) * self._dimension * _BYTES_A_NUMBER + _BYTES_BESIDE
        body = bytearray()
        try:
            # The client's own limit is for each read: an answer that drips would never end.
            async with (
                asyncio.timeout(self._seconds),
                self._http.stream("POST", self._url, json=wanted) as response,
            ):
                if response.status_code in _TOO_LONG:
                    raise _TooLong(self._said(f"status {response.status_code}"))
                if response.status_code != httpx2.codes.OK:
                    raise self._failed(f"status {response.status_code}")
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > most:
                        raise self._failed(f"more than {most:,} bytes")
        except TimeoutError as error:
            raise self._failed(f"nothing whole in {self._seconds:g} s") from error
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise self._failed(f"nothing ({type(error).__name__})") from error
        return bytes(body)

    def _vectors(self, answer: bytes, count: int) -> Vector:
        try:
            data = json.loads(answer)["data"]
            rows = [row["embedding"] for row in sorted(data, key=_place)]
            places = [_place(row) for row in data]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise self._failed("something else than embeddings") from error
        if sorted(places) != list(range(count)):
            raise self._failed(f"{len(places)} vectors for {count} texts")
        for row in rows:
            if not isinstance(row, list) or len(row) != self._dimension:
                length = len(row) if isinstance(row, list) else "no"
                raise self._failed(
                    f"{length} numbers a vector where TMWS_EMBEDDER_DIMENSION says "
                    f"{self._dimension}"
                )
        return self._unit(rows)

    def _unit(self, rows: list[Any]) -> Vector:
        try:
            raw = np.array(rows, np.float64)
        except (ValueError, TypeError, OverflowError) as error:
            raise self._failed("something else than numbers") from error
        lengths = np.linalg.norm(raw, axis=1, keepdims=True) if raw.ndim == 2 else np.zeros(1)
        if not np.isfinite(lengths).all() or not (lengths > 0).all():
            raise self._failed("vectors without a finite length")
        unit: Vector = (raw / lengths).astype(np.float32)
        return unit

    def _failed(self, what: str) -> BackendUnavailable:
        return BackendUnavailable(self._said(what))

    def _said(self, what: str) -> str:
        return f"The embedder {self.id} answered: {what[:160]}."


class _TooLong(BackendUnavailable):
    """The server refused the request itself; what it refuses is usually a long text."""


def _place(row: Any) -> int:
    place = row["index"]
    if not isinstance(place, int):
        raise TypeError("an index is a number")
    return place
