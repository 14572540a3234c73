"""A frozen copy of a workspace, named by its content."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SnapshotFile:
    """One regular file.

    Attributes:
        path: relative, `/`-separated, NFC, no `.` or `..` segment.
        content: the bytes as they were read.
        digest: SHA-256 of `content`, lower-case hex.
        executable: the owner may execute it.
    """

    path: str
    content: bytes
    digest: str
    executable: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All files of a workspace at one moment, in path order.

    Attributes:
        digest: SHA-256 (hex) of the canonical manifest: path, digest, size and
            executable bit of each file. The subject of every claim about it.
        left_out: paths that were passed over, each with the reason.
    """

    digest: str
    files: tuple[SnapshotFile, ...]
    left_out: tuple[tuple[str, str], ...] = ()
