"""all-MiniLM-L6-v2 on onnxruntime: meaning, for English, on one processor core."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import cached_property
from threading import Lock
from typing import NamedTuple

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

from tmws.domain.errors import BackendUnavailable
from tmws.embeddings import weights
from tmws.embeddings.minilm_graph import WIDTH
from tmws.ports import ModelPlace, Vector

_MOST_TOKENS = 256
_MOST_CHARACTERS = 8_192
_TEXTS_A_TURN = 8
_CPU = "CPUExecutionProvider"
_PROVIDERS = {"cpu": _CPU, "cuda": "CUDAExecutionProvider"}


class _Model(NamedTuple):
    tokenizer: Tokenizer
    session: onnxruntime.InferenceSession


class MiniLmEmbedder:
    """Loads its model at the first text: 24 MB of files that `tmws embedder fetch` installs.

    Reads the first 256 tokens of a text, about 1,000 characters of English. The
    vector of a text depends on nothing else, not on what is embedded beside it.
    """

    def __init__(self, place: ModelPlace) -> None:
        self._folder = place.folder
        self._provider = _PROVIDERS[place.device]
        self._loading = Lock()

    @property
    def id(self) -> str:
        """Name of the model and digest of its weights."""
        return f"minilm-l6-v2-int8-{weights.ENCODER_SHA256[:12]}"

    @property
    def dimension(self) -> int:
        """Length of every vector."""
        return WIDTH

    @property
    def english_only(self) -> bool:
        """It was trained on English and has hardly a word of other scripts."""
        return True

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Return one unit vector per text; other tasks go on meanwhile.

        Raises:
            BackendUnavailable: the model is not installed or could not be run.
        """
        rows = np.empty((len(texts), WIDTH), np.float32)
        for start in range(0, len(texts), _TEXTS_A_TURN):
            turn = texts[start : start + _TEXTS_A_TURN]
            rows[start : start + len(turn)] = await asyncio.to_thread(self._embed, turn)
        return rows

    async def aclose(self) -> None:
        """The model goes with the object."""

    def _embed(self, texts: Sequence[str]) -> list[Vector]:
        with self._loading:
            model = self._model
        try:
            return [_vector(model, text) for text in texts]
        except RuntimeError as error:
            raise BackendUnavailable("the MiniLM model failed on a text; try again.") from error

    @cached_property
    def _model(self) -> _Model:
        self._require_provider()
        files = weights.load(self._folder)
        tokenizer = Tokenizer.from_str(files.tokenizer)
        tokenizer.no_padding()
        tokenizer.enable_truncation(_MOST_TOKENS)
        # "[SEP]" in somebody's text is five characters, not a control token.
        tokenizer.encode_special_tokens = True
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        # The arena keeps the largest buffers ever used: 300 MB for 1 ms.
        options.enable_cpu_mem_arena = False
        session = onnxruntime.InferenceSession(
            files.encoder, options, providers=list(dict.fromkeys((self._provider, _CPU)))
        )
        # Where a device cannot be used, onnxruntime goes on without it and without a word.
        if session.get_providers()[0] != self._provider:
            raise _without(self._provider, session.get_providers())
        return _Model(tokenizer, session)

    def _require_provider(self) -> None:
        available = onnxruntime.get_available_providers()
        if self._provider not in available:
            raise _without(self._provider, available)


def _without(provider: str, available: Sequence[str]) -> BackendUnavailable:
    return BackendUnavailable(
        f"onnxruntime has no {provider} here, only {', '.join(available)}. Install "
        "onnxruntime-gpu and its drivers, or set TMWS_EMBEDDER_DEVICE=cpu.",
        retryable=False,
    )


def _vector(model: _Model, text: str) -> Vector:
    ids = model.tokenizer.encode(text[:_MOST_CHARACTERS]).ids
    (mean,) = model.session.run(None, {"input_ids": np.array([ids], np.int64)})
    unit: Vector = mean[0] / np.linalg.norm(mean[0])
    return unit
