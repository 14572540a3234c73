"""The MiniLM-L6 encoder as an int8 ONNX graph, built from its float32 weights.

Six BERT layers (Devlin et al., 2019) and mean pooling. The graph takes one text
at a time: activations are quantised over the whole input, so in a batch every
vector would depend on its neighbours, and batches were not faster.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tmws.embeddings.onnx_graph import Graph

LAYERS, HEADS, WIDTH = 6, 12, 384

_EPSILON = 1e-12
_FLOAT = 1
_MICROSOFT = "com.microsoft"

# Seven bits in the products: AVX2 without VNNI adds pairs of u8 x s8 products in
# 16 bits and would saturate. So every processor computes with the same integers.
_PRODUCT_RANGE, _LOOKUP_RANGE = 63, 127

Floats = NDArray[np.float32]
Weights = Mapping[str, Floats]


def read_safetensors(data: bytes) -> dict[str, Floats]:
    """Return the float32 tensors of a safetensors file: length, JSON header, raw data."""
    (length,) = struct.unpack_from("<Q", data)
    body = memoryview(data)[8 + length :]
    header = json.loads(data[8 : 8 + length])
    return {
        name: np.frombuffer(body[slice(*tensor["data_offsets"])], "<f4").reshape(tensor["shape"])
        for name, tensor in header.items()
        if tensor.get("dtype") == "F32"
    }


def build(weights: Weights) -> bytes:
    """Return the encoder: `input_ids` (1, tokens) int64 to `embedding` (1, 384) float32."""
    graph = Graph("minilm-l6-v2-int8")
    graph.input("input_ids", "int64", (1, "tokens"))
    state = _embed(graph, weights)
    for number in range(LAYERS):
        state = _layer(graph, weights, f"encoder.layer.{number}.", state)
    graph.node("ReduceMean", state, into="embedding", axes=[1], keepdims=0)
    graph.output("embedding", "float32", (1, WIDTH))
    return graph.encode()


def _embed(graph: Graph, weights: Weights) -> str:
    words, scales = _quantised(weights["embeddings.word_embeddings.weight"], _LOOKUP_RANGE)
    graph.constant("words", words)
    graph.constant("words.scales", scales[:, None])
    picked = graph.node("Gather", "words", "input_ids", into="words.picked")
    numbers = graph.node("Cast", picked, into="words.numbers", to=_FLOAT)
    factors = graph.node("Gather", "words.scales", "input_ids", into="words.factors")
    meaning = graph.node("Mul", numbers, factors, into="words.meaning")
    # With a single sentence every token is of type 0: one sum for type and position.
    types = weights["embeddings.token_type_embeddings.weight"]
    graph.constant("positions", weights["embeddings.position_embeddings.weight"] + types[0])
    graph.constant("first", np.array([0], np.int64))
    tokens = graph.node("Shape", "input_ids", into="tokens.count", start=1)
    places = graph.node("Slice", "positions", "first", tokens, "first", into="places")
    placed = graph.node("Add", meaning, places, into="placed")
    norm = _norm(graph, weights, "embeddings.LayerNorm")
    return graph.node(
        "LayerNormalization", placed, *norm, into="embedded", axis=-1, epsilon=_EPSILON
    )


def _layer(graph: Graph, weights: Weights, name: str, state: str) -> str:
    attended = _dense(
        graph, f"{name}attention.output.dense", weights, _attend(graph, weights, name, state)
    )
    state = _add_and_norm(graph, weights, f"{name}attention.output.LayerNorm", attended, state)
    inner = _dense(graph, f"{name}intermediate.dense", weights, state)
    active = graph.node("Gelu", inner, into=f"{name}active", domain=_MICROSOFT)
    outer = _dense(graph, f"{name}output.dense", weights, active)
    return _add_and_norm(graph, weights, f"{name}output.LayerNorm", outer, state)


def _attend(graph: Graph, weights: Weights, name: str, state: str) -> str:
    parts = [
        _dense(graph, f"{name}attention.self.{role}", weights, state)
        for role in ("query", "key", "value")
    ]
    return graph.node(
        "MultiHeadAttention", *parts, into=f"{name}attended", domain=_MICROSOFT, num_heads=HEADS
    )


def _dense(graph: Graph, name: str, weights: Weights, state: str) -> str:
    """Multiply by an int8 matrix with one scale per output, activations quantised on the fly."""
    matrix, scales = _quantised(weights[f"{name}.weight"], _PRODUCT_RANGE)
    return graph.node(
        "DynamicQuantizeMatMul",
        state,
        graph.constant(f"{name}.matrix", np.ascontiguousarray(matrix.T)),
        graph.constant(f"{name}.scales", scales),
        graph.constant(f"{name}.zeros", np.zeros(len(scales), np.int8)),
        graph.constant(f"{name}.bias", weights[f"{name}.bias"]),
        into=f"{name}.result",
        domain=_MICROSOFT,
    )


def _add_and_norm(graph: Graph, weights: Weights, name: str, state: str, skipped: str) -> str:
    norm = _norm(graph, weights, name)
    return graph.node(
        "SkipLayerNormalization",
        state,
        skipped,
        *norm,
        into=f"{name}.result",
        domain=_MICROSOFT,
        epsilon=_EPSILON,
    )


def _norm(graph: Graph, weights: Weights, name: str) -> tuple[str, str]:
    return (
        graph.constant(f"{name}.gain", weights[f"{name}.weight"]),
        graph.constant(f"{name}.bias", weights[f"{name}.bias"]),
    )


def _quantised(rows: Floats, largest: int) -> tuple[NDArray[np.int8], Floats]:
    """Return integers in [-largest, largest] and the factor that each row was divided by."""
    factors = np.abs(rows).max(axis=1) / np.float32(largest)
    factors[factors == 0] = 1
    return np.rint(rows / factors[:, None]).astype(np.int8), factors
