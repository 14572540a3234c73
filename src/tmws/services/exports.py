"""A verdict with its evidence and its proof, in one file for whoever has the public key."""

from __future__ import annotations

import base64

from tmws.domain.canonical import canonical_bytes
from tmws.domain.errors import Conflict, LedgerCorrupt, NotFound
from tmws.domain.evidence import report_digest
from tmws.domain.ledger import inclusion_proof, leaf_hash
from tmws.domain.verifications import Claim
from tmws.services.notary import Notary
from tmws.storage import artifacts, claims, ledger
from tmws.storage.database import Database

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
        because it came another way.

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
        entry = entries[index]
        if entry.salt is None or entry.payload is None:
            raise Conflict("The payload of this ledger entry was erased; nothing can be exported.")
        hashes = [leaf_hash(each.leaf) for each in entries]
        return canonical_bytes(
            {
                "format": FORMAT,
                "envelope": envelope.decode(),
                "report": None if report is None else base64.b64encode(report).decode(),
                "leaf": entry.leaf.decode(),
                "salt": entry.salt.hex(),
                "payload": entry.payload.decode(),
                "path": [each.hex() for each in inclusion_proof(hashes, index)],
                "checkpoint": checkpoint,
            }
        )


def _recorded(claim: Claim | None, claim_id: str) -> tuple[int, str]:
    if claim is None:
        raise NotFound(f"No claim {claim_id[:40]!r}. See: tmws claims list.")
    if claim.ledger_index is None or claim.evidence_digest is None:
        raise Conflict(f"Claim {claim.id} is {claim.state.value} and has no verdict to export.")
    return claim.ledger_index, claim.evidence_digest
