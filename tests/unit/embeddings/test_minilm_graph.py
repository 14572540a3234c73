"""The int8 graph computes what its float32 weights mean."""

from __future__ import annotations

import json
import math
import struct

import numpy as np
import onnxruntime
import pytest
from numpy.typing import NDArray

from tmws.embeddings.minilm_graph import HEADS, LAYERS, WIDTH, Weights, build, read_safetensors

WORDS, PLACES, INNER = 40, 24, 96
Floats = NDArray[np.float32]


def random_weights() -> Weights:
    """Return weights of the model's form with a small vocabulary, at the size real ones have."""
    chance = np.random.default_rng(3)

    def floats(*shape: int, scale: float = 0.05) -> Floats:
        return (chance.standard_normal(shape) * scale).astype(np.float32)

    weights = {
        "embeddings.word_embeddings.weight": floats(WORDS, WIDTH),
        "embeddings.position_embeddings.weight": floats(PLACES, WIDTH),
        "embeddings.token_type_embeddings.weight": floats(2, WIDTH),
    }
    norms = ["embeddings.LayerNorm"]
    for layer in (f"encoder.layer.{number}." for number in range(LAYERS)):
        norms += [f"{layer}attention.output.LayerNorm", f"{layer}output.LayerNorm"]
        for name, outputs, inputs in (
            *((f"attention.self.{role}", WIDTH, WIDTH) for role in ("query", "key", "value")),
            ("attention.output.dense", WIDTH, WIDTH),
            ("intermediate.dense", INNER, WIDTH),
            ("output.dense", WIDTH, INNER),
        ):
            weights[f"{layer}{name}.weight"] = floats(outputs, inputs)
            weights[f"{layer}{name}.bias"] = floats(outputs)
    for name in norms:
        weights[f"{name}.weight"] = 1 + floats(WIDTH)
        weights[f"{name}.bias"] = floats(WIDTH)
    return weights


def reference(weights: Weights, ids: list[int]) -> NDArray[np.float64]:
    """BERT in plain numpy (Devlin et al., 2019), without any quantisation."""

    def dense(state: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        matrix, bias = weights[f"{name}.weight"].astype(float), weights[f"{name}.bias"]
        result: NDArray[np.float64] = state @ matrix.T + bias
        return result

    def norm(state: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        centred = state - state.mean(-1, keepdims=True)
        unit = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-12)
        result: NDArray[np.float64] = unit * weights[f"{name}.weight"] + weights[f"{name}.bias"]
        return result

    words = weights["embeddings.word_embeddings.weight"][ids].astype(float)
    places = weights["embeddings.position_embeddings.weight"][: len(ids)]
    kinds = weights["embeddings.token_type_embeddings.weight"][0]
    state = norm(words + places + kinds, "embeddings.LayerNorm")
    for layer in (f"encoder.layer.{number}." for number in range(LAYERS)):
        query, key, value = (
            dense(state, f"{layer}attention.self.{role}")
            .reshape(len(ids), HEADS, -1)
            .transpose(1, 0, 2)
            for role in ("query", "key", "value")
        )
        heat = np.exp(query @ key.transpose(0, 2, 1) / math.sqrt(WIDTH // HEADS))
        seen = (heat / heat.sum(-1, keepdims=True) @ value).transpose(1, 0, 2)
        attended = dense(seen.reshape(len(ids), WIDTH), f"{layer}attention.output.dense")
        state = norm(attended + state, f"{layer}attention.output.LayerNorm")
        inner = dense(state, f"{layer}intermediate.dense")
        active = inner * 0.5 * (1 + np.vectorize(math.erf)(inner / math.sqrt(2)))
        state = norm(dense(active, f"{layer}output.dense") + state, f"{layer}output.LayerNorm")
    mean: NDArray[np.float64] = state.mean(0)
    return mean


@pytest.mark.parametrize("ids", [[1, 2], [5, 6, 7, 5, 39], list(range(PLACES))])
def test_the_graph_agrees_with_the_model_in_float(ids: list[int]) -> None:
    weights = random_weights()
    session = onnxruntime.InferenceSession(build(weights), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"input_ids": np.array([ids], np.int64)})
    right = reference(weights, ids)
    cosine = found[0] @ right / np.linalg.norm(found[0]) / np.linalg.norm(right)
    assert found.shape == (1, WIDTH)
    assert cosine > 0.99


def test_building_twice_gives_the_same_bytes() -> None:
    weights = random_weights()
    assert build(weights) == build(dict(reversed(list(weights.items()))))


def test_safetensors_are_read_as_they_are_written() -> None:
    first, second = np.arange(6, dtype="<f4").reshape(2, 3), np.ones(4, "<f4")
    header = {
        "__metadata__": {"format": "pt"},
        "first": {"dtype": "F32", "shape": [2, 3], "data_offsets": [8, 32]},
        "ids": {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
        "second": {"dtype": "F32", "shape": [4], "data_offsets": [32, 48]},
    }
    text = json.dumps(header).encode()
    data = struct.pack("<Q", len(text)) + text + bytes(8) + first.tobytes() + second.tobytes()
    read = read_safetensors(data)
    assert read.keys() == {"first", "second"}
    assert np.array_equal(read["first"], first)
    assert np.array_equal(read["second"], second)
