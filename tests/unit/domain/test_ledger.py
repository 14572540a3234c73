"""The Merkle tree: RFC 6962's own vectors, and every proof of every tree."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tmws.domain.ledger import (
    EMPTY_ROOT,
    Tree,
    commitment,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    proves_consistency,
    proves_inclusion,
    root,
)

# The eight entries and the roots after each, from the test data of Certificate
# Transparency (google/certificate-transparency, merkle_tree_test).
ENTRIES = [
    bytes.fromhex(entry)
    for entry in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]


def leaves_of(size: int) -> list[bytes]:
    return [leaf_hash(b"%d" % number) for number in range(size)]


SIZES = st.integers(1, 130)


def test_an_empty_tree_has_the_hash_of_nothing() -> None:
    assert root([]) == Tree().root() == EMPTY_ROOT == hashlib.sha256(b"").digest()


@pytest.mark.parametrize("size", range(1, 9))
def test_the_published_roots_come_out(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size - 1]


def test_the_published_audit_path_comes_out() -> None:
    # Entry 0 of 8, and entry 5 of 8, from the same test data.
    assert [node.hex() for node in inclusion_proof(LEAVES, 0)] == [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert [node.hex() for node in inclusion_proof(LEAVES, 5)] == [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


def test_the_published_consistency_proof_comes_out() -> None:
    assert [node.hex() for node in consistency_proof(LEAVES, 6)] == [
        "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]


@given(st.integers(0, 300))
def test_appending_one_by_one_gives_the_root_of_the_recursive_definition(size: int) -> None:
    leaves = leaves_of(size)
    tree = Tree()
    for leaf in leaves:
        tree = tree.appended(leaf)
    assert tree.size == size
    assert len(tree.peaks) == size.bit_count()
    assert tree.root() == defined_root(leaves)


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 §2.1, word by word."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256().digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    left, right = defined_root(leaves[:split]), defined_root(leaves[split:])
    return hashlib.sha256(b"\x01" + left + right).digest()


@pytest.mark.parametrize("size", [*range(1, 35), 63, 64, 65])
def test_every_leaf_of_a_tree_of_any_size_is_proven(size: int) -> None:
    leaves = leaves_of(size)
    top = root(leaves)
    for index, leaf in enumerate(leaves):
        assert proves_inclusion(leaf, index, size, inclusion_proof(leaves, index), top)


@given(SIZES, st.data())
def test_a_proof_proves_nothing_but_its_own_leaf_place_and_tree(
    size: int, data: st.DataObject
) -> None:
    leaves, top = leaves_of(size), root(leaves_of(size))
    index = data.draw(st.integers(0, size - 1))
    path = inclusion_proof(leaves, index)
    other = data.draw(st.integers(-2, size + 2).filter(lambda number: number != index))
    assert not proves_inclusion(leaves[index], other, size, path, top)
    assert not proves_inclusion(leaf_hash(b"other"), index, size, path, top)
    assert not proves_inclusion(leaves[index], index, size, path, leaf_hash(b"root"))
    assert not proves_inclusion(leaves[index], index, size, [*path, top], top)
    assert not proves_inclusion(leaves[index], index, 0, path, top)
    if path:
        assert not proves_inclusion(leaves[index], index, size, path[:-1], top)
        assert not proves_inclusion(leaves[index], index, size, [top, *path[1:]], top)
    if len(path) > 1:
        assert not proves_inclusion(leaves[index], index, size, path[::-1], top)


@pytest.mark.parametrize("size", [*range(1, 35), 64])
def test_every_earlier_tree_is_proven_a_prefix_of_every_later_one(size: int) -> None:
    leaves = leaves_of(size)
    for old in range(1, size + 1):
        path = consistency_proof(leaves, old)
        assert proves_consistency(old, root(leaves[:old]), size, root(leaves), path)


@given(SIZES, st.data())
def test_a_rewritten_past_is_never_proven_consistent(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    leaves, top = leaves_of(size), root(leaves_of(size))
    before, path = root(leaves_of(old)), consistency_proof(leaves_of(size), old)
    forged = leaves_of(old)
    forged[data.draw(st.integers(0, old - 1))] = leaf_hash(b"forged")
    assert not proves_consistency(old, root(forged), size, top, path)
    assert not proves_consistency(old, before, size, root([*forged, *leaves[old:]]), path)
    assert not proves_consistency(old, before, size, top, [*path, top])
    assert not proves_consistency(0, before, size, top, path)
    assert not proves_consistency(size + 1, before, size, top, path)
    if path:
        assert not proves_consistency(old, before, size, top, path[:-1])
        assert not proves_consistency(old, before, size, top, [leaf_hash(b"x"), *path[1:]])
        assert not proves_consistency(old, before, size, top, [])


@given(SIZES, st.data())
def test_a_consistency_proof_fits_no_other_size(size: int, data: st.DataObject) -> None:
    old = data.draw(st.integers(1, size))
    other = data.draw(st.integers(1, size))
    assume(other != old)
    leaves = leaves_of(size)
    path = consistency_proof(leaves, old)
    assert not proves_consistency(other, root(leaves[:old]), size, root(leaves), path)


def test_a_node_cannot_pass_for_a_leaf() -> None:
    left, right = leaves_of(2)
    assert leaf_hash(left + right) != node_hash(left, right)


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=50), st.binary(max_size=50))
def test_a_commitment_holds_salt_and_payload(salt: bytes, payload: bytes, other: bytes) -> None:
    assume(payload != other)
    assert commitment(salt, payload) != commitment(salt, other)
    assert commitment(salt, payload) != commitment(bytes(reversed(salt)) + b"x", payload)
