"""Reading files of anybody's: plain or gzipped, and no more of them than fits."""

from __future__ import annotations

import gzip
import io
import zlib
from pathlib import Path

from tmws.domain.errors import InvalidInput

LARGEST_BYTES = 256 * 1024 * 1024
"""Of a file once it is unpacked."""

_GZIP = b"\x1f\x8b"


def data_of(path: Path, *, form: str) -> bytes:
    """Return the unpacked bytes of a file, which are UTF-8.

    Args:
        form: what it should be, for messages.

    Raises:
        InvalidInput: it is absent, too large, or no text.
    """
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_BYTES + 1)
        if data.startswith(_GZIP):
            with gzip.open(io.BytesIO(data)) as packed:
                data = packed.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InvalidInput(
            f"{path.name} cannot be read: {reason}. Give a {form} file, plain or gzipped."
        ) from error
    if len(data) > LARGEST_BYTES:
        raise InvalidInput(
            f"{path.name} is larger than {LARGEST_BYTES >> 20} MiB unpacked. Give a part of it."
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(
            f"{path.name} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}. "
            f"Save it as {form} in UTF-8."
        ) from error
    return data
