"""An Ed25519 key in a file that only its owner may read."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import (
    Ed25519PrivateKey,
    Ed25519PublicKey,
)

from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import BackendUnavailable

_KEY_BYTES = 32


class FileSigner:
    """Signs with the key in a file; makes the key at first use."""

    def __init__(self, path: Path) -> None:
        """Load the key, or create it where there is none.

        Raises:
            BackendUnavailable: the file cannot be read, or is not a key.
        """
        try:
            seed = _read_or_create(path)
            self._private = Ed25519PrivateKey.from_private_bytes(seed)
        except (OSError, ValueError) as error:
            raise BackendUnavailable(
                f"The signing key {path} cannot be used: {error}. Restore it from a backup; "
                "a new key cannot continue what the old one signed.",
                retryable=False,
            ) from error
        self.public_key = self._private.public_key().public_bytes_raw()
        self.key_id = sha256_hex(self.public_key)[:16]

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature (RFC 8032)."""
        return self._private.sign(message)

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether this key made the signature over the message."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def _read_or_create(path: Path) -> bytes:
    with contextlib.suppress(FileNotFoundError):
        return path.read_bytes()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Written whole under another name and linked: of several first starts one wins,
    # and nobody ever reads half a key.
    descriptor, temporary = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(Ed25519PrivateKey.generate().private_bytes_raw())
            handle.flush()
            os.fsync(handle.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
    return path.read_bytes()
