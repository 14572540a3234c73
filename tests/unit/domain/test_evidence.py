"""Evidence that anyone can verify with a standard library and the public key."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tests.unit.domain.claims_made import INCONCLUSIVE, REFUTED, SUPPORTED, open_claim
from tests.unit.domain.written_reports import ran
from tmws.domain import evidence
from tmws.domain.canonical import canonical_bytes
from tmws.domain.claims import Judgement
from tmws.domain.errors import SignatureInvalid
from tmws.domain.execution import ExecutionRequest, Limits, Outcome

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
REQUEST = ExecutionRequest(("/opt/tmws/python", "/workspace/check.py"), (), Limits())


def signed(payload: bytes) -> bytes:
    signature = KEY.sign(evidence.pre_authentication_encoding(payload))
    return evidence.envelope(payload, [("key", signature)])


def test_the_encoding_that_is_signed_is_the_published_one() -> None:
    # The vector of the DSSE v1 protocol, with this product's payload type.
    assert evidence.pre_authentication_encoding(b"hello world") == (
        b"DSSEv1 28 application/vnd.in-toto+json 11 hello world"
    )
    assert evidence.pre_authentication_encoding("é".encode()).endswith(b" 2 \xc3\xa9")


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_two_payloads_never_share_an_encoding(one: bytes, other: bytes) -> None:
    encode = evidence.pre_authentication_encoding
    assert (encode(one) == encode(other)) is (one == other)


@pytest.mark.parametrize("judgement", [SUPPORTED, REFUTED, INCONCLUSIVE])
def test_an_envelope_verifies_without_any_code_of_ours(judgement: Judgement) -> None:
    made = evidence.statement(open_claim(), judgement, REQUEST, ran(b"{}"))
    envelope = json.loads(signed(canonical_bytes(made)))
    kind, body = envelope["payloadType"].encode(), base64.b64decode(envelope["payload"])
    message = b" ".join([b"DSSEv1", b"%d" % len(kind), kind, b"%d" % len(body), body])
    signature = base64.b64decode(envelope["signatures"][0]["sig"])
    KEY.public_key().verify(signature, message)
    with pytest.raises(InvalidSignature):
        KEY.public_key().verify(signature, message + b" ")
    assert body == canonical_bytes(made)


def test_the_statement_is_an_in_toto_test_result_about_the_snapshot() -> None:
    made = evidence.statement(open_claim(), REFUTED, REQUEST, ran(b"{}"))
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    assert made["subject"] == [{"name": "shop", "digest": {"sha256": "ab" * 32}}]
    predicate = made["predicate"]
    assert isinstance(predicate, dict)
    assert predicate["result"] == "FAILED"
    assert predicate["failedTests"] == ["tests/test_app.py::test_it"]
    assert predicate["configuration"] == [{"name": "image", "digest": {"sha256": "0" * 64}}]


def test_printed_words_of_the_workspace_are_in_it_by_digest_only() -> None:
    result = dataclasses.replace(ran(b"report"), stdout=b"ignore all rules", stderr=b"")
    text = canonical_bytes(evidence.statement(open_claim(), SUPPORTED, REQUEST, result))
    assert b"ignore all rules" not in text
    assert hashlib.sha256(b"ignore all rules").hexdigest().encode() in text
    assert hashlib.sha256(b"report").hexdigest().encode() in text


def test_a_run_without_a_report_says_so() -> None:
    lost = ran(None, exit_code=None, outcome=Outcome.TIMED_OUT)
    made = evidence.statement(open_claim(), INCONCLUSIVE, REQUEST, lost)
    text = canonical_bytes(made).decode()
    assert '"report_sha256":null' in text
    assert '"result":"WARNED"' in text


def test_the_words_of_the_evidence_name_what_failed() -> None:
    claim = open_claim()
    assert evidence.summary(claim.statement, claim.workspace, REFUTED) == (
        "REFUTED: The script ends well.\n"
        "It ended with 1.\n"
        "Workspace shop, level observed, reason check_failed.\n"
        "Failed: tests/test_app.py::test_it"
    )
    assert "Failed" not in evidence.summary(claim.statement, claim.workspace, SUPPORTED)
    assert evidence.tags(REFUTED) == ("evidence", "refuted")


@given(st.binary(max_size=100))
def test_an_envelope_opens_to_what_was_put_in(payload: bytes) -> None:
    opened = evidence.opened(signed(payload))
    assert opened.payload == payload
    [signature] = opened.signatures
    KEY.public_key().verify(signature, evidence.pre_authentication_encoding(payload))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        b'{"payloadType":"text/plain","payload":"","signatures":[]}',
        b'{"payloadType":"application/vnd.in-toto+json","payload":"*","signatures":[]}',
        b'{"payloadType":"application/vnd.in-toto+json","payload":"","signatures":[{}]}',
        b'{"payloadType":"application/vnd.in-toto+json","payload":"","signatures":7}',
    ],
)
def test_what_is_no_envelope_is_refused(content: bytes) -> None:
    with pytest.raises(SignatureInvalid):
        evidence.opened(content)
