"""The key file: made once, readable by its owner only, the same for all processes."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.canonical import sha256_hex
from tmws.domain.errors import BackendUnavailable
from tmws.signing.keys import FileSigner


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "ed25519"


def test_the_first_start_makes_a_key_that_only_its_owner_reads(path: Path) -> None:
    signer = FileSigner(path)
    assert len(signer.public_key) == 32
    assert signer.key_id == sha256_hex(signer.public_key)[:16]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_a_later_start_uses_the_same_key(path: Path) -> None:
    first, second = FileSigner(path), FileSigner(path)
    assert first.public_key == second.public_key
    assert second.verify(b"message", first.sign(b"message"))


def test_of_many_first_starts_one_key_remains(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: FileSigner(path).public_key, range(16)))
    assert len(keys) == 1
    assert list(path.parent.iterdir()) == [path]


@given(message=st.binary(max_size=100), other=st.binary(max_size=100))
def test_a_signature_verifies_its_own_message_only(message: bytes, other: bytes) -> None:
    signature = SIGNER.sign(message)
    public = Ed25519PublicKey.from_public_bytes(SIGNER.public_key)
    public.verify(signature, message)
    assert SIGNER.verify(other, signature) is (message == other)
    if message != other:
        with pytest.raises(InvalidSignature):
            public.verify(signature, other)


@pytest.mark.parametrize("signature", [b"", b"x" * 63, b"x" * 64, b"x" * 65])
def test_what_is_no_signature_does_not_verify(path: Path, signature: bytes) -> None:
    assert not FileSigner(path).verify(b"message", signature)


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_broken_key_is_refused_and_kept(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(BackendUnavailable, match="Restore it from a backup") as refused:
        FileSigner(path)
    assert not refused.value.retryable
    assert path.read_bytes() == content


def test_a_place_where_no_key_can_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BackendUnavailable, match="cannot be used"):
        FileSigner(tmp_path / "file" / "ed25519")


@pytest.fixture(scope="module", autouse=True)
def _signer(tmp_path_factory: pytest.TempPathFactory) -> None:
    global SIGNER  # noqa: PLW0603  # one key for all examples
    SIGNER = FileSigner(tmp_path_factory.mktemp("keys") / "ed25519")


SIGNER: FileSigner
