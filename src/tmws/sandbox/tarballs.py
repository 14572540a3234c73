"""Tar archives whose bytes depend on nothing but their content."""

from __future__ import annotations

import io
import stat
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

# 2024-01-01: every file of the image has this time, so equal content is an equal layer.
TIMESTAMP = 1704067200


@dataclass(frozen=True, slots=True)
class Entry:
    """One file or link of an archive; `link` is its target if it is one."""

    content: bytes = b""
    executable: bool = False
    link: str | None = None


def files_below(folder: Path, *, at: str) -> dict[str, Entry]:
    """Return the regular files below `folder`, named as if it were `at`."""
    return {
        f"{at}/{path.relative_to(folder).as_posix()}": Entry(
            path.read_bytes(), executable=bool(path.stat().st_mode & stat.S_IXUSR)
        )
        for path in folder.rglob("*")
        if path.is_file() and not path.is_symlink()
    }


def packed(entries: Mapping[str, Entry], *, folders: Iterable[str] = ()) -> bytes:
    """Return a tar of the entries, with their parent folders and the given empty ones.

    Sorted, one time stamp, owned by root, readable by all and writable by nobody else.
    """
    buffer = io.BytesIO()
    parents = {str(parent) for name in entries for parent in Path(name).parents}
    parents |= {str(above) for name in folders for above in (Path(name), *Path(name).parents)}
    parents.discard(".")
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name in sorted(parents | entries.keys()):
            archive.addfile(*_member(name, entries.get(name)))
    return buffer.getvalue()


def unpacked(archive: bytes) -> dict[str, Entry]:
    """Return the regular files of a tar."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as members:
        return {
            member.name: Entry(content.read(), executable=bool(member.mode & stat.S_IXUSR))
            for member in members
            if (content := members.extractfile(member)) is not None
        }


def _member(name: str, entry: Entry | None) -> tuple[tarfile.TarInfo, io.BytesIO]:
    info = tarfile.TarInfo(name)
    info.mtime = TIMESTAMP
    if entry is None:
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        return info, io.BytesIO()
    if entry.link is not None:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, entry.link, 0o777
        return info, io.BytesIO()
    info.size, info.mode = len(entry.content), 0o755 if entry.executable else 0o644
    return info, io.BytesIO(entry.content)
