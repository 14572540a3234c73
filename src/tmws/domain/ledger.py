"""A tamper-evident log: one Merkle tree over all entries, as in RFC 6962.

Leaves and nodes are hashed with different prefixes, so that neither can pass for the
other. The tree of n leaves splits at the largest power of two below n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""RFC 6962 §2.1: the hash of an empty list is the hash of an empty string."""

SALT_BYTES = 32


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one entry. RFC 6962 §2.1: prefixed by 0x00."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of two subtrees. RFC 6962 §2.1: prefixed by 0x01."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def commitment(salt: bytes, payload: bytes) -> str:
    """Return what a leaf says about its payload, hex.

    The salt keeps a short payload from being guessed; deleting salt and payload
    erases the content lawfully and leaves every proof valid.
    """
    return hashlib.sha256(salt + payload).hexdigest()


@dataclass(frozen=True, slots=True)
class Tree:
    """The right edge of the tree: all that appending needs.

    Attributes:
        size: number of leaves.
        peaks: roots of the perfect subtrees from left to right, one for each bit
            set in `size`.
    """

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def appended(self, leaf: bytes) -> Tree:
        """Return the tree with one more leaf, given by its hash."""
        peaks, rest, carried = list(self.peaks), self.size, leaf
        while rest & 1:
            carried = node_hash(peaks.pop(), carried)
            rest >>= 1
        return Tree(self.size + 1, (*peaks, carried))

    def root(self) -> bytes:
        """Return the Merkle tree hash of all leaves."""
        if not self.peaks:
            return EMPTY_ROOT
        *rest, value = self.peaks
        for peak in reversed(rest):
            value = node_hash(peak, value)
        return value


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash of these leaf hashes (RFC 6962 §2.1)."""
    tree = Tree()
    for leaf in leaves:
        tree = tree.appended(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the audit path of one leaf (RFC 6962 §2.1.1).

    Args:
        leaves: all leaf hashes, in order.
        index: 0 <= index < len(leaves).
    """
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root(leaves[:split])]


def proves_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], expected_root: bytes
) -> bool:
    """Say whether the path leads from this leaf to this root (RFC 9162 §2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if first & 1 or first == last:
            value = node_hash(sibling, value)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            value = node_hash(value, sibling)
        first >>= 1
        last >>= 1
    return last == 0 and value == expected_root


def consistency_proof(leaves: Sequence[bytes], old_size: int) -> list[bytes]:
    """Return the proof that the first `old_size` leaves are a prefix (RFC 6962 §2.1.2).

    Args:
        leaves: all leaf hashes of the newer tree.
        old_size: 0 < old_size <= len(leaves).
    """
    return _subproof(leaves, old_size, whole=True)


def _subproof(leaves: Sequence[bytes], old_size: int, *, whole: bool) -> list[bytes]:
    if old_size == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    if old_size <= split:
        return [*_subproof(leaves[:split], old_size, whole=whole), root(leaves[split:])]
    return [*_subproof(leaves[split:], old_size - split, whole=False), root(leaves[:split])]


def proves_consistency(
    old_size: int, old_root: bytes, size: int, new_root: bytes, path: Sequence[bytes]
) -> bool:
    """Say whether the newer tree extends the older one (RFC 9162 §2.1.4.2)."""
    if not 0 < old_size <= size:
        return False
    if old_size == size:
        return not path and old_root == new_root
    nodes = [old_root, *path] if old_size & (old_size - 1) == 0 else list(path)
    if not nodes:
        return False
    first, last = old_size - 1, size - 1
    while first & 1:
        first >>= 1
        last >>= 1
    old = new = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            return False
        if first & 1 or first == last:
            old, new = node_hash(node, old), node_hash(node, new)
            while not first & 1 and first:
                first >>= 1
                last >>= 1
        else:
            new = node_hash(new, node)
        first >>= 1
        last >>= 1
    return last == 0 and old == old_root and new == new_root


def _split(size: int) -> int:
    """The largest power of two smaller than `size`, for size > 1."""
    return 1 << ((size - 1).bit_length() - 1)
