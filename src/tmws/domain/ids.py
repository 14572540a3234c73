"""Identifiers that sort by the time they were made.

`<kind>_<26 characters>`: 48 bits of milliseconds and 80 bits of chance in Crockford's
base 32, as in ULID. They are names, not capabilities: every read checks access.
"""

from __future__ import annotations

from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LENGTH = 26

CHANCE_BYTES = 10
"""How many random bytes one identifier takes."""


def new_id(kind: str, *, at: datetime, chance: bytes) -> str:
    """Return an identifier of this kind.

    Args:
        kind: a short lower-case word, e.g. `pattern`.
        at: when the thing is made; microseconds are dropped.
        chance: `CHANCE_BYTES` random bytes.
    """
    number = (int(at.timestamp() * 1000) << 80) | int.from_bytes(chance, "big")
    digits = [_ALPHABET[(number >> shift) & 31] for shift in range(5 * (_LENGTH - 1), -1, -5)]
    return f"{kind}_{''.join(digits)}"
