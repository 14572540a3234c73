"""Writes ONNX models byte by byte, so that building one needs neither onnx nor protobuf.

Field numbers are those of onnx.proto3 (IR version 8); the wire format is that of
Protocol Buffers: a key of field number and wire type, then a varint or a length
with that many bytes. The same calls always give the same bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_IR_VERSION = 8
_OPSETS = (("", 17), ("com.microsoft", 1))
_TYPES = {"float32": 1, "uint8": 2, "int8": 3, "int32": 6, "int64": 7}
_VARINT, _BYTES, _FIXED32 = 0, 2, 5
_ATTRIBUTE_FLOAT, _ATTRIBUTE_INT, _ATTRIBUTE_INTS = 1, 2, 7


class Graph:
    """A graph in the making: every call adds to it and returns the name of what it added."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, dtype: str, shape: Iterable[int | str]) -> str:
        self._inputs.append(_value(name, dtype, shape))
        return name

    def output(self, name: str, dtype: str, shape: Iterable[int | str]) -> None:
        self._outputs.append(_value(name, dtype, shape))

    def constant(self, name: str, array: NDArray[np.generic]) -> str:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        dims = b"".join(_number(1, size) for size in array.shape)
        dtype = _number(2, _TYPES[array.dtype.name])
        self._constants.append(dims + dtype + _text(8, name) + _chunk(9, little.tobytes()))
        return name

    def node(
        self,
        operator: str,
        *inputs: str,
        into: str | tuple[str, ...],
        domain: str = "",
        **attributes: int | float | list[int],
    ) -> str:
        """Add an operator; `into` names its outputs, the first of which is returned."""
        outputs = (into,) if isinstance(into, str) else into
        self._nodes.append(
            b"".join(_text(1, name) for name in inputs)
            + b"".join(_text(2, name) for name in outputs)
            + _text(4, operator)
            + b"".join(_chunk(5, _attribute(*pair)) for pair in attributes.items())
            + _text(7, domain)
        )
        return outputs[0]

    def encode(self) -> bytes:
        """Return the whole as an ONNX model."""
        graph = (
            b"".join(_chunk(1, node) for node in self._nodes)
            + _text(2, self._name)
            + b"".join(_chunk(5, constant) for constant in self._constants)
            + b"".join(_chunk(11, value) for value in self._inputs)
            + b"".join(_chunk(12, value) for value in self._outputs)
        )
        opsets = (_text(1, domain) + _number(2, version) for domain, version in _OPSETS)
        return (
            _number(1, _IR_VERSION)
            + _chunk(7, graph)
            + b"".join(_chunk(8, opset) for opset in opsets)
        )


def _value(name: str, dtype: str, shape: Iterable[int | str]) -> bytes:
    dims = (_number(1, size) if isinstance(size, int) else _text(2, size) for size in shape)
    tensor = _number(1, _TYPES[dtype]) + _chunk(2, b"".join(_chunk(1, dim) for dim in dims))
    return _text(1, name) + _chunk(2, _chunk(1, tensor))


def _attribute(name: str, value: int | float | list[int]) -> bytes:
    if isinstance(value, float):
        packed = _key(2, _FIXED32) + struct.pack("<f", value)
        return _text(1, name) + packed + _number(20, _ATTRIBUTE_FLOAT)
    if isinstance(value, int):
        return _text(1, name) + _number(3, value) + _number(20, _ATTRIBUTE_INT)
    numbers = b"".join(_number(8, item) for item in value)
    return _text(1, name) + numbers + _number(20, _ATTRIBUTE_INTS)


def _number(field: int, value: int) -> bytes:
    return _key(field, _VARINT) + _varint(value)


def _text(field: int, value: str) -> bytes:
    return _chunk(field, value.encode())


def _chunk(field: int, value: bytes) -> bytes:
    return _key(field, _BYTES) + _varint(len(value)) + value


def _key(field: int, wire_type: int) -> bytes:
    return _varint(field << 3 | wire_type)


def _varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written as their 64-bit complement
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
