"""Every entry, and every earlier state, is proven to whoever holds a root."""

from __future__ import annotations

import pytest

from tests.integration.services import Installation
from tests.security.tampering import SIZE
from tmws.domain.errors import InvalidInput, NotFound


async def test_every_entry_is_proven_to_whoever_holds_the_root(copy: Installation) -> None:
    async with copy.open() as app:
        report = await app.audit.verify()
        for index in range(SIZE):
            proof = await app.proofs.inclusion(index)
            assert proof.holds()
            assert (proof.root, proof.size) == (report.root, SIZE)
        for index in (-1, SIZE):
            with pytest.raises(NotFound, match=f"no entry {index}; it ends at 6"):
                await app.proofs.inclusion(index)


async def test_every_earlier_size_is_proven_to_be_a_beginning(copy: Installation) -> None:
    async with copy.open() as app:
        report = await app.audit.verify()
        roots = set()
        for size in range(1, SIZE + 1):
            proof = await app.proofs.consistency(size)
            assert proof.holds()
            assert (proof.root, proof.size) == (report.root, SIZE)
            roots.add(proof.old_root)
        assert len(roots) == SIZE
        for size in (0, SIZE + 1):
            with pytest.raises(InvalidInput, match="1 to 7"):
                await app.proofs.consistency(size)
