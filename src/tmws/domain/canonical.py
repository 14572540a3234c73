"""One byte string per value, so that a digest names a value and nothing else.

JSON Canonicalization Scheme (RFC 8785), by the `rfc8785` package: the one import on
this floor from outside the standard library, because number formatting is easy to
get wrong and everything that is signed or hashed stands on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from json.encoder import encode_basestring
from types import NoneType
from typing import Any

import rfc8785

from tmws.domain.errors import InvalidInput

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical_bytes(value: Json) -> bytes:
    """Return the RFC 8785 form of `value`, UTF-8.

    Raises:
        InvalidInput: NaN, an infinity, an integer beyond 2^53 that no double is written
            as, a lone surrogate, a type that JSON does not have, or lists and objects
            nested too deep to follow.
    """
    try:
        return _fast(value)
    except (_Other, TypeError):  # keys of several types have no order
        pass
    except (UnicodeEncodeError, RecursionError) as error:
        raise _refused(error) from error
    try:
        return rfc8785.dumps(_as_doubles(value))
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise _refused(error) from error


def _refused(error: Exception) -> InvalidInput:
    return InvalidInput(
        f"The value has no canonical JSON form: {str(error)[:100]}. Use finite numbers below "
        "2^53 in magnitude, text without lone surrogates, and no deep nesting."
    )


class _Other(Exception):
    """Python's encoder would write this value in another way."""


def _fast(value: Json) -> bytes:
    """Return the same bytes in a fraction of the time, for what Python writes alike.

    Other keys than ASCII are sorted in another way, and very small and very large numbers
    are written in another way.

    Raises:
        _Other: there is something of the kind in the value.
    """
    return _text(value).encode()


def _text(value: Json) -> str:
    return _TOLD_BY[type(value)](value)


def _object(value: Mapping[str, Json]) -> str:
    told = [name + _TOLD_BY[type(inner := value[key])](inner) for key, name in _names(tuple(value))]
    return f"{{{','.join(told)}}}"


@lru_cache(256)
def _names(keys: tuple[str, ...]) -> list[tuple[str, str]]:
    """Return the keys in order, each with what is written of it: events repeat the same few."""
    if any(type(key) is not str or not key.isascii() for key in keys):
        raise _Other
    return [(key, f"{_QUOTED(key)}:") for key in sorted(keys)]


def _list(value: Sequence[Json]) -> str:
    return f"[{','.join([_TOLD_BY[type(inner)](inner) for inner in value])}]"


def _number(value: float) -> str:
    size = abs(value)
    if size < _LARGEST and value == (whole := int(value)):
        return str(whole)
    if _SMALLEST <= size < _LARGEST:
        return float.__repr__(value)
    raise _Other


def _as_doubles(value: Json) -> Json:
    """Return the doubles that large integers stand for, where they do.

    A double of 4e16 is written like an integer and read back as one, which must not make
    of what was stored something that cannot be stored.
    """
    if isinstance(value, dict):
        return {key: _as_doubles(inner) for key, inner in value.items()}
    if isinstance(value, _LISTS):
        return [_as_doubles(inner) for inner in value]
    if isinstance(value, int) and _SAFE < abs(value) < _EXPONENT_FROM:
        double = float(value)
        return double if rfc8785.dumps(double) == str(value).encode() else value
    return value


class _ByType(dict[type, Callable[[Any], str]]):
    """How a value of each type is told; of a derived one, like what it is derived from."""

    def __missing__(self, kind: type) -> Callable[[Any], str]:
        for base, told in self.items():
            if issubclass(kind, base):
                return told
        raise _Other


_QUOTED: Callable[[str], str] = encode_basestring
_TOLD_BY = _ByType(
    {
        str: _QUOTED,
        dict: _object,
        NoneType: lambda _: "null",
        bool: lambda value: "true" if value else "false",
        list: _list,
        tuple: _list,
        float: _number,
        int: _number,
    }
)
_LARGEST, _SMALLEST = 1e15, 1e-4
_SAFE, _EXPONENT_FROM = 2**53 - 1, 10**21
_LISTS = (list, tuple)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data`, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Json) -> str:
    """Return the SHA-256 (hex) of the canonical form of `value`."""
    return sha256_hex(canonical_bytes(value))
