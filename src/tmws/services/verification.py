"""From a claim to its verdict: opened, checked, recorded."""

from __future__ import annotations

import asyncio
import dataclasses
from dataclasses import dataclass
from datetime import timedelta

from tmws.domain import levels, verifications
from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.claims import Level
from tmws.domain.commands import validate
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.verifications import Claim, ClaimDraft, ClaimState
from tmws.ports import Chance, Clock, Progress, WorkspaceReader
from tmws.services.checking import Checker, Plan
from tmws.services.gate import Gate
from tmws.services.recording import Recorder
from tmws.services.scoring import TrustChange
from tmws.storage import agents, claims, namespaces, patterns, workspaces
from tmws.storage.database import Database

_LEASE_MARGIN = timedelta(seconds=60)
"""Beyond the check's own time: queueing, starting the container, recording."""


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """A claim with its verdict.

    Attributes:
        trust: None when this call moved nothing: a claim read again, or one that was
            decided before on this very snapshot.
        repeated: the verdict is an earlier one; nothing ran now.
        stalled: nobody is at work on the claim any more; send it again.
    """

    claim: Claim
    trust: TrustChange | None = None
    repeated: bool = False
    stalled: bool = False


class Verification:
    """Opens claims, has them checked in the sandbox, and records what that showed."""

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        checker: Checker,
        recorder: Recorder,
        reader: WorkspaceReader,
        least: Level,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._gate = gate
        self._checker = checker
        self._recorder = recorder
        self._reader = reader
        self._least = least
        self._clock = clock
        self._chance = chance

    async def verify(
        self, caller: Agent, draft: ClaimDraft, *, progress: Progress
    ) -> VerificationReport:
        """Check the claim by running it and return the recorded verdict.

        Cancelling kills the run and abandons the claim.

        Raises:
            InvalidInput: the claim is malformed, or names what the workspace lacks.
            NotFound: no workspace of this name, or no such applied pattern.
            Conflict: the same check of the same snapshot is running.
            SandboxUnavailable: nothing ran; the claim is abandoned, trust unchanged.
        """
        await self._gate.require(Action.VERIFY_CLAIM)
        draft = verifications.validated(draft, caller)
        validate(draft.check)
        await progress(f"copying workspace {draft.workspace}")
        snapshot = await self._reader.capture(await self._root(caller, draft))
        plan = self._checker.plan(draft.check, snapshot, await self._level(draft))
        claim = self._claim(caller, draft, plan)
        earlier = await self._open(claim)
        if earlier:
            return VerificationReport(earlier, repeated=True)
        try:
            await progress(f"running {verifications.profile_of(claim.check)} in the sandbox")
            checked = await self._checker.check(plan, progress=progress)
            await progress(f"recording verdict {checked.judgement.verdict.value}")
            recorded = await self._recorder.record(claim, checked)
        except BaseException:
            # Shielded: a second cancellation must not leave the claim under its lease.
            await asyncio.shield(self._abandon(claim))
            raise
        return VerificationReport(recorded.claim, recorded.trust)

    async def prepare(self) -> int:
        """Make the sandbox ready for checks; return how many dead owners' runs it removed.

        Raises:
            SandboxUnavailable: no check can run now.
        """
        return await self._checker.prepare()

    async def get(self, caller: Agent, claim_id: str) -> VerificationReport:
        """Return a claim of the caller's, or of one of its namespaces.

        Raises:
            NotFound: there is none; one that is hidden looks the same.
        """
        await self._gate.require(Action.GET_VERIFICATION)
        async with self._database.read() as connection:
            claim = await claims.readable(connection, caller, claim_id)
        if claim is None:
            raise NotFound(f"No verification {claim_id[:40]!r} is visible to you. Check the id.")
        if claim.agent_id != caller.id:
            claim = dataclasses.replace(claim, applied=())  # its author's private patterns
        return VerificationReport(claim, stalled=claim.is_stalled(at=self._clock.now()))

    async def newest(self, *, limit: int) -> list[Claim]:
        """Return the newest claims of all agents, for the installation's administrator."""
        async with self._database.read() as connection:
            return await claims.newest(connection, limit=limit)

    async def find(self, claim_id: str) -> Claim | None:
        """Return any claim, for the installation's administrator."""
        async with self._database.read() as connection:
            return await claims.find(connection, claim_id)

    async def _root(self, caller: Agent, draft: ClaimDraft) -> str:
        async with self._database.read() as connection:
            root = await workspaces.root_of(connection, draft.workspace)
            known = await patterns.readable(connection, caller, draft.applied)
        missing = [pattern_id for pattern_id in draft.applied if pattern_id not in known]
        if missing:
            raise NotFound(f"No pattern {missing[0][:40]!r} is visible to you. Leave it out.")
        if root is None:
            raise NotFound(
                f"No workspace {draft.workspace[:64]!r} is registered. An administrator opens one: "
                "tmws workspaces add NAME PATH."
            )
        return root

    async def _level(self, draft: ClaimDraft) -> Level:
        """Return what the verdict has to reach: the most that anybody asks for."""
        assert draft.namespace is not None
        async with self._database.read() as connection:
            least = await namespaces.least_level(connection, draft.namespace)
        return levels.strongest(draft.level, self._least, least)

    def _claim(self, caller: Agent, draft: ClaimDraft, plan: Plan) -> Claim:
        now = self._clock.now()
        return Claim(
            id=self._id("claim"),
            agent_id=caller.id,
            agent=caller.name,
            namespace=draft.namespace or caller.home,
            statement=draft.statement,
            workspace=draft.workspace,
            check=draft.check,
            applied=draft.applied,
            confidence=draft.confidence,
            effort_minutes=draft.effort_minutes,
            state=ClaimState.OPEN,
            attempt=1,
            lease_until=now + timedelta(seconds=plan.request.limits.wall_seconds) + _LEASE_MARGIN,
            created_at=now,
            snapshot_digest=plan.snapshot.digest,
            level=plan.level,
        )

    async def _open(self, claim: Claim) -> Claim | None:
        """Store the claim, or return the one that already decided it.

        One check of one snapshot counts once for an agent, so repeating what is
        known to hold earns nothing. A stalled claim is given up here, so that a worker
        that wakes up late finds its lease gone.
        """
        async with self._database.write() as tx:
            # Of equal claims sent at once, the second has to see the first.
            await agents.lock(tx, claim.agent_id)
            for known in await claims.same(tx, claim):
                if known.answers(claim):
                    return known
                if known.is_stalled(at=claim.created_at):
                    await claims.abandon(tx, known, at=claim.created_at)
                elif known.state is ClaimState.OPEN:
                    raise Conflict(
                        f"This check of this snapshot is already running as {known.id}. "
                        "Read it with get_verification.",
                        retryable=True,
                    )
            await claims.add(tx, claim)
        return None

    async def _abandon(self, claim: Claim) -> None:
        """Give up a claim that got no verdict; one that has its verdict stays as it is."""
        async with self._database.write() as tx:
            await claims.abandon(tx, claim, at=self._clock.now())

    def _id(self, kind: str) -> str:
        return new_id(kind, at=self._clock.now(), chance=self._chance(CHANCE_BYTES))
