"""A signed statement of how large the ledger is and what its root hash is.

The C2SP checkpoint: three lines of text under a signed note. It is kept outside the
database, so that a log whose tail was cut no longer matches what was promised.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass

from tmws.domain.errors import SignatureInvalid

_ED25519 = b"\x01"
_SIGNATURE_START = "\u2014 "


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log promised at one moment; `origin` names the log."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """Return the text that is signed, ending in a line break."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def key_hash(name: str, public_key: bytes) -> bytes:
    """Return the 4 bytes that hint at the key of a note (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public_key).digest()[:4]


def note(checkpoint: Checkpoint, public_key: bytes, signature: bytes) -> str:
    """Return the signed note; `signature` is Ed25519 over `checkpoint.body()`."""
    blob = base64.b64encode(key_hash(checkpoint.origin, public_key) + signature).decode()
    return f"{checkpoint.body()}\n{_SIGNATURE_START}{checkpoint.origin} {blob}\n"


def parse(text: str) -> tuple[Checkpoint, list[tuple[bytes, bytes]]]:
    """Return the checkpoint and its signatures, each as (key hash, signature).

    The signatures are not verified here: that needs a key.

    Raises:
        SignatureInvalid: the text is not a signed checkpoint.
    """
    try:
        body, signatures = text.split("\n\n", 1)
        origin, size, root64 = body.split("\n")
        *lines, rest = signatures.split("\n")
        found = [
            _signature(line, origin)
            for line in lines
            if line.startswith(f"{_SIGNATURE_START}{origin} ")
        ]
        checkpoint = Checkpoint(origin, int(size), base64.b64decode(root64, validate=True))
    except (ValueError, binascii.Error) as error:
        raise SignatureInvalid("The checkpoint is not a signed note of three lines.") from error
    normal = checkpoint.body() == body + "\n" and checkpoint.size >= 0 and not rest
    if not normal or len(checkpoint.root) != hashlib.sha256().digest_size:
        raise SignatureInvalid("The checkpoint is not in its normal form.")
    return checkpoint, found


def _signature(line: str, origin: str) -> tuple[bytes, bytes]:
    encoded = line.removeprefix(f"{_SIGNATURE_START}{origin} ")
    blob = base64.b64decode(encoded, validate=True)
    if base64.b64encode(blob).decode() != encoded:  # bits that no byte has could say anything
        raise ValueError(encoded)
    return blob[:4], blob[4:]
