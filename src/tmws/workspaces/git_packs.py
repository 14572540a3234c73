"""The form of a repository's packs: indexes, entries, differences. Every length is bounded."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator

from tmws.domain.errors import InvalidInput
from tmws.domain.execution import MEBIBYTE

MAX_OBJECT_BYTES = 8 * MEBIBYTE


class TooLong(InvalidInput):
    """An object is larger than a file of a snapshot may be."""

    def __init__(self) -> None:
        super().__init__(f"An object is larger than {MAX_OBJECT_BYTES // MEBIBYTE} MiB.")


def broken(what: str) -> InvalidInput:
    """Return what is raised where the repository is not what it says."""
    return InvalidInput(f"Object {what} of the repository is broken, or not what its id says.")


def looked_up(index: bytes, wanted: bytes) -> int | None:
    """Find the offset of an object in a pack's index (version 2)."""
    fanout = struct.unpack_from(">256I", index, 8)
    count = fanout[255]
    names = 8 + 1024
    offsets = names + 24 * count
    low, high = (fanout[wanted[0] - 1] if wanted[0] else 0), fanout[wanted[0]]
    if not low <= high <= count or offsets + 4 * count > len(index):
        return None
    while low < high:
        middle = (low + high) // 2
        found = index[names + 20 * middle : names + 20 * middle + 20]
        if found == wanted:
            (offset,) = struct.unpack_from(">I", index, offsets + 4 * middle)
            if not offset & 0x80000000:
                return int(offset)
            large = offsets + 4 * count + 8 * (offset & 0x7FFFFFFF)
            if large + 8 > len(index):
                return None
            return int(struct.unpack_from(">Q", index, large)[0])
        low, high = (middle + 1, high) if found < wanted else (low, middle)
    return None


def entry_head(head: bytes) -> tuple[int, int, int]:
    """Return kind and size of a pack entry, and where its head ends."""
    size, at, shift = 0, 0, 4
    try:
        byte = head[0]
        number, size = byte >> 4 & 7, byte & 15
        while byte & 0x80:
            at += 1
            byte = head[at]
            size |= (byte & 0x7F) << shift
            shift += 7
    except IndexError:
        raise broken("in a pack") from None
    return number, size, at + 1


def distance(head: bytes, at: int) -> tuple[int, int]:
    """Return how far back the base of a difference lies."""
    try:
        byte = head[at]
        back = byte & 0x7F
        while byte & 0x80:
            at += 1
            byte = head[at]
            back = (back + 1) << 7 | byte & 0x7F
    except IndexError:
        raise broken("in a pack") from None
    return back, at + 1


def chunks(file: int, at: int) -> Iterator[bytes]:
    """Read a file from a place on, piece by piece."""
    while part := os.pread(file, 64 * 1024, at):
        yield part
        at += len(part)


def inflated(packed: Iterator[bytes], most: int, what: str) -> bytes:
    """Unpack at most so many bytes."""
    unzip, left = zlib.decompressobj(), most
    parts = []
    try:
        for chunk in packed:
            part = unzip.decompress(chunk, left + 1)
            left -= len(part)
            if left < 0:
                raise TooLong
            parts.append(part)
            if unzip.eof:
                return b"".join(parts)
    except zlib.error as error:
        raise broken(what) from error
    raise broken(what)


def patched(base: bytes, difference: bytes) -> bytes:
    """Apply git's difference: copies from the base, and new bytes."""
    try:
        base_size, at = _varint(difference, 0)
        size, at = _varint(difference, at)
        if base_size != len(base):
            raise broken("in a pack")
        if size > MAX_OBJECT_BYTES:
            raise TooLong
        parts, made = [], 0
        while at < len(difference):
            code = difference[at]
            at += 1
            if code & 0x80:
                start = length = 0
                for bit in range(4):
                    if code >> bit & 1:
                        start |= difference[at] << 8 * bit
                        at += 1
                for bit in range(3):
                    if code >> 4 + bit & 1:
                        length |= difference[at] << 8 * bit
                        at += 1
                part = base[start : start + (length or 0x10000)]
            else:
                part = difference[at : at + code]
                at += code
            made += len(part)
            if not part or made > size:
                raise broken("in a pack")
            parts.append(part)
    except IndexError:
        raise broken("in a pack") from None
    if made != size:
        raise broken("in a pack")
    return b"".join(parts)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value, shift = 0, 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return value, at
