"""Reads commits from a repository that may be hostile, without running git.

A repository's configuration can name programs (hooks, filters, fsmonitor, textconv),
other folders (alternates, worktrees, includes) and servers. None of that is read here:
only references and objects, each opened without following links, each bounded, and each
object's bytes must have the very id under which they were asked for. So content that is
registered by a full commit id is that commit's, whoever owns the folder.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.execution import MEBIBYTE
from tmws.domain.grammar import shown
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.workspaces import git_packs
from tmws.workspaces.directory import open_root, reason_of_file, reason_of_folder, reason_of_name
from tmws.workspaces.git_packs import (
    TooLong,
    broken,
    chunks,
    distance,
    entry_head,
    inflated,
    looked_up,
    patched,
)

MAX_FILES = 5000
MAX_TOTAL_BYTES = 32 * MEBIBYTE
MAX_INDEX_BYTES = 256 * MEBIBYTE
MAX_REFS_BYTES = 16 * MEBIBYTE
MAX_DELTAS = 100
MAX_PACK_NAMES = 10_000
MAX_DEPTH = 64

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_ID = re.compile(r"[0-9a-f]{40}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+-]{0,199}")
_KINDS = {1: "commit", 2: "tree", 3: "blob", 4: "tag"}
_OFFSET_DELTA, _ID_DELTA = 6, 7
_PACK_NAME = re.compile(r"pack-[0-9a-f]{40,64}\.idx")


class GitReader:
    """Reads the tree of a commit as a snapshot."""

    async def tree(self, root: str, ref: str) -> tuple[str, Snapshot]:
        """Return the commit id that `ref` stands for now, and its files.

        Args:
            root: absolute path of a folder with a `.git` folder in it.
            ref: a full commit id, a branch, a tag, or HEAD.

        Raises:
            InvalidInput: no such folder, a broken object, or more than the limits.
            NotFound: no such commit, or a part of it is kept elsewhere.
        """
        return await asyncio.to_thread(_tree, root, ref)


def _tree(root: str, ref: str) -> tuple[str, Snapshot]:
    with _closing(open_root(root)) as folder:
        try:
            git = os.open(".git", _FOLDER, dir_fd=folder)
        except OSError as error:
            raise InvalidInput(
                f"{shown(root)} has no .git folder of its own ({error.strerror}). Register a "
                "copy of what you trust with --folder."
            ) from error
        with _closing(git):
            repository = _Repository(git)
            commit = repository.peeled(repository.resolved(ref))
            return commit, repository.snapshot(commit)


@dataclass(slots=True)
class _Repository:
    git: int
    indexes: list[tuple[str, bytes]] | None = None
    files: list[SnapshotFile] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    bytes_left: int = MAX_TOTAL_BYTES
    entries_left: int = 4 * MAX_FILES

    # ---- references

    def resolved(self, ref: str) -> str:
        """Return the object id that a name stands for."""
        if _ID.fullmatch(ref):
            return ref
        if not _REF.fullmatch(ref) or ".." in ref or "//" in ref or ref.endswith((".lock", "/")):
            raise InvalidInput(
                f"The git ref {shown(ref)} is refused: give a full commit id, a branch or a tag."
            )
        packed = self._packed_refs()
        for name in (ref, f"refs/tags/{ref}", f"refs/heads/{ref}", f"refs/remotes/{ref}"):
            if name != "HEAD" and not name.startswith("refs/"):
                continue
            if (found := self._followed(name, packed)) is not None:
                return found
        raise NotFound(f"The repository has no ref {shown(ref)}. Give a full commit id.")

    def _followed(self, name: str, packed: dict[str, str]) -> str | None:
        for _ in range(5):
            loose = self._read(name, 1024)
            text = loose.decode("ascii", "replace").strip() if loose else packed.get(name, "")
            if _ID.fullmatch(text):
                return text
            target = text.removeprefix("ref: ")
            if target == text or not target.startswith("refs/") or ".." in target:
                return None
            if not _REF.fullmatch(target):
                return None
            name = target
        return None

    def _packed_refs(self) -> dict[str, str]:
        text = (self._read("packed-refs", MAX_REFS_BYTES) or b"").decode("utf-8", "replace")
        pairs = (line.partition(" ") for line in text.splitlines() if line[:1] not in {"#", "^"})
        return {name: digest for digest, _, name in pairs}

    # ---- trees

    def peeled(self, object_id: str) -> str:
        """Return the commit behind an id that may be an annotated tag's."""
        for _ in range(5):
            kind, content = self.object(object_id)
            if kind == "commit":
                return object_id
            target = re.match(rb"object ([0-9a-f]{40})\n", content)
            if kind != "tag" or target is None:
                break
            object_id = target.group(1).decode()
        raise InvalidInput(f"{object_id} is no commit. Give a commit, a branch or a tag.")

    def snapshot(self, commit: str) -> Snapshot:
        """Return the files of a commit, as a checkout would lie there."""
        tree = re.match(rb"tree ([0-9a-f]{40})\n", self.object(commit)[1])
        if tree is None:
            raise broken(commit)
        self._add_tree(tree.group(1).decode(), "", 0)
        return Snapshot.of(self.files, self.left_out)

    def _add_tree(self, tree: str, prefix: str, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise InvalidInput(f"The commit nests folders deeper than {MAX_DEPTH}.")
        kind, content = self.object(tree)
        if kind != "tree":
            raise broken(tree)
        for mode, name, object_id in _entries(tree, content):
            self.entries_left -= 1
            if self.entries_left < 0:
                raise self._too_large()
            path = prefix + name
            is_folder = mode == "40000"
            reason = _reason_of_mode(mode) or reason_of_name(path)
            reason = reason or (reason_of_folder if is_folder else reason_of_file)(name)
            if reason is not None:
                self.left_out.append((ascii(path)[1:-1], reason))
            elif is_folder:
                self._add_tree(object_id, f"{path}/", depth + 1)
            else:
                self._add_file(path, object_id, executable=mode == "100755")

    def _add_file(self, path: str, object_id: str, *, executable: bool) -> None:
        try:
            kind, content = self.object(object_id)
        except TooLong:
            self.left_out.append(
                (path, f"larger than {git_packs.MAX_OBJECT_BYTES // MEBIBYTE} MiB")
            )
            return
        self.bytes_left -= len(content)
        if self.bytes_left < 0 or len(self.files) >= MAX_FILES:
            raise self._too_large()
        if kind != "blob":
            raise broken(object_id)
        self.files.append(SnapshotFile.of(path, content, executable=executable))

    @staticmethod
    def _too_large() -> InvalidInput:
        return InvalidInput(
            f"The commit holds more than {MAX_FILES} files or {MAX_TOTAL_BYTES // MEBIBYTE} MiB. "
            "Register a folder with the part that you trust: --folder."
        )

    # ---- objects

    def object(self, object_id: str) -> tuple[str, bytes]:
        """Return kind and content of an object whose bytes have this id."""
        kind, content = self._loose(object_id) or self._packed(object_id, 0) or (None, b"")
        if kind is None:
            raise NotFound(
                f"The repository itself does not hold object {object_id}: it is absent, or kept "
                "elsewhere (alternates, a shallow or partial clone). Register a copy: --folder."
            )
        # Git's own name of an object; what is kept is named by SHA-256 later.
        header = f"{kind} {len(content)}\0".encode()
        if hashlib.sha1(header + content, usedforsecurity=False).hexdigest() != object_id:
            raise broken(object_id)
        return kind, content

    def _loose(self, object_id: str) -> tuple[str, bytes] | None:
        stored = self._read(
            f"objects/{object_id[:2]}/{object_id[2:]}", 2 * git_packs.MAX_OBJECT_BYTES
        )
        if stored is None:
            return None
        unzipped = inflated(iter([stored]), git_packs.MAX_OBJECT_BYTES + 64, object_id)
        header, _, content = unzipped.partition(b"\0")
        kind = header.partition(b" ")[0].decode("ascii", "replace")
        return (kind, content) if kind in _KINDS.values() else None

    def _packed(self, object_id: str, depth: int) -> tuple[str, bytes] | None:
        for name, index in self._indexes():
            offset = looked_up(index, bytes.fromhex(object_id))
            if offset is not None:
                pack = f"objects/pack/{name.removesuffix('.idx')}.pack"
                with self._opened(pack) as file:
                    if file is not None:
                        return self._entry(file, offset, depth)
        return None

    def _entry(self, pack: int, offset: int, depth: int) -> tuple[str, bytes]:
        """Read the entry at this offset, as deep as its chain of differences goes."""
        if depth > MAX_DELTAS:
            raise InvalidInput(f"An object is more than {MAX_DELTAS} differences deep.")
        head = os.pread(pack, 64, offset)
        number, size, at = entry_head(head)
        if size > git_packs.MAX_OBJECT_BYTES:
            raise TooLong
        base: tuple[str, bytes] | None = None
        if number == _OFFSET_DELTA:
            back, at = distance(head, at)
            if not 0 < back <= offset:
                raise broken("in a pack")
            base = self._entry(pack, offset - back, depth + 1)
        elif number == _ID_DELTA:
            base_id = head[at : at + 20].hex()
            at += 20
            base = self._loose(base_id) or self._packed(base_id, depth + 1)
        data = inflated(chunks(pack, offset + at), size, "in a pack")
        if len(data) != size:
            raise broken("in a pack")
        if number in _KINDS:
            return _KINDS[number], data
        if base is None:
            raise broken("in a pack")
        return base[0], patched(base[1], data)

    def _indexes(self) -> list[tuple[str, bytes]]:
        if self.indexes is None:
            names = sorted(
                name for name in self._names("objects/pack") if _PACK_NAME.fullmatch(name)
            )
            left, self.indexes = MAX_INDEX_BYTES, []
            for name in names:
                index = self._read(f"objects/pack/{name}", left) or b""
                left -= len(index)
                if index[:8] == b"\xfftOc\0\0\0\2" and len(index) >= 1032:
                    self.indexes.append((name, index))
        return self.indexes

    # ---- files

    def _names(self, path: str) -> list[str]:
        with self._opened(path, _FOLDER) as folder:
            if folder is None:
                return []
            with os.scandir(folder) as entries:
                return [entry.name for entry in itertools.islice(entries, MAX_PACK_NAMES)]

    def _read(self, path: str, most: int) -> bytes | None:
        with self._opened(path) as file:
            if file is None:
                return None
            if os.fstat(file).st_size > most:
                raise InvalidInput(f"{shown(path)} of the repository is larger than {most} bytes.")
            parts = []
            while most > 0 and (part := os.read(file, min(most, MEBIBYTE))):
                parts.append(part)
                most -= len(part)
            return b"".join(parts)

    @contextmanager
    def _opened(self, path: str, flags: int = _FILE) -> Iterator[int | None]:
        """Open a file below `.git` without following a link in any part of its path."""
        *folders, name = path.split("/")
        opened = [self.git]
        try:
            for folder in folders:
                opened.append(os.open(folder, _FOLDER, dir_fd=opened[-1]))
            opened.append(os.open(name, flags, dir_fd=opened[-1]))
        except OSError:
            last = None
        else:
            last = opened[-1]
        try:
            yield last
        finally:
            for descriptor in opened[1:]:
                os.close(descriptor)


def _entries(tree: str, content: bytes) -> Iterator[tuple[str, str, str]]:
    at = 0
    while at < len(content):
        end = content.find(b"\0", at)
        mode, _, name = content[at:end].partition(b" ")
        if end < 0 or end + 21 > len(content) or not name or b"/" in name:
            raise broken(tree)
        if name in {b".", b".."}:
            raise broken(tree)
        text = name.decode("utf-8", "surrogateescape")
        yield mode.decode("ascii", "replace"), text, content[end + 1 : end + 21].hex()
        at = end + 21


def _reason_of_mode(mode: str) -> str | None:
    if mode in {"40000", "100644", "100755", "100664"}:
        return None
    return "symbolic link" if mode == "120000" else "not a regular file"


@contextmanager
def _closing(descriptor: int) -> Iterator[int]:
    try:
        yield descriptor
    finally:
        os.close(descriptor)
