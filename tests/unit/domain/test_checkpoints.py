"""The signed note that promises how large the ledger is."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import example, given
from hypothesis import strategies as st

from tmws.domain.checkpoints import Checkpoint, key_hash, note, parse
from tmws.domain.errors import SignatureInvalid

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = KEY.public_key().public_bytes_raw()
ORIGINS = st.from_regex(r"[a-z]{1,10}/[0-9a-f]{16}", fullmatch=True)


def signed(checkpoint: Checkpoint) -> str:
    return note(checkpoint, PUBLIC, KEY.sign(checkpoint.body().encode()))


GOOD = signed(Checkpoint("tmws/0123456789abcdef", 7, bytes(32)))


@given(ORIGINS, st.integers(0, 2**63), st.binary(min_size=32, max_size=32))
def test_what_is_written_is_read_back_and_verifies(origin: str, size: int, root: bytes) -> None:
    checkpoint = Checkpoint(origin, size, root)
    read, [(hint, signature)] = parse(signed(checkpoint))
    assert read == checkpoint
    assert hint == key_hash(origin, PUBLIC)
    KEY.public_key().verify(signature, read.body().encode())


@given(st.integers(0, len(GOOD) - 1), st.characters(exclude_categories=["Cs"]))
@example(len(GOOD) - 1, "\r")
@example(len(GOOD) - 3, chr(ord(GOOD[-3]) + 1))  # differs in bits that no byte has
def test_no_changed_character_leaves_a_note_that_verifies(at: int, other: str) -> None:
    changed = GOOD[:at] + other + GOOD[at + 1 :]
    original = parse(GOOD)
    try:
        checkpoint, signatures = parse(changed)
    except SignatureInvalid:
        return
    assert changed == GOOD or checkpoint != original[0] or signatures != original[1]


def test_signatures_of_others_are_passed_over() -> None:
    witness = "\u2014 witness.example " + base64.b64encode(bytes(68)).decode()
    assert parse(GOOD + witness + "\n") == parse(GOOD)


BODY, _, SIGNATURES = GOOD.partition("\n\n")
ORIGIN, SIZE, ROOT = BODY.split("\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        BODY,
        f"{ORIGIN}\n{SIZE}\n\n{SIGNATURES}",
        f"{BODY}\nmore\n\n{SIGNATURES}",
        f"{ORIGIN}\nseven\n{ROOT}\n\n{SIGNATURES}",
        f"{ORIGIN}\n+7\n{ROOT}\n\n{SIGNATURES}",
        f"{ORIGIN}\n07\n{ROOT}\n\n{SIGNATURES}",
        f"{ORIGIN}\n-7\n{ROOT}\n\n{SIGNATURES}",
        f"{ORIGIN}\n\u0667\n{ROOT}\n\n{SIGNATURES}",
        f"{ORIGIN}\n{SIZE}\n{ROOT[:-4]}\n\n{SIGNATURES}",
        f"{ORIGIN}\n{SIZE}\n*{ROOT}\n\n{SIGNATURES}",
        f"{BODY}\n\n\u2014 {ORIGIN} not-base64!\n",
        GOOD.replace("\n", "\r\n"),
    ],
)
def test_a_malformed_note_is_refused(text: str) -> None:
    with pytest.raises(SignatureInvalid):
        parse(text)


def test_an_unsigned_note_has_no_signatures() -> None:
    assert parse(f"{BODY}\n\n")[1] == []
