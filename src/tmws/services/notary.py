"""The step every lasting act ends with: a signed statement, a leaf in the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from tmws.domain import events
from tmws.domain.canonical import Json, canonical_bytes
from tmws.domain.checkpoints import Checkpoint, note, parse
from tmws.domain.errors import BackendUnavailable, LedgerCorrupt, SignatureInvalid
from tmws.domain.evidence import envelope, pre_authentication_encoding
from tmws.domain.ledger import SALT_BYTES, Tree, commitment
from tmws.ports import Chance, CheckpointStore, Signer
from tmws.storage import ledger
from tmws.storage.database import Transaction
from tmws.storage.prepared import Execute, at_once

_log = structlog.get_logger()


_Promise = tuple[Checkpoint, list[tuple[bytes, bytes]]]


@dataclass(frozen=True, slots=True)
class Turn:
    """The ledger as it stands for whoever may append next."""

    tree: Tree
    origin: str


@dataclass(frozen=True, slots=True)
class Receipt:
    """Where an event stands, and the tree once its transaction is committed."""

    index: int
    origin: str
    tree: Tree


class Notary:
    """Signs and records; holds the key and the place where checkpoints are kept."""

    def __init__(
        self,
        signer: Signer,
        checkpoints: CheckpointStore,
        chance: Chance,
        *,
        refusal: str | None = None,
    ) -> None:
        """Record with this signer.

        Args:
            refusal: why nothing may be signed or recorded with it; None if it may.
        """
        self._signer = signer
        self._refusal = refusal
        self._checkpoints = checkpoints
        self._chance = chance
        # What was promised last: its text need not be taken apart again.
        self._promised: tuple[str, _Promise] | None = None

    @property
    def public_key(self) -> bytes:
        """The raw key under which everything verifies that this notary signs."""
        return self._signer.public_key

    def signed(self, statement: Json) -> bytes:
        """Return the statement in a signed DSSE envelope.

        Raises:
            BackendUnavailable: the key is not the one that signed what is here.
        """
        self._require_key()
        payload = canonical_bytes(statement)
        signature = self._signer.sign(pre_authentication_encoding(payload))
        return envelope(payload, [(self._signer.key_id, signature)])

    async def turn(self, connection: Transaction) -> None:
        """Wait until nobody else records, and keep it so until the transaction ends.

        Raises:
            LedgerCorrupt: there is not exactly one head, or it cannot be read.
        """
        await at_once(connection, self.lock)

    def lock(self, run: Execute) -> Turn:
        """Do so as the first of several statements of a step.

        Raises:
            LedgerCorrupt: there is not exactly one head, or it cannot be read.
        """
        return Turn(*ledger.lock(run))

    async def append(self, connection: Transaction, event: events.Event) -> Receipt:
        """Record the event in the transaction that makes it true.

        Raises:
            LedgerCorrupt: the ledger is not the one that was promised outside.
        """
        return await at_once(connection, lambda run: self.enter(run, event, self.lock(run)))

    def enter(self, run: Execute, event: events.Event, turn: Turn) -> Receipt:
        """Record the event as one of several statements of a step.

        Raises:
            LedgerCorrupt: the ledger is not the one that was promised outside. Going on
                would in time replace the promise, and with it the alarm.
        """
        tree = turn.tree
        self._require_key()
        self._require_promised(tree, turn.origin)
        salt, payload = self._chance(SALT_BYTES), canonical_bytes(event.payload)
        leaf = events.leaf(tree.size, event, commitment(salt, payload))
        grown = ledger.append(run, tree, leaf=leaf, salt=salt, payload=payload)
        return Receipt(tree.size, turn.origin, grown)

    def _require_key(self) -> None:
        if self._refusal is not None:
            raise BackendUnavailable(self._refusal, retryable=False)

    def _require_promised(self, tree: Tree, origin: str) -> None:
        """Refuse a tree that is older than the checkpoint kept outside, or another one.

        Whoever holds the head sees every committed entry, so an honest tree is never
        smaller than a promise.
        """
        kept = self._checkpoints.load() or ""
        try:
            promise, signatures = self._read(kept)
        except SignatureInvalid:
            return
        contradicted = tree.size < promise.size or (
            tree.size == promise.size and tree.root() != promise.root
        )
        if contradicted and promise.origin == origin and self._is_ours(promise, signatures):
            raise LedgerCorrupt(
                f"The ledger was promised with {promise.size} entries and has {tree.size}, or "
                "others: it was cut, rewritten, or restored from an old copy. Nothing more is "
                "recorded. Run 'tmws ledger verify'; restore the newest copy, or move the "
                "checkpoint away to go on without it."
            )

    def _read(self, kept: str) -> _Promise:
        if self._promised is None or self._promised[0] != kept:
            self._promised = kept, parse(kept)
        return self._promised[1]

    def _is_ours(self, promise: Checkpoint, signatures: Sequence[tuple[bytes, bytes]]) -> bool:
        body = promise.body().encode()
        return any(self._signer.verify(body, signature) for _, signature in signatures)

    def publish(self, receipt: Receipt) -> None:
        """Promise the committed tree outside the database.

        A promise that cannot be written down is logged, not raised: the deed is done
        and the next checkpoint covers it.
        """
        size, signed = receipt.tree.size, self._promise(receipt.origin, receipt.tree)
        self._promised = signed, parse(signed)
        try:
            self._checkpoints.save(signed, size=size)
        except BackendUnavailable as error:
            _log.error("checkpoint_not_saved", size=size, reason=error.message)

    async def checkpoint(self, connection: Transaction) -> str:
        """Return the signed promise of the tree as it stands.

        Raises:
            BackendUnavailable: the key is not the one that signed what is here.
            LedgerCorrupt: it is not the one that was promised outside.
        """
        self._require_key()
        tree, origin = await ledger.head(connection), await ledger.origin(connection)
        self._require_promised(tree, origin)
        return self._promise(origin, tree)

    def _promise(self, origin: str, tree: Tree) -> str:
        checkpoint = Checkpoint(origin, tree.size, tree.root())
        signature = self._signer.sign(checkpoint.body().encode())
        return note(checkpoint, self._signer.public_key, signature)
