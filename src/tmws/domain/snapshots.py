"""A frozen copy of a workspace, named by its content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tmws.domain.canonical import Json, digest, sha256_hex
from tmws.domain.errors import InvalidInput

PYTHON_SUFFIXES = (".py", ".pyi")


@dataclass(frozen=True, slots=True, weakref_slot=True)
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

    @classmethod
    def of(cls, path: str, content: bytes, *, executable: bool = False) -> SnapshotFile:
        """Return the file with the digest of its content."""
        return cls(path, content, sha256_hex(content), executable)


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

    @classmethod
    def of(
        cls, files: Iterable[SnapshotFile], left_out: Iterable[tuple[str, str]] = ()
    ) -> Snapshot:
        """Return the snapshot of these files, in whatever order they come.

        Raises:
            InvalidInput: two files have the same path, or one lies below another.
        """
        ordered = tuple(sorted(files, key=lambda file: file.path))
        _require_a_tree([file.path for file in ordered])
        return cls(digest(manifest(ordered)), ordered, tuple(sorted(left_out)))

    def file(self, path: str) -> SnapshotFile | None:
        """Return the file at `path`, if there is one."""
        return next((file for file in self.files if file.path == path), None)

    def below(self, target: str) -> tuple[SnapshotFile, ...]:
        """Return the file `target`, or all files of the folder `target`; "" is the root."""
        folder = f"{target}/" if target else ""
        return tuple(
            file for file in self.files if file.path == target or file.path.startswith(folder)
        )

    def python_files(self, targets: Iterable[str] = ()) -> tuple[SnapshotFile, ...]:
        """Return the Python sources below the targets, or all when there are none."""
        found = {
            file.path: file
            for target in (tuple(targets) or ("",))
            for file in self.below(target)
            if file.path.endswith(PYTHON_SUFFIXES)
        }
        return tuple(found[path] for path in sorted(found))


def manifest(files: Iterable[SnapshotFile]) -> Json:
    """Return what names a set of files: one entry per file, in path order."""
    return [
        {
            "path": file.path,
            "sha256": file.digest,
            "size": len(file.content),
            "executable": file.executable,
        }
        for file in sorted(files, key=lambda file: file.path)
    ]


def _require_a_tree(paths: list[str]) -> None:
    known = set(paths)
    if len(known) != len(paths):
        raise InvalidInput("A snapshot cannot hold two files of the same path.")
    for path in paths:
        segments = path.split("/")
        if any("/".join(segments[:depth]) in known for depth in range(1, len(segments))):
            raise InvalidInput(f"{path!r} lies below a file of the same snapshot.")
