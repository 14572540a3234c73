"""Contracts for what can be swapped: backends, signer, clock."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeAlias

from tmws.domain.execution import ExecutionRequest, ExecutionResult, Limits
from tmws.domain.snapshots import Snapshot

if TYPE_CHECKING:  # numpy takes 0.1 s to import, and not every process compares meanings
    import numpy as np
    from numpy.typing import NDArray

Vector: TypeAlias = "NDArray[np.float32]"

Progress = Callable[[str], Awaitable[None]]
"""Told what a long step is doing now, in a few words."""

Chance = Callable[[int], bytes]
"""Gives that many bytes nobody can predict."""


class Clock(Protocol):
    """Says what time it is; the rules never ask, they are told."""

    def now(self) -> datetime:
        """Return the present moment in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Probe:
    """One denial or limit that a sandbox was tested for.

    Attributes:
        name: what was tried, e.g. `network: TCP out`.
        held: the sandbox behaved as promised.
        observed: what happened, in the system's words.
    """

    name: str
    held: bool
    observed: str


@dataclass(frozen=True, slots=True)
class SandboxState:
    """How a process' sandbox stands, for administrators.

    Attributes:
        tested_at: monotonic time when it last proved that it denies what it must, None if never.
        fault: why it was last not fit to run anything, until it is again.
        resting: it is not asked for now, because it failed too often.
        ready: runs that would find a container started.
    """

    tested_at: float | None = None
    fault: str | None = None
    resting: bool = False
    ready: int = 0
    running: int = 0
    waiting: int = 0


class Sandbox(Protocol):
    """Runs a command of ours on files of theirs, cut off from everything else.

    A program that fails is a result; a sandbox that fails is an exception.
    """

    async def run(self, request: ExecutionRequest, *, progress: Progress) -> ExecutionResult:
        """Run once in a fresh environment and leave nothing behind.

        Cancelling the call kills the run and removes what it left.

        Raises:
            SandboxUnavailable: no run took place, or its result was lost.
        """
        ...

    async def check(self) -> tuple[Probe, ...]:
        """Try what must be denied, from inside, and say what happened.

        Raises:
            SandboxUnavailable: the sandbox cannot be started at all.
        """
        ...

    async def warm(self, limits: Limits) -> None:
        """Get ready for runs with these limits, as far as the backend can.

        Raises:
            SandboxUnavailable: nothing could be run now.
        """
        ...

    def state(self) -> SandboxState:
        """Return how it stands, asking nobody."""
        ...

    async def sweep(self) -> int:
        """Remove what dead owners left behind; return how many things that was."""
        ...

    async def aclose(self) -> None:
        """Stop everything this object started."""
        ...


class WorkspaceReader(Protocol):
    """Takes the copy of a folder that a check works on."""

    async def capture(self, root: str) -> Snapshot:
        """Copy the regular files below `root`, following no link.

        Raises:
            InvalidInput: the root is absent, or larger than the limits.
            Conflict: a file kept changing while it was read.
        """
        ...


