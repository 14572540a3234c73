"""A verdict with its evidence and its proof, in one file for whoever has the public key."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.errors import Conflict, LedgerCorrupt, NotFound
from tmws.domain.evidence import report_digest
from tmws.domain.ledger import inclusion_proof, leaf_hash
from tmws.domain.trust.entries import Kind
from tmws.domain.verifications import Claim
from tmws.services.notary import Notary
from tmws.storage import artifacts, claims, ledger
from tmws.storage.database import Database
from tmws.storage.ledger import StoredEntry

FORMAT = "tmws-evidence/1"
"""What `offline_verifier` reads; the two share no code on purpose."""


class Exports:
    """Hands verdicts out of the installation."""

    def __init__(self, database: Database, notary: Notary) -> None:
        self._database = database
        self._notary = notary

    @property
    def public_key(self) -> bytes:
        """The raw key under which this installation's evidence verifies."""
        return self._notary.public_key

    async def verdict(self, claim_id: str) -> bytes:
        """Return the claim's envelope, report, ledger entry and proof in canonical form.

        The file names the key that signed it and does not hold it: a key is trusted
        because it came another way. Of a verdict that was withdrawn it holds that entry too.

        Raises:
            NotFound: no such claim.
            Conflict: it has no verdict, or its ledger payload was erased.
            LedgerCorrupt: the store does not hold what the ledger promised.
        """
        async with self._database.read() as connection:
            claim = await claims.find(connection, claim_id)
            index, digest = _recorded(claim, claim_id)
            envelope = await artifacts.get(connection, digest)
            report = None
            if envelope is not None and (named := report_digest(envelope)) is not None:
                report = await artifacts.get(connection, named)
            entries = [entry async for entry in ledger.entries(connection)]
            checkpoint = await self._notary.checkpoint(connection)
        if envelope is None or not index < len(entries):
            raise LedgerCorrupt(
                f"The evidence of {claim_id[:40]} is gone. Run 'tmws ledger verify'."
            )
        hashes = [leaf_hash(each.leaf) for each in entries]
        told: dict[str, Json] = {
            "format": FORMAT,
            "envelope": envelope.decode(),
            "report": None if report is None else base64.b64encode(report).decode(),
            "checkpoint": checkpoint,
            **_proven(entries[index], hashes),
        }
        if claim is not None and claim.withdrawn:
            told["withdrawal"] = _proven(_withdrawal(entries, claim), hashes)
        return canonical_bytes(told)


def _proven(entry: StoredEntry, hashes: Sequence[bytes]) -> dict[str, Json]:
    """Return a ledger entry with what proves that it is one; `hashes` are those of all leaves.

    Raises:
        Conflict: its payload was erased.
    """
    if entry.salt is None or entry.payload is None:
        raise Conflict("The payload of this ledger entry was erased; nothing can be exported.")
    return {
        "leaf": entry.leaf.decode(),
        "salt": entry.salt.hex(),
        "payload": entry.payload.decode(),
        "path": [each.hex() for each in inclusion_proof(hashes, entry.index)],
    }


def _withdrawal(entries: Sequence[StoredEntry], claim: Claim) -> StoredEntry:
    """Return the newest entry by which the claim's verdict was taken back.

    Raises:
        LedgerCorrupt: none says so.
    """
    for entry in reversed(entries):
        if json.loads(entry.leaf)["type"] != Kind.WITHDRAWN:
            continue
        if entry.payload is None or json.loads(entry.payload)["evidence"] == claim.id:
            return entry
    raise LedgerCorrupt(
        f"No ledger entry withdraws the verdict of {claim.id}. Run 'tmws ledger verify'."
    )


def _recorded(claim: Claim | None, claim_id: str) -> tuple[int, str]:
    if claim is None:
        raise NotFound(f"No claim {claim_id[:40]!r}. See: tmws claims list.")
    if claim.ledger_index is None or claim.evidence_digest is None:
        raise Conflict(f"Claim {claim.id} is {claim.state.value} and has no verdict to export.")
    return claim.ledger_index, claim.evidence_digest
