"""The step that holds what is stored of a closed claim against its signed evidence."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from tmws.domain import evidence
from tmws.domain.agents import AccessLevel
from tmws.domain.canonical import canonical_bytes, sha256_hex
from tmws.domain.errors import InvalidInput, SignatureInvalid
from tmws.domain.memories import MemoryKind
from tmws.domain.verifications import judgement_from_json
from tmws.ports import Signer
from tmws.storage.claims import StoredVerdict
from tmws.storage.memories import Evidenced


def problems(
    signer: Signer, stored: StoredVerdict, content: bytes | None, remembered: Sequence[Evidenced]
) -> list[str]:
    """Say where evidence, claim and memory do not agree; nothing where they do.

    Args:
        content: the envelope that the claim's row names.
        remembered: what passes for the memory of this evidence.
    """
    claim_id, found = stored.claim_id, []
    if content is None or sha256_hex(content) != stored.evidence_digest:
        return [f"The evidence of claim {claim_id} was changed or removed."]
    try:
        envelope = evidence.opened(content)
        message = evidence.pre_authentication_encoding(envelope.payload)
        if not any(signer.verify(message, each) for each in envelope.signatures):
            found.append(
                f"The evidence of claim {claim_id} is not signed by this installation's key."
            )
        statement = json.loads(envelope.payload)
        said, memory = _said(statement), _memory(stored.agent_id, statement)
    except (SignatureInvalid, InvalidInput, ValueError, KeyError, TypeError, IndexError):
        return [*found, f"The evidence of claim {claim_id} is not a signed statement."]
    if said != _told(stored):
        found.append(f"Claim {claim_id} differs from its signed evidence.")
    if list(remembered) != [memory]:
        found.append(f"What is remembered of claim {claim_id} is not what its evidence says.")
    return found


def _told(stored: StoredVerdict) -> list[object]:
    """What the row of a claim says, in the order of `_said`."""
    return [
        stored.claim_id,
        stored.agent,
        stored.statement,
        stored.workspace,
        stored.check,
        stored.snapshot_digest,
        stored.judgement,
        stored.verdict,
    ]


def _said(statement: dict[str, Any]) -> list[object]:
    """What signed evidence says about its claim, as a row would."""
    subject, ours = statement["subject"][0], statement["predicate"]["tmws"]
    claim, judgement = ours["claim"], ours["judgement"]
    return [
        claim["id"],
        claim["agent"],
        claim["statement"],
        subject["name"],
        canonical_bytes(claim["check"]).decode(),
        subject["digest"]["sha256"],
        canonical_bytes(judgement).decode(),
        judgement["verdict"],
    ]


def _memory(agent_id: str, statement: dict[str, Any]) -> Evidenced:
    """What is to be remembered of signed evidence, as a row would say it."""
    ours = statement["predicate"]["tmws"]
    judgement = judgement_from_json(ours["judgement"])
    name = statement["subject"][0]["name"]
    return Evidenced(
        MemoryKind.EVIDENCE.value,
        agent_id,
        AccessLevel.PUBLIC.value,
        evidence.summary(ours["claim"]["statement"], name, judgement),
        json.dumps(evidence.tags(judgement)),
    )
