"""What a verification leaves behind for whoever wants to check it later.

An in-toto Statement (v1) with the test-result predicate, in a DSSE envelope. The
predicate names more than its type defines, under `tmws`; in-toto lets unknown fields be.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

from tmws.domain.canonical import Json, canonical_bytes, sha256_hex
from tmws.domain.claims import Judgement, Verdict
from tmws.domain.errors import SignatureInvalid
from tmws.domain.execution import ExecutionRequest, ExecutionResult, Runtime
from tmws.domain.levels import cannot_exclude
from tmws.domain.verifications import Claim, check_to_json, judgement_to_json

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
ENVELOPE_MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
REPORT_MEDIA_TYPE = "application/jsonl"

EVIDENCE_CLASSES = {
    "claim": "agent-authored",
    "subject": "agent-authored",
    "argv": "recorded",
    "limits": "recorded",
    "image": "recorded",
    "run": "recorded",
    "judgement": "recorded",
    "report": "third-party",
    "failedTests": "third-party",
}
"""Whose words each item is: the claimant's, this server's own observation, or a tool's."""

_RESULTS = {
    Verdict.SUPPORTED: "PASSED",
    Verdict.REFUTED: "FAILED",
    Verdict.INCONCLUSIVE: "WARNED",
}


@dataclass(frozen=True, slots=True)
class Opened:
    """The payload of an envelope, and the signatures over its encoding."""

    payload: bytes
    signatures: tuple[bytes, ...]


def statement(
    claim: Claim,
    judgement: Judgement,
    request: ExecutionRequest,
    result: ExecutionResult,
    assurance: dict[str, Json] | None = None,
) -> dict[str, Json]:
    """Return the statement that this run of this check on this snapshot said so.

    Printed output is in it by digest only: it is the workspace's own words.

    Args:
        assurance: what was done beside that run to reach the level.
    """
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": claim.workspace, "digest": {"sha256": claim.snapshot_digest}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "result": _RESULTS[judgement.verdict],
            "configuration": _configuration(request, result),
            "failedTests": list(judgement.items),
            "tmws": {
                "claim": _claimed(claim),
                "judgement": judgement_to_json(judgement),
                "cannot_exclude": cannot_exclude(judgement.level, claim.check),
                "argv": list(request.argv),
                "limits": {
                    "wall_seconds": request.limits.wall_seconds,
                    "memory_bytes": request.limits.memory_bytes,
                    "processes": request.limits.processes,
                },
                "run": _run(result),
                "evidence_classes": EVIDENCE_CLASSES,
                "assurance": assurance,
            },
        },
    }


def _configuration(request: ExecutionRequest, result: ExecutionResult) -> list[Json]:
    """Name what the run stood on: image or engine, and the packages that were added to it."""
    what = "engine" if request.runtime is Runtime.WASM else "image"
    used: list[Json] = [{"name": what, "digest": {"sha256": _hex(result.image_digest)}}]
    if (environment := request.environment) is not None:
        named = f"environment {environment.name}"
        used.append({"name": named, "digest": {"sha256": environment.digest}})
    return used


def summary(statement: str, workspace: str, judgement: Judgement) -> str:
    """Say in a few lines what was claimed and found: the words of the evidence memory."""
    failed = f"\nFailed: {', '.join(judgement.items[:10])}" if judgement.items else ""
    flaky = "\nFlaky: the same check of this snapshot also came out otherwise." * judgement.flaky
    return (
        f"{judgement.verdict.value}: {statement}\n"
        f"{judgement.detail}\n"
        f"Workspace {workspace}, level {judgement.level.value}, "
        f"reason {judgement.reason.value}.{failed}{flaky}"
    )


def tags(judgement: Judgement) -> tuple[str, ...]:
    """Return what the evidence memory is found by."""
    return "evidence", judgement.verdict.value.lower()


def pre_authentication_encoding(payload: bytes) -> bytes:
    """Return what a DSSE signature is made over (DSSE v1, "Signature Definition")."""
    kind = PAYLOAD_TYPE.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def envelope(payload: bytes, signatures: Sequence[tuple[str, bytes]]) -> bytes:
    """Return the DSSE envelope in canonical form; signatures as (key id, signature)."""
    return canonical_bytes(
        {
            "payloadType": PAYLOAD_TYPE,
            "payload": base64.b64encode(payload).decode(),
            "signatures": [
                {"keyid": key_id, "sig": base64.b64encode(signature).decode()}
                for key_id, signature in signatures
            ],
        }
    )


def opened(content: bytes) -> Opened:
    """Return what an envelope holds; whether it is signed by whom needs a key.

    Raises:
        SignatureInvalid: the bytes are not such an envelope.
    """
    try:
        fields = json.loads(content)
        if fields["payloadType"] != PAYLOAD_TYPE:
            raise SignatureInvalid(f"The envelope does not hold {PAYLOAD_TYPE}.")
        return Opened(
            base64.b64decode(fields["payload"], validate=True),
            tuple(base64.b64decode(each["sig"], validate=True) for each in fields["signatures"]),
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise SignatureInvalid("The evidence is not a DSSE envelope.") from error


def report_digest(content: bytes) -> str | None:
    """Return the digest of the report that an envelope's statement names.

    Raises:
        SignatureInvalid: the bytes are not such an envelope.
    """
    named = json.loads(opened(content).payload)["predicate"]["tmws"]["run"]["report_sha256"]
    return None if named is None else str(named)


def _claimed(claim: Claim) -> dict[str, Json]:
    return {
        "id": claim.id,
        "agent": claim.agent,
        "statement": claim.statement,
        "check": check_to_json(claim.check),
        "level": claim.level.value,
        "basis_sha256": claim.basis,
        "claimed_at": claim.created_at.isoformat(),
    }


def _run(result: ExecutionResult) -> dict[str, Json]:
    return {
        "outcome": result.outcome.value,
        "exit_code": result.exit_code,
        "wall_seconds": result.wall_seconds,
        "cpu_seconds": result.cpu_seconds,
        "peak_memory_bytes": result.peak_memory_bytes,
        "stdout_sha256": sha256_hex(result.stdout),
        "stderr_sha256": sha256_hex(result.stderr),
        "report_sha256": None if result.report is None else sha256_hex(result.report),
    }


def _hex(image_digest: str) -> str:
    return image_digest.removeprefix("sha256:")
