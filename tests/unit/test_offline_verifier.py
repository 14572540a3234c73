"""An exported verdict on another machine: believed whole, and not with one byte changed."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.claims_made import SUPPORTED, open_claim
from tests.unit.domain.written_reports import ran
from tmws import offline_verifier
from tmws.domain import evidence, ledger
from tmws.domain.canonical import canonical_bytes, sha256_hex
from tmws.domain.checkpoints import Checkpoint, note
from tmws.domain.execution import ExecutionRequest, Limits
from tmws.offline_verifier import NotAKey, NotProven, read_key, verify

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC = PRIVATE.public_key().public_bytes_raw()
STRANGER = Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()
REPORT = b'{"event":"finished","status":0}\n'
REQUEST = ExecutionRequest(("/opt/tmws/python", "/workspace/check.py"), (), Limits())
SALT = bytes(range(32))


def exported(
    index: int = 2, size: int = 5, *, withdrawn: bytes | None = None, **changes: Any
) -> bytes:
    """Make a file as an installation does; `changes` replace its fields.

    Args:
        withdrawn: the payload of the ledger's last entry, which says that it withdraws the verdict.
    """
    payload = canonical_bytes(evidence.statement(open_claim(), SUPPORTED, REQUEST, ran(REPORT)))
    signature = PRIVATE.sign(evidence.pre_authentication_encoding(payload))
    envelope = evidence.envelope(payload, [(sha256_hex(PUBLIC)[:16], signature)])
    told = canonical_bytes(
        {
            "claim": "claim_1",
            "evidence_sha256": sha256_hex(envelope),
            "snapshot_sha256": "ab" * 32,
            "verdict": "SUPPORTED",
            "level": "reproduced",
        }
    )
    leaf = canonical_bytes({"index": index, "payload": ledger.commitment(SALT, told)})
    others = [ledger.leaf_hash(b"%d" % number) for number in range(size)]
    hashes = [*others[:index], ledger.leaf_hash(leaf), *others[index + 1 :]]
    if withdrawn is not None:
        act = canonical_bytes(
            {
                "index": size - 1,
                "payload": ledger.commitment(SALT, withdrawn),
                "type": "evidence_withdrawn",
            }
        )
        hashes[-1] = ledger.leaf_hash(act)
        changes["withdrawal"] = {
            "leaf": act.decode(),
            "salt": SALT.hex(),
            "payload": withdrawn.decode(),
            "path": [each.hex() for each in ledger.inclusion_proof(hashes, size - 1)],
        } | changes.get("withdrawal", {})
    promise = Checkpoint("tmws/test", size, ledger.root(hashes))
    fields = {
        "format": "tmws-evidence/1",
        "envelope": envelope.decode(),
        "report": base64.b64encode(REPORT).decode(),
        "leaf": leaf.decode(),
        "salt": SALT.hex(),
        "payload": told.decode(),
        "path": [each.hex() for each in ledger.inclusion_proof(hashes, index)],
        "checkpoint": note(promise, PUBLIC, PRIVATE.sign(promise.body().encode())),
    }
    return canonical_bytes(fields | changes)


def test_a_whole_file_proves_its_verdict_under_the_key_alone() -> None:
    proven = verify(exported(), [STRANGER, PUBLIC])
    assert proven.statement["predicate"]["tmws"]["judgement"]["verdict"] == "SUPPORTED"
    assert (proven.index, proven.size, proven.origin) == (2, 5, "tmws/test")
    assert proven.has_report


@pytest.mark.parametrize(("index", "size"), [(0, 1), (0, 2), (6, 7), (7, 8), (8, 9), (3, 13)])
def test_it_proves_wherever_in_the_ledger_the_verdict_stands(index: int, size: int) -> None:
    assert verify(exported(index, size), [PUBLIC]).index == index


def test_a_flipped_bit_anywhere_is_found() -> None:
    whole = exported()
    believed = []
    for place in range(len(whole)):
        for bit in range(8):
            changed = bytearray(whole)
            changed[place] ^= 1 << bit
            try:
                verify(bytes(changed), [PUBLIC])
            except NotProven:
                continue
            believed.append((place, bit))
    assert believed == []


@given(st.data())
def test_nothing_cut_added_or_swapped_is_believed(data: st.DataObject) -> None:
    whole = exported()
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    put = data.draw(st.binary(max_size=40))
    changed = whole[:start] + put + whole[end:]
    if changed != whole:
        with pytest.raises(NotProven):
            verify(changed, [PUBLIC])


@given(st.binary(max_size=300))
def test_other_bytes_prove_nothing(content: bytes) -> None:
    with pytest.raises(NotProven):
        verify(content, [PUBLIC])


def test_a_strangers_key_proves_nothing_and_neither_does_none() -> None:
    for keys in ([STRANGER], []):
        with pytest.raises(NotProven, match="not signed by a key that was given"):
            verify(exported(), keys)


@pytest.mark.parametrize(
    ("changes", "step"),
    [
        ({"report": base64.b64encode(b"other").decode()}, "not the one that the statement names"),
        ({"salt": "00" * 32}, "does not commit"),
        ({"salt": SALT.hex().upper()}, "lower-case"),
        ({"path": []}, "does not lie in the tree"),
        ({"leaf": '{"index":1}'}, "not an exported verdict"),
        ({"format": "tmws-evidence/2"}, "normal form"),
        ({"more": 1}, "normal form"),
        ({"checkpoint": "a\nb\n"}, "not an exported verdict"),
        ({"envelope": "{}"}, "not an exported verdict"),
    ],
)
def test_each_step_says_what_it_found(changes: dict[str, Any], step: str) -> None:
    with pytest.raises(NotProven, match=step):
        verify(exported(**changes), [PUBLIC])


BACK = b'{"by":"ann","evidence":"claim_1","reason":"a broken image"}'


def test_a_withdrawn_verdict_proves_nothing_and_says_who_withdrew_it() -> None:
    with pytest.raises(NotProven, match="by ann, as entry 4 of the ledger says: a broken image"):
        verify(exported(withdrawn=BACK), [PUBLIC])


@pytest.mark.parametrize(
    ("payload", "changes", "step"),
    [
        (BACK.replace(b"claim_1", b"claim_2"), {}, "withdraws another"),
        (BACK, {"path": []}, "does not lie in the tree"),
        (BACK, {"salt": "00" * 32}, "does not commit"),
        (BACK, {"leaf": "{}"}, "not an exported verdict"),
    ],
)
def test_nor_does_one_with_a_withdrawal_that_is_none(
    payload: bytes, changes: dict[str, Any], step: str
) -> None:
    with pytest.raises(NotProven, match=step):
        verify(exported(withdrawn=payload, withdrawal=changes), [PUBLIC])


def test_another_verdict_of_the_same_installation_does_not_fit() -> None:
    fields, other = json.loads(exported()), json.loads(exported(index=3))
    mixed = fields | {name: other[name] for name in ("leaf", "path")}
    with pytest.raises(NotProven):
        verify(canonical_bytes(mixed), [PUBLIC])


def test_a_verdict_without_its_report_still_proves() -> None:
    assert not verify(exported(report=None), [PUBLIC]).has_report


def test_the_file_alone_is_enough_on_another_machine(tmp_path: Path) -> None:
    verifier = tmp_path / "anywhere.py"
    verifier.write_bytes(Path(offline_verifier.__file__).read_bytes())
    verdict = tmp_path / "verdict.json"
    verdict.write_bytes(exported())
    key = tmp_path / "key"
    key.write_text(PUBLIC.hex() + "\n")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-I", str(verifier), *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )

    believed = run(str(verdict), str(key))
    assert believed.returncode == 0, believed.stderr
    assert json.loads(believed.stdout)["predicate"]["result"] == "PASSED"
    refused = run(str(verdict), hashlib.sha256(b"").hexdigest())
    assert (refused.returncode, refused.stderr[:11]) == (8, "NOT PROVEN:")
    assert run().returncode == 2
    for words in ((str(verdict), "nothing"), ("absent", str(key)), (str(verdict), str(tmp_path))):
        unread = run(*words)
        assert (unread.returncode, unread.stdout) == (2, "")
        assert "NOT PROVEN" not in unread.stderr  # nothing was looked at


@pytest.mark.parametrize(
    "content", [b"", b"ab" * 31, b"ab" * 33, b"zz" * 32, b"\xff" * 64, b"ab" * 2**20]
)
def test_a_file_that_holds_no_key_is_called_that(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    with pytest.raises(NotAKey, match="neither 64 hex digits nor a file of them"):
        read_key(str(file))


@pytest.mark.parametrize("key", ["", "key.pub", "ab" * 31, "x" * 5000, "\0"])
def test_what_is_neither_a_key_nor_a_file_is_called_that(key: str) -> None:
    with pytest.raises(NotAKey):
        read_key(key)
