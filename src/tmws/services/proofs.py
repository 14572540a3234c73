"""Short proofs about the ledger, for somebody who holds one of its checkpoints."""

from __future__ import annotations

from dataclasses import dataclass

from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.ledger import (
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    proves_consistency,
    proves_inclusion,
)
from tmws.domain.ledger import root as merkle_root
from tmws.storage import ledger
from tmws.storage.database import Database


@dataclass(frozen=True, slots=True)
class InclusionProof:
    """That a leaf stands at its index in the tree of this size and root (RFC 6962 §2.1.1).

    Attributes:
        leaf: the entry, canonical JSON; hashed with the prefix 0x00.
        path: sibling hashes from the leaf to the root, hex.
    """

    index: int
    size: int
    leaf: str
    path: tuple[str, ...]
    root: str

    def holds(self) -> bool:
        """Recompute the root from the leaf and the path."""
        return proves_inclusion(
            leaf_hash(self.leaf.encode()),
            self.index,
            self.size,
            _hashes(self.path),
            bytes.fromhex(self.root),
        )


@dataclass(frozen=True, slots=True)
class ConsistencyProof:
    """That the tree of the older size is the beginning of the newer one (RFC 6962 §2.1.2).

    Attributes:
        old_root, root: root hashes of the two trees, hex; compare with a checkpoint's.
        path: the hashes that lead from one to the other, hex.
    """

    old_size: int
    old_root: str
    size: int
    root: str
    path: tuple[str, ...]

    def holds(self) -> bool:
        """Recompute both roots from the path."""
        return proves_consistency(
            self.old_size,
            bytes.fromhex(self.old_root),
            self.size,
            bytes.fromhex(self.root),
            _hashes(self.path),
        )


class Proofs:
    """Makes proofs from the entries as they stand."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def inclusion(self, index: int) -> InclusionProof:
        """Return the proof that an entry is in the log.

        Raises:
            NotFound: the log has no such entry.
        """
        leaves = await self._leaves()
        if not 0 <= index < len(leaves):
            raise NotFound(f"The ledger has no entry {index}; it ends at {len(leaves) - 1}.")
        hashes = [leaf_hash(leaf) for leaf in leaves]
        return InclusionProof(
            index=index,
            size=len(hashes),
            leaf=leaves[index].decode(),
            path=_hex(inclusion_proof(hashes, index)),
            root=merkle_root(hashes).hex(),
        )

    async def consistency(self, old_size: int) -> ConsistencyProof:
        """Return the proof that the log only grew since it had this many entries.

        Raises:
            InvalidInput: it never had, or had none.
        """
        hashes = [leaf_hash(leaf) for leaf in await self._leaves()]
        if not 0 < old_size <= len(hashes):
            raise InvalidInput(f"Size {old_size} is refused: give 1 to {len(hashes)}.")
        return ConsistencyProof(
            old_size=old_size,
            old_root=merkle_root(hashes[:old_size]).hex(),
            size=len(hashes),
            root=merkle_root(hashes).hex(),
            path=_hex(consistency_proof(hashes, old_size)),
        )

    async def _leaves(self) -> list[bytes]:
        async with self._database.read() as connection:
            return [entry.leaf async for entry in ledger.entries(connection)]


def _hex(hashes: list[bytes]) -> tuple[str, ...]:
    return tuple(each.hex() for each in hashes)


def _hashes(path: tuple[str, ...]) -> list[bytes]:
    return [bytes.fromhex(each) for each in path]
