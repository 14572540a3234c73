"""The step that holds the signing key against what was signed here before."""

from __future__ import annotations

from pathlib import Path

from tmws.domain import evidence
from tmws.domain.errors import BackendUnavailable, SignatureInvalid
from tmws.ports import Signer
from tmws.storage import evidence as evidence_log
from tmws.storage import ledger
from tmws.storage.database import Database


async def require_key(database: Database, key: Path) -> None:
    """Refuse to go on, and so to make a new key, where another one signed what is here.

    Raises:
        BackendUnavailable: the ledger has entries, and the file of the key is not there.
    """
    if _is_there(key):
        return
    async with database.read() as connection:
        entries = (await ledger.head(connection)).size
    # Looked for again: a first start beside this one makes the key before its first entry.
    if entries and not _is_there(key):
        raise BackendUnavailable(
            f"The signing key {key} is gone, and {entries} ledger entries were signed with it. "
            "Restore it from a backup of the data folder, or copy it from another server of this "
            "store; nothing is written without it.",
            retryable=False,
        )


async def refusal(database: Database, signer: Signer, key: Path) -> str | None:
    """Return why nothing may be signed with this key, None where it signed the newest verdict.

    The key that signs must stay the same: what another one signed fails every audit.
    """
    async with database.read() as connection:
        newest = await evidence_log.newest_envelope(connection)
    if newest is None:
        return None
    try:
        envelope = evidence.opened(newest)
    except SignatureInvalid:
        return None  # the audit tells what was changed
    message = evidence.pre_authentication_encoding(envelope.payload)
    if any(signer.verify(message, signature) for signature in envelope.signatures):
        return None
    return (
        f"The key {key} (id {signer.key_id}) did not sign the newest verdict of this store, so "
        "nothing is recorded with it. Put back the key that did, from a backup or from another "
        "server of this store; 'tmws ledger verify' tells whether it is the right one."
    )


def _is_there(key: Path) -> bool:
    return key.exists()
