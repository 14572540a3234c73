"""One byte string per value, so that a digest names a value and nothing else.

JSON Canonicalization Scheme (RFC 8785), by the `rfc8785` package: the one import on
this floor from outside the standard library, because number formatting is easy to
get wrong and everything that is signed or hashed stands on it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import rfc8785

from tmws.domain.errors import InvalidInput

Json = None | bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"]


def canonical_bytes(value: Json) -> bytes:
    """Return the RFC 8785 form of `value`, UTF-8.

    Raises:
        InvalidInput: NaN, an infinity, an integer beyond 2^53, a lone surrogate, a
            type that JSON does not have, or lists and objects nested too deep to follow.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError, RecursionError) as error:
        raise InvalidInput(
            f"The value has no canonical JSON form: {str(error)[:100]}. Use finite numbers below "
            "2^53 in magnitude, text without lone surrogates, and no deep nesting."
        ) from error


def sha256_hex(data: bytes) -> str:
    """Return the SHA-256 of `data`, 64 lower-case hex digits."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Json) -> str:
    """Return the SHA-256 (hex) of the canonical form of `value`."""
    return sha256_hex(canonical_bytes(value))
