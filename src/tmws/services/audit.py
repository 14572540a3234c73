"""Proving the ledger: every entry, their order, their number, and what they say happened."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tmws.domain import checkpoints
from tmws.domain.canonical import Json
from tmws.domain.errors import Conflict, InvalidInput, LedgerCorrupt, SignatureInvalid
from tmws.domain.ledger import (
    Tree,
    commitment,
    leaf_hash,
)
from tmws.domain.register import Fact, Register
from tmws.domain.trust.entries import Kind, entry_of, standing_of
from tmws.domain.trust.evidence import Entry, Evidence
from tmws.domain.trust.model import VERSION
from tmws.domain.trust.reference import Replay
from tmws.ports import CheckpointStore, Signer
from tmws.services import attested
from tmws.storage import artifacts, claims, ledger, memories, register, trust, uses
from tmws.storage import evidence as evidence_log
from tmws.storage.claims import StoredVerdict
from tmws.storage.database import Database, Transaction
from tmws.storage.ledger import StoredEntry


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that does not add up; `index` is the entry it was found at, if one."""

    index: int | None
    what: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What a walk over the whole ledger found.

    Attributes:
        root: root hash of the entries as they stand, hex.
        promised: size of the tree that the outside checkpoint promises, None without one.
        erased: entries whose payload is gone; their leaves still prove the rest.
    """

    size: int
    root: str
    promised: int | None
    erased: int
    problems: tuple[Problem, ...]

    @property
    def holds(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class _Walk:
    """What is known while the entries go by.

    Attributes:
        closed: claims with a verdict by the index they name.
        unknown: erased verdicts and acts that nothing else tells any more.
        learned: what the trust model read, as rows, from the ledger; by claim.
        stored: the same as it is stored.
    """

    closed: dict[int | None, StoredVerdict]
    promise: checkpoints.Checkpoint | None = None
    tree: Tree = field(default_factory=Tree)
    expected: int = 0
    erased: int = 0
    unknown: int = 0
    erased_claims: set[str] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)
    verdicts: dict[str, tuple[int, dict[str, object]]] = field(default_factory=dict)
    stored: dict[str, dict[str, Any]] = field(default_factory=dict)
    learned: dict[str, tuple[int, Evidence]] = field(default_factory=dict)
    replay: Replay = field(default_factory=Replay)
    register: Register = field(default_factory=Register)

    def note(self, what: str, *, index: int | None = None) -> None:
        self.problems.append(Problem(index, what))


class Audit:
    """Verifies what the notary recorded, against itself, the checkpoint and the state."""

    def __init__(self, database: Database, signer: Signer, checkpoints: CheckpointStore) -> None:
        self._database = database
        self._signer = signer
        self._checkpoints = checkpoints

    async def verify(self) -> AuditReport:
        """Walk every entry and say all that does not add up."""
        # Read before the snapshot of the data: whatever it promises is already committed.
        note = self._checkpoints.load()
        async with self._database.read() as connection:
            closed = await claims.verdicts(connection)
            walk = _Walk({verdict.ledger_index: verdict for verdict in closed})
            walk.stored = await evidence_log.rows(connection)
            remembered = await memories.of_claims(connection)
            head = await _head(connection, walk)
            walk.promise = self._promise(note, await _origin(connection), walk)
            async for entry in ledger.entries(connection):
                _take(walk, entry)
            _compare_head(walk, head)
            _compare_promise(walk)
            for verdict in closed:
                _compare_ledger(walk, verdict)
                content = await artifacts.get(connection, verdict.evidence_digest or "")
                kept = remembered.pop(verdict.claim_id, [])
                for what in attested.problems(self._signer, verdict, content, kept):
                    walk.note(what, index=verdict.ledger_index)
            _compare_claims(walk, closed)
            for about in sorted(remembered):
                walk.note(f"A memory passes for evidence of {about}, which has no verdict.")
            _compare_register(walk, await register.standing(connection))
            if not walk.unknown:  # what was erased with its claim cannot be replayed
                _compare_evidence_log(walk)
                _compare_links(walk, await evidence_log.owners(connection))
                _compare_trust(walk, await trust.rows(connection))
                _compare_proofs(
                    walk, await uses.proving(connection), await uses.waiting(connection)
                )
        return AuditReport(
            size=walk.tree.size,
            root=walk.tree.root().hex(),
            promised=walk.promise.size if walk.promise else None,
            erased=walk.erased,
            problems=tuple(walk.problems),
        )

    def _promise(
        self, text: str | None, origin: str | None, walk: _Walk
    ) -> checkpoints.Checkpoint | None:
        if text is None:
            return None
        try:
            checkpoint, signatures = checkpoints.parse(text)
        except SignatureInvalid as error:
            walk.note(error.message)
            return None
        hint = checkpoints.key_hash(checkpoint.origin, self._signer.public_key)
        body = checkpoint.body().encode()
        if not any(known == hint and self._signer.verify(body, sig) for known, sig in signatures):
            walk.note("The checkpoint is not signed by this installation's key.")
            return None
        if origin is not None and checkpoint.origin != origin:
            walk.note(f"The checkpoint belongs to log {checkpoint.origin}, this one is {origin}.")
            return None
        return checkpoint


async def _head(connection: Transaction, walk: _Walk) -> Tree | None:
    try:
        return await ledger.head(connection)
    except LedgerCorrupt as error:
        walk.note(error.message)
        return None


async def _origin(connection: Transaction) -> str | None:
    try:
        return await ledger.origin(connection)
    except LedgerCorrupt:
        return None  # said when the head was read


def _take(walk: _Walk, entry: StoredEntry) -> None:
    if entry.index != walk.expected:
        walk.note(f"Entries {walk.expected} to {entry.index - 1} are missing.", index=walk.expected)
    walk.expected = entry.index + 1
    computed = leaf_hash(entry.leaf)
    if computed != entry.leaf_hash:
        walk.note(
            f"Entry {entry.index} was changed: stored hash {entry.leaf_hash.hex()[:12]}…, "
            f"computed {computed.hex()[:12]}….",
            index=entry.index,
        )
    walk.tree = walk.tree.appended(computed)
    if walk.promise and walk.promise.size == walk.tree.size != 0:
        _compare_root(walk, walk.promise)
    _read(walk, entry)


def _read(walk: _Walk, entry: StoredEntry) -> None:
    try:
        leaf = json.loads(entry.leaf)
        index, kind, committed = leaf["index"], leaf["type"], leaf["payload"]
    except (ValueError, KeyError, TypeError):
        walk.note(f"Entry {entry.index} is not an entry.", index=entry.index)
        return
    if index != entry.index:
        walk.note(f"Entry {entry.index} says it is entry {index}: swapped.", index=entry.index)
    if entry.payload is None or entry.salt is None:
        walk.erased += 1
        walk.register.miss(entry.index, kind)
        if kind in set(Kind):
            _replay_erased(walk, entry.index)
        return
    if commitment(entry.salt, entry.payload) != committed:
        walk.note(f"The payload of entry {entry.index} was changed.", index=entry.index)
        return
    try:
        payload = json.loads(entry.payload)
        walk.register.take(entry.index, kind, payload)
        told = entry_of(kind, payload, datetime.fromisoformat(leaf["at"]))
        if told is not None:
            _replay(walk, entry.index, told, payload)
    except (ValueError, KeyError, TypeError, AttributeError, InvalidInput):
        walk.note(f"Entry {entry.index} is not a {kind}.", index=entry.index)
    except Conflict as error:
        walk.note(f"Entry {entry.index} cannot be followed: {error.message}", index=entry.index)


def _replay(walk: _Walk, index: int, told: Entry, payload: dict[str, Any]) -> None:
    """Follow the trust model through this entry."""
    if not isinstance(told, Evidence):
        walk.replay.add(told)
        fitted = walk.replay.history.model.fingerprint()
        # What another version of the model computed, this one cannot compute again.
        ours = payload.get("version", VERSION) == VERSION and not walk.unknown
        if ours and payload.get("state_sha256", fitted) != fitted:
            walk.note(f"The fit in entry {index} gives other scores.", index=index)
        return
    said = payload["trust"]
    before, after = _learn(walk, index, told)
    if said.get("model") != VERSION:
        before, after = _counts(before), _counts(after)
        said = {name: _counts(said[name]) for name in ("before", "after")}
    if not ((_agrees(said["before"], before) and _agrees(said["after"], after)) or walk.unknown):
        walk.note(f"The trust change in entry {index} does not follow.", index=index)
    walk.verdicts[told.id] = index, payload


def _learn(walk: _Walk, index: int, told: Evidence) -> tuple[dict[str, Json], dict[str, Json]]:
    """Return what is known of the agent before and after."""
    history = walk.replay.history
    owner = history.owners.get(told.agent, told.agent)
    before = standing_of(history.model, owner)
    walk.replay.add(told)
    walk.learned.setdefault(told.id, (index, told))
    return before, standing_of(history.model, owner)


def _counts(said: dict[str, Json]) -> dict[str, Json]:
    """Leave out what hangs on the version of the model."""
    return {name: value for name, value in said.items() if name != "skill"}


def _agrees(said: dict[str, Json], known: dict[str, Json]) -> bool:
    """Compare what an entry tells: the first ones told no more than counts."""
    return bool(said) and all(known.get(name) == value for name, value in said.items())


def _replay_erased(walk: _Walk, index: int) -> None:
    """Follow a verdict whose payload was erased.

    The claim, which its evidence signs, tells who was found to be right or wrong; the
    trust model's own row tells how much that weighed.
    """
    claim = walk.closed.get(index)
    row = None if claim is None else walk.stored.get(claim.claim_id)
    if claim is None or row is None:
        walk.unknown += 1
        return
    walk.erased_claims.add(claim.claim_id)
    told = _believed(row)
    if told is None or (told.agent, told.verdict.value) != (claim.agent_id, claim.verdict):
        walk.unknown += 1
        walk.note(f"Claim {claim.claim_id} is not what trust learned of it.", index=index)
        return
    _learn(walk, index, told)


def _believed(row: dict[str, Any]) -> Evidence | None:
    try:
        return evidence_log.believed(row).evidence
    except (ValueError, KeyError, TypeError, InvalidInput):
        return None


def _compare_root(walk: _Walk, promise: checkpoints.Checkpoint) -> None:
    if walk.tree.root() != promise.root:
        walk.note(
            f"The first {promise.size} entries are not the ones the checkpoint promised: "
            "some were rewritten, added or swapped."
        )


def _compare_head(walk: _Walk, head: Tree | None) -> None:
    if head is None:
        return
    if head.size != walk.tree.size:
        walk.note(f"The head counts {head.size} entries, there are {walk.tree.size}: cut off.")
    elif head.root() != walk.tree.root():
        walk.note("The root hash of the entries differs from the head's: rewritten or swapped.")


def _compare_promise(walk: _Walk) -> None:
    if walk.promise and walk.promise.size > walk.tree.size:
        walk.note(
            f"The checkpoint promises {walk.promise.size} entries, there are {walk.tree.size}: "
            "the tail was cut off, or an old copy was restored.",
            index=walk.tree.size,
        )
    if walk.promise is None and walk.tree.size and not walk.problems:
        walk.note("No checkpoint is kept outside the database, so a cut tail would go unseen.")


def _compare_ledger(walk: _Walk, stored: StoredVerdict) -> None:
    """Check that a closed claim is what its ledger entry says it is."""
    if stored.claim_id in walk.erased_claims:
        return
    index, payload = walk.verdicts.get(stored.claim_id, (None, {}))
    recorded = (payload.get("agent"), payload.get("verdict"), payload.get("snapshot_sha256"))
    told = (stored.agent_id, stored.verdict, stored.snapshot_digest)
    same = recorded == told and payload.get("evidence_sha256") == stored.evidence_digest
    if not same or index != stored.ledger_index:
        walk.note(
            f"Claim {stored.claim_id} differs from its ledger entry, or has none.", index=index
        )


def _compare_claims(walk: _Walk, closed: list[StoredVerdict]) -> None:
    for claim_id in sorted(walk.verdicts.keys() - {verdict.claim_id for verdict in closed}):
        walk.note(f"Claim {claim_id} is in the ledger only.", index=walk.verdicts[claim_id][0])


def _compare_register(walk: _Walk, stored: dict[Fact, dict[str, Json]]) -> None:
    """Check that what administrators' acts left is what the ledger tells of them."""
    for (kind, name), index in walk.register.differences(stored):
        says = "no entry tells of it" if index is None else f"not what entry {index} says"
        walk.note(f"The {kind} {name} was changed beside the ledger: {says}.", index=index)


