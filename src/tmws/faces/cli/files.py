"""Files that commands write."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.domain.errors import InvalidInput


def write(file: Path, content: bytes) -> None:
    """Write a file, or standard output where it is called `-`.

    Raises:
        InvalidInput: it cannot be written.
    """
    try:
        with click.open_file(str(file), "wb") as opened:
            opened.write(content)
    except OSError as error:
        raise InvalidInput(
            f"{str(file)[:200]!r} cannot be written: {error.strerror}. Name a file in a folder "
            "that is there."
        ) from error
