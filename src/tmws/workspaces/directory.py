"""Copies a folder into a snapshot, trusting nothing that lies in it.

Every folder and file is opened relative to the descriptor of the one above it and
without following links, so that a swapped path can never lead outside. What may hold
secrets or belongs to the machine rather than the work is left out, and said to be.
"""

from __future__ import annotations

import asyncio
import os
import stat
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from weakref import WeakValueDictionary

from tmws.domain.errors import Conflict, InvalidInput
from tmws.domain.execution import MEBIBYTE
from tmws.domain.grammar import shown
from tmws.domain.snapshots import Snapshot, SnapshotFile

ATTEMPTS = 3
MAX_DEPTH = 64

LEFT_OUT_FOLDERS = {
    **dict.fromkeys((".git", ".hg", ".svn"), "version control"),
    **dict.fromkeys((".aws", ".azure", ".gnupg", ".kube", ".ssh"), "may hold secrets"),
    **dict.fromkeys((".nox", ".tox", ".venv", "venv"), "virtual environment"),
    **dict.fromkeys(("node_modules", ".eggs", "site-packages"), "installed packages"),
    **dict.fromkeys(
        ("__pycache__", ".hypothesis", ".mypy_cache", ".pytest_cache", ".ruff_cache"), "cache"
    ),
}
LEFT_OUT_FILES = {
    **dict.fromkeys((".git",), "version control"),
    **dict.fromkeys(
        (
            ".env",
            ".env.*",
            ".git-credentials",
            ".htpasswd",
            ".netrc",
            ".npmrc",
            ".pypirc",
            "id_dsa*",
            "id_ecdsa*",
            "id_ed25519*",
            "id_rsa*",
            "*.jks",
            "*.kdbx",
            "*.key",
            "*.keystore",
            "*.p12",
            "*.pem",
            "*.pfx",
            "*.ppk",
        ),
        "may hold secrets",
    ),
    **dict.fromkeys(("*.pyc", "*.pyo"), "cache"),
}

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# Without O_NONBLOCK the open of a pipe would wait for a writer that never comes.
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class DirectoryReader:
    """Reads workspaces from folders of this machine.

    Args:
        max_files: regular files in one snapshot; links and the like may be three
            times as many again before the folder is refused.
        max_total_bytes: their contents together.
        max_file_bytes: a larger file is left out. Sources and fixtures are far
            smaller; one forgotten dump shall not use up the total.
    """

    def __init__(
        self,
        *,
        max_files: int = 5000,
        max_total_bytes: int = 32 * MEBIBYTE,
        max_file_bytes: int = 8 * MEBIBYTE,
    ) -> None:
        self._max_files = max_files
        self._max_total_bytes = max_total_bytes
        self._max_file_bytes = max_file_bytes
        self._held = _HeldFiles()

    async def capture(self, root: str) -> Snapshot:
        """Copy the regular files below `root`, following no link.

        Raises:
            InvalidInput: the root is not an absolute path of a real folder, or holds
                more than the limits.
            Conflict: something kept changing while it was read.
        """
        return await asyncio.to_thread(self._capture, root)

    def _capture(self, root: str) -> Snapshot:
        changed = ""
        folder = open_root(root)
        try:
            for _ in range(ATTEMPTS):
                limits = self._max_files, self._max_total_bytes, self._max_file_bytes
                copy = _Copy(*limits, held=self._held)
                try:
                    copy.add_folder(folder, "", depth=0)
                except _Changed as change:
                    changed = str(change)
                else:
                    return Snapshot.of(copy.files, copy.left_out)
        finally:
            os.close(folder)
        raise Conflict(
            f"{shown(changed)} kept changing while the workspace was read. Let builds and "
            "editors finish, then claim again.",
            retryable=True,
        )


class _Changed(Exception):
    """A file or folder is not what it was a moment ago; carries its path."""


class _HeldFiles:
    """The files of all snapshots that anybody still works on, each held once.

    Claims about one workspace come in numbers; what they have in common is not held again
    for each. Nothing stays here longer than in a snapshot.
    """

    def __init__(self) -> None:
        self._files: WeakValueDictionary[tuple[str, str, bool], SnapshotFile]
        self._files = WeakValueDictionary()
        self._lock = threading.Lock()

    def same(self, file: SnapshotFile) -> SnapshotFile:
        """Return the file that is held already, or this one."""
        with self._lock:
            return self._files.setdefault((file.path, file.digest, file.executable), file)