def _compare_evidence_log(walk: _Walk) -> None:
    """Check that what is kept for the next fit is what the ledger tells."""
    history = walk.replay.history
    steps = {step.evidence.id: step for path in history.paths.values() for step in path}
    for claim_id in sorted(walk.stored.keys() | walk.learned.keys()):
        index, told = walk.learned.get(claim_id, (None, None))
        if index is not None and told is not None:
            owner = history.owners.get(told.agent, told.agent)
            acts = history.withdrawn.get(claim_id), history.restored.get(claim_id)
            entry = evidence_log.Entry(told, owner, index, steps.get(claim_id), *acts)
            if walk.stored.get(claim_id) == evidence_log.as_stored(entry):
                continue
        walk.note(f"What trust learned of claim {claim_id} is not what happened.", index=index)


def _compare_links(walk: _Walk, stored: dict[str, str]) -> None:
    """Check that identities count for whom the ledger says."""
    told = walk.replay.history.owners
    for agent_id in sorted(told.keys() | stored.keys()):
        if told.get(agent_id) != stored.get(agent_id):
            walk.note(f"Whom {agent_id} counts for is not what the ledger tells.")


def _compare_proofs(walk: _Walk, proving: set[str], waiting: set[str]) -> None:
    """Check that withdrawn verdicts prove nothing, and that only their proofs wait."""
    withdrawn = walk.replay.history.withdrawn.keys()
    for claim_id in sorted(proving & withdrawn):
        walk.note(f"Claim {claim_id} was withdrawn and proves uses all the same.")
    for claim_id in sorted(waiting - withdrawn):
        walk.note(f"Uses wait for claim {claim_id} to count again, which nobody withdrew.")


def _compare_trust(walk: _Walk, stored: dict[trust.Key, str]) -> None:
    """Compare the state with what the whole log adds up to, bit by bit."""
    replay = walk.replay
    computed = trust.told(trust.State(replay.history.model, replay.reference, replay.decided))
    wrong = {key for key in stored.keys() | computed.keys() if stored.get(key) != computed.get(key)}
    for agent_id in sorted({agent for _, agent, _ in wrong if agent}):
        walk.note(f"The trust score of {agent_id} is not what its verdicts add up to.")
    for kind in sorted({kind for kind, agent, _ in wrong if not agent}):
        walk.note(f"What trust knows of '{kind}' is not what all verdicts add up to.")
