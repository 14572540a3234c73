"""The newest checkpoint in a file beside the database, shared by all processes here."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from tmws.domain.checkpoints import parse
from tmws.domain.errors import BackendUnavailable, SignatureInvalid

_LONGEST_BYTES = 64 * 1024


class CheckpointFile:
    """Keeps one note; replaces it only by one of a tree that is at least as large."""

    def __init__(self, path: Path) -> None:
        """Use this file; its folder is made when the first note is saved."""
        self._path = path

    def save(self, note: str, *, size: int) -> None:
        """Keep the note unless one of a larger tree is already kept.

        Raises:
            BackendUnavailable: the file cannot be written.
        """
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._path.with_suffix(".lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if size >= self._kept_size():
                    self._replace(note)
        except OSError as error:
            raise BackendUnavailable(
                f"The ledger's checkpoint cannot be written to {self._path}: {error}. "
                "The entry itself is stored; make room, or let this user write there, and go on."
            ) from error

    def load(self) -> str | None:
        """Return the kept note, None before the first.

        Raises:
            BackendUnavailable: there is one that cannot be read.
        """
        try:
            handle = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
            try:  # past Python's layers, which take longer than the rest: every act looks here
                told = os.read(handle, _LONGEST_BYTES)
            finally:
                os.close(handle)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise BackendUnavailable(
                f"The ledger's checkpoint {self._path} cannot be read: {error.strerror}. Nothing "
                "is recorded or verified without it: let the user of this process read it.",
                retryable=False,
            ) from error
        # Whatever stands there is handed on: the reader refuses what is no checkpoint.
        return told.decode("utf-8", "replace")

    def _kept_size(self) -> int:
        try:
            text = self.load()
            return parse(text)[0].size if text else 0
        except SignatureInvalid:
            return 0

    def _replace(self, note: str) -> None:
        temporary = self._path.with_suffix(".new")
        temporary.write_text(note, "utf-8")
        os.replace(temporary, self._path)  # noqa: PTH105  # atomic, and says so