class CommitReader(Protocol):
    """Reads what a version control system keeps of a folder, running nothing of it."""

    async def tree(self, root: str, ref: str) -> tuple[str, Snapshot]:
        """Return the commit that `ref` stands for now, and its files.

        Raises:
            InvalidInput: no repository there, a broken one, or one beyond the limits.
            NotFound: no such commit, or a part of it is kept elsewhere.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recipe:
    """What an embedder is made of, as far as its vectors depend on it.

    Attributes:
        backend: name of the entry point.
        model, dimension: of a model that a server offers under a name; None elsewhere.
    """

    backend: str
    model: str | None = None
    dimension: int | None = None


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """Where an embedder finds its model.

    Attributes:
        folder: where the files of a model that runs here lie.
        device: `cpu` or `cuda`, for a model that runs here.
        url, model, dimension, key: of a model that a server offers.
        seconds: how long such a server may take for one answer.
    """

    folder: Path
    device: str = "cpu"
    url: str | None = None
    model: str | None = None
    dimension: int | None = None
    key: str | None = field(default=None, repr=False)
    seconds: float = 10.0


class Embedder(Protocol):
    """Turns text into unit vectors whose cosine says how alike two meanings are.

    Made with one argument, `place`.
    """

    @property
    def id(self) -> str:
        """Name and version of the model: vectors of different ids never compare."""
        ...

    @property
    def dimension(self) -> int: ...

    @property
    def english_only(self) -> bool:
        """Whether requests in other scripts go past it: it would find them all alike."""
        ...

    async def embed(self, texts: Sequence[str]) -> Vector:
        """Return an array of shape (len(texts), dimension), rows of unit length.

        Raises:
            BackendUnavailable: the model could not be loaded or did not answer.
        """
        ...

    async def aclose(self) -> None:
        """Let go of what was opened."""
        ...


@dataclass(frozen=True, slots=True)
class VectorRow:
    """What SQL says about one pattern's vector.

    Attributes:
        level: `private`, `shared`, `public` or `system`.
        revision: rises with every change in the namespace.
        vector: float32 in the machine's byte order, unit length; None once removed.
    """

    pattern_id: str
    owner_id: str
    level: str
    revision: int
    vector: bytes | None


@dataclass(frozen=True, slots=True)
class Match:
    """A pattern near the query.

    Attributes:
        similarity: cosine in [-1, 1].
    """

    pattern_id: str
    similarity: float


class VectorIndex(Protocol):
    """Finds the nearest vectors among those the caller may know of.

    A working copy: SQL is the truth and tells it what changed. It may lie elsewhere, lag
    behind, or be lost; every call may raise BackendUnavailable, and nothing is lost by it.

    Made with three arguments: `folder`, a place of its own on this machine; `address`, where
    its server listens, None for none; `store`, which names the installation, so that two that
    share a server stay apart.
    """

    async def revision(self, namespace: str, embedder_id: str) -> int:
        """Return the highest revision that was taken over, 0 when nothing was.

        A persistent index never names a revision whose rows a crash could still take away.
        """
        ...

    async def refresh(
        self, namespace: str, embedder_id: str, rows: Sequence[VectorRow], *, after: int = 0
    ) -> None:
        """Take over what changed; the highest revision of an item wins.

        Args:
            after: all up to this revision was taken over before. An index that was lost in
                between must refuse, or nobody would ever miss what it held.

        Raises:
            InvalidInput: a vector has another length than those held; nothing was taken over.
            BackendUnavailable: it does not hold what it held.
        """
        ...

    async def search(
        self,
        query: Vector,
        *,
        namespace: str,
        embedder_id: str,
        caller_id: str,
        granted: Collection[str],
        limit: int,
        among: Collection[str] | None = None,
    ) -> list[Match]:
        """Return at most `limit` nearest readable items, nearest first, ties by id.

        Access is part of the search, never applied to its result: what is hidden changes
        neither order nor number of what is found.

        Args:
            granted: ids of shared items that were opened to the caller.
            among: look at these ids only.
        """
        ...

    async def count(self, namespace: str, embedder_id: str) -> int:
        """Return how many vectors can be found."""
        ...

    async def clear(self) -> None:
        """Forget everything, even what is damaged; revisions are 0 afterwards."""
        ...

    async def aclose(self) -> None:
        """Let go of everything this object opened; what is persistent stays."""
        ...


class ExactVectors(VectorIndex, Protocol):
    """Compares with every vector, in memory: what serves where no other index does."""

    async def search_all(
        self,
        query: Vector,
        spaces: Mapping[str, Collection[str] | None],
        *,
        embedder_id: str,
        caller_id: str,
        granted: Collection[str],
        limit: int,
    ) -> list[Match]:
        """Return the nearest of several namespaces together.

        Args:
            spaces: by namespace, the only ids to look at; None for all.
        """
        ...


class Signer(Protocol):
    """Holds one Ed25519 key."""

    @property
    def key_id(self) -> str:
        """First 16 hex digits of the SHA-256 of the raw public key."""
        ...

    @property
    def public_key(self) -> bytes:
        """The raw 32 bytes."""
        ...

    def sign(self, message: bytes) -> bytes:
        """Return the 64-byte Ed25519 signature (RFC 8032)."""
        ...

    def verify(self, message: bytes, signature: bytes) -> bool:
        """Say whether this key made the signature over the message."""
        ...


class CheckpointStore(Protocol):
    """Keeps the newest checkpoint of the ledger where the database cannot reach it."""

    def save(self, note: str, *, size: int) -> None:
        """Keep the note unless one of a larger tree is already kept."""
        ...

    def load(self) -> str | None:
        """Return the kept note, None before the first."""
        ...