class _Copy:
    """One pass over a folder."""

    def __init__(
        self, max_files: int, max_total_bytes: int, max_file_bytes: int, *, held: _HeldFiles
    ) -> None:
        self._held = held
        self.files: list[SnapshotFile] = []
        self.left_out: list[tuple[str, str]] = []
        self._max_files = max_files
        self._bytes_left = self._max_total_bytes = max_total_bytes
        self._max_file_bytes = max_file_bytes
        self._entries_left = 4 * max_files

    def add_folder(self, folder: int, prefix: str, *, depth: int) -> None:
        before = os.fstat(folder)
        names = self._names(folder)
        if depth > MAX_DEPTH:
            raise InvalidInput(
                f"The workspace nests folders deeper than {MAX_DEPTH}. Flatten it, or register "
                "a folder further down."
            )
        if prefix and "pyvenv.cfg" in names:
            self._leave_out(prefix.rstrip("/"), "virtual environment")
            return
        for name in names:
            self._add_entry(folder, name, prefix + name, depth)
        if _identity(os.fstat(folder)) != _identity(before):
            raise _Changed(prefix or "the workspace")

    def _names(self, folder: int) -> list[str]:
        names = []
        with os.scandir(folder) as entries:
            for entry in entries:
                names.append(entry.name)
                self._entries_left -= 1
                if self._entries_left < 0:
                    raise self._too_large()
        return sorted(names)

    def _add_entry(self, folder: int, name: str, path: str, depth: int) -> None:
        with _changes_of(path):
            kind = os.stat(name, dir_fd=folder, follow_symlinks=False)
        reason = _reason_to_leave(name, path, kind)
        if reason is not None:
            self._leave_out(path, reason)
        elif stat.S_ISDIR(kind.st_mode):
            with _opened(name, folder, _FOLDER, path) as child:
                self.add_folder(child, path + "/", depth=depth + 1)
        else:
            with _opened(name, folder, _FILE, path) as file:
                self._add_file(file, path)

    def _add_file(self, file: int, path: str) -> None:
        before = os.fstat(file)
        if not stat.S_ISREG(before.st_mode):
            raise _Changed(path)
        if before.st_size > self._max_file_bytes:
            mebibytes = self._max_file_bytes / MEBIBYTE
            self._leave_out(path, f"larger than {mebibytes:g} MiB")
            return
        if before.st_size > self._bytes_left or len(self.files) >= self._max_files:
            raise self._too_large()
        content = _read(file, before.st_size)
        if len(content) != before.st_size or _identity(os.fstat(file)) != _identity(before):
            raise _Changed(path)
        self._bytes_left -= len(content)
        executable = bool(before.st_mode & stat.S_IXUSR)
        self.files.append(self._held.same(SnapshotFile.of(path, content, executable=executable)))

    def _leave_out(self, path: str, reason: str) -> None:
        self.left_out.append((_printable(path), reason))

    def _too_large(self) -> InvalidInput:
        return InvalidInput(
            f"The workspace holds more than {self._max_files} files or "
            f"{self._max_total_bytes / MEBIBYTE:g} MiB. Register a folder further down, or move "
            "data out of it."
        )


def _reason_to_leave(name: str, path: str, kind: os.stat_result) -> str | None:
    if stat.S_ISLNK(kind.st_mode):
        return "symbolic link"
    if stat.S_ISDIR(kind.st_mode):
        reason = reason_of_folder(name)
    elif stat.S_ISREG(kind.st_mode):
        reason = reason_of_file(name)
    else:
        return "not a regular file"
    return reason or reason_of_name(path)


def reason_of_folder(name: str) -> str | None:
    """Return why a folder of this name is left out, None if it is not."""
    return LEFT_OUT_FOLDERS.get(name)


def reason_of_file(name: str) -> str | None:
    """Return why a file of this name is left out, None if it is not."""
    lowered = name.lower()
    return next(
        (why for pattern, why in LEFT_OUT_FILES.items() if fnmatchcase(lowered, pattern)), None
    )


def reason_of_name(path: str) -> str | None:
    """Return why a name cannot lie in a snapshot, None if it can.

    Names are taken as wide as they are harmless: only what no claim could name, or
    what two machines could read as two names, is left out.
    """
    if not unicodedata.is_normalized("NFC", path):
        return "its name is not NFC"
    if any(unicodedata.category(character)[0] in "CZ" and character != " " for character in path):
        return "its name holds unprintable characters"
    if "\\" in path or ":" in path:
        return "its name holds a backslash or a colon"
    return None


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _read(file: int, size: int) -> bytes:
    """Read up to one byte more than expected, so that growth shows."""
    parts = []
    left = size + 1
    while left and (part := os.read(file, min(left, MEBIBYTE))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def open_root(root: str) -> int:
    """Open a folder by its absolute path, refusing a link in any part of it."""
    path = PurePosixPath(root)
    if not path.is_absolute() or str(path) != root or ".." in path.parts or "\0" in root:
        raise InvalidInput(f"The workspace {shown(root)} is not an absolute path without '..'.")
    folder = os.open("/", _FOLDER)
    for part in path.parts[1:]:
        above = folder
        try:
            folder = os.open(part, _FOLDER, dir_fd=above)
        except OSError as error:
            raise InvalidInput(
                f"{shown(root)} is not a folder that can be read, or a part of "
                f"its path is a link ({error.strerror}). Register its real path."
            ) from error
        finally:
            os.close(above)
    return folder


@contextmanager
def _opened(name: str, folder: int, flags: int, path: str) -> Iterator[int]:
    with _changes_of(path):
        descriptor = os.open(name, flags, dir_fd=folder)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def _changes_of(path: str) -> Iterator[None]:
    """Take what vanished, or turned into something else, for a change."""
    try:
        yield
    except PermissionError as error:
        raise InvalidInput(
            f"{shown(path)} cannot be read by this server. Give it the right to, or move it out."
        ) from error
    except OSError as error:
        raise _Changed(path) from error


def _printable(path: str) -> str:
    """Return a name in a form that can be stored and shown, whatever its bytes are."""
    return path if reason_of_name(path) is None else ascii(path)[1:-1]
