"""One byte string per value, so that a digest names a value and nothing else.

JSON Canonicalization Scheme (RFC 8785), by the `rfc8785` package: the one import on
this floor from outside the standard library, because number formatting is easy to
get wrong and everything that is signed or hashed stands on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from operator import itemgetter
from typing import NoReturn

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
    if isinstance(value, str):
        return _QUOTED(value)
    if isinstance(value, dict):
        # Most that is said is text, and a call would cost more than to see it here.
        told = [
            f"{_QUOTED(key)}:{_QUOTED(inner) if type(inner) is str else _text(inner)}"
            if type(key) is str and key.isascii()
            else _refuse()
            for key, inner in sorted(value.items(), key=_BY_KEY)
        ]
        return f"{{{','.join(told)}}}"
    if value is None or value is True or value is False:
        return _LITERALS[value]
    if isinstance(value, _LISTS):
        return f"[{','.join([_text(inner) for inner in value])}]"
    return _number(value)


def _number(value: Json) -> str:
    if isinstance(value, _NUMBERS):
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


def _refuse() -> NoReturn:
    raise _Other


_QUOTED: Callable[[str], str] = encode_basestring
_BY_KEY = itemgetter(0)
_LITERALS = {None: "null", True: "true", False: "false"}
_LARGEST, _SMALLEST = 1e15, 1e-4
_SAFE, _EXPONENT_FROM = 2**53 - 1, 10**21
_NUMBERS, _LISTS = (int, float), (list, tuple)


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data`, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Json) -> str:
    """Return the SHA-256 (hex) of the canonical form of `value`."""
    return sha256_hex(canonical_bytes(value))
