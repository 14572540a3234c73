"""From a claim to its verdict: opened, checked, recorded."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from tmws.domain import levels, verifications
from tmws.domain.actions import Action
from tmws.domain.agents import Agent
from tmws.domain.claims import Check, Level
from tmws.domain.errors import Conflict, InvalidInput, NotFound, SandboxUnavailable, TmwsError
from tmws.domain.ids import CHANCE_BYTES, new_id
from tmws.domain.quotas import Need
from tmws.domain.verifications import (
    LEASE,
    LONGEST_WAIT_SECONDS,
    MOST_ATTEMPTS,
    Claim,
    ClaimDraft,
    ClaimState,
)
from tmws.ports import Chance, Clock, Progress, WorkspaceReader
from tmws.services import bases
from tmws.services.checking import Basis, Checker
from tmws.services.gate import Gate
from tmws.services.quotas import Quotas
from tmws.services.recording import Recorded
from tmws.services.running import Running, Work
from tmws.services.runs import Plan
from tmws.services.scoring import TrustChange
from tmws.storage import agents, claims, environments, namespaces, patterns, workspaces
from tmws.storage.database import Database
from tmws.storage.environments import Chosen
from tmws.storage.prepared import at_once
from tmws.storage.workspaces import Opened

_log = structlog.get_logger()

LOOKS_EVERY_SECONDS = 0.5
"""How often one server looks whether another has a verdict."""

_RECOVERED_AT_ONCE = 4

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class _Opened:
    """A claim that is ours to check, or that was there before."""

    claim: Claim
    ours: bool


class Verification:
    """Opens claims, has them checked in the sandbox, and records what that showed.

    Attributes:
        refused: how many checks broke the grammar since the start; nothing was run for them.
    """

    def __init__(
        self,
        database: Database,
        *,
        gate: Gate,
        checker: Checker,
        running: Running,
        reader: WorkspaceReader,
        quotas: Quotas,
        least: Level,
        clock: Clock,
        chance: Chance,
    ) -> None:
        self._database = database
        self._gate = gate
        self._checker = checker
        self._running = running
        self._reader = reader
        self._quotas = quotas
        self._least = least
        self._clock = clock
        self._chance = chance
        self.refused = 0

    async def verify(
        self,
        caller: Agent,
        draft: ClaimDraft,
        *,
        progress: Progress,
        wait_seconds: float = LONGEST_WAIT_SECONDS,
    ) -> VerificationReport:
        """Have the claim checked, and return it once it is recorded, or after the wait.

        A claim that is still open then goes on being checked; `get` waits for it. The same
        claim sent again is not run again. Cancelling breaks the check off, unless
        somebody else waits for it, or was told to ask later.

        Raises:
            InvalidInput: the claim is malformed, or names what the workspace lacks.
            NotFound: no workspace of this name, or no such applied pattern.
            LimitExceeded: too many are being checked, or were opened today; none was started.
            PermissionDenied: an administrator disabled the caller meanwhile.
            SandboxUnavailable: no run took place; the claim is given up, trust unchanged.
        """
        await self._gate.require(Action.VERIFY_CLAIM)
        draft = verifications.validated(draft, caller)
        self._require_grammar(caller, lambda: self._checker.validate(draft.check))
        until = asyncio.get_running_loop().time() + wait_seconds
        async with self._running.room(caller.id):
            await progress(f"copying workspace {draft.workspace}")
            place, chosen, basis = await self._place(caller, draft)
            snapshot = await self._reader.capture(place.root)
            plan = self._checker.plan(draft.check, snapshot, basis)
            self._running.require_memory(plan)
            claim = self._claim(caller, draft, plan)
            opened = await self._open(claim, place, chosen)
            work = self._running.start(opened.claim, plan) if opened.ours else None
        try:
            if work is None:
                return await self._joined(caller, opened.claim, until, progress)
            if not await work.finished(_left(until), progress=progress):
                return VerificationReport(work.claim)
            recorded = work.outcome()
        except TmwsError:
            await self._gate.require_enabled(caller)  # else it was given up with its author
            raise
        return VerificationReport(recorded.claim, recorded.trust)

    def read_command(self, caller: Agent, text: str) -> Check:
        """Return the check that a command line is notation for; it is never run as text.

        Raises:
            InvalidInput: with the allowed forms.
        """
        return self._require_grammar(caller, lambda: self._checker.read(text))

    async def get(
        self, caller: Agent, claim_id: str, *, wait_seconds: float = 0.0
    ) -> VerificationReport:
        """Return a claim of the caller's, or of one of its namespaces.

        Args:
            wait_seconds: how long to wait for the verdict of a claim that is being checked.

        Raises:
            NotFound: there is none; one that is hidden looks the same.
            PermissionDenied: an administrator disabled the caller while it waited.
        """
        await self._gate.require(Action.GET_VERIFICATION)
        until = asyncio.get_running_loop().time() + wait_seconds
        report = await self._read(caller, claim_id)
        while report.claim.state is ClaimState.OPEN and not report.stalled and _left(until):
            await self._looked(caller, claim_id, until)
            report = await self._read(caller, claim_id)
        return report

    @property
    def waiting(self) -> int:
        """How many checks wait for their turn in this process."""
        return self._running.waiting

    async def tend(self) -> None:
        """Look after the claims of dead servers, as long as this one lives.

        What is as it was claimed is checked for them; the rest is given up.
        """
        while True:
            try:
                await self._recover()
            except TmwsError as error:
                _log.warning("claims_not_recovered", reason=error.message)
            await asyncio.sleep(LEASE.total_seconds())

    async def aclose(self) -> None:
        """Stop checking; nothing keeps its lease."""
        await self._running.aclose()

    async def prepare(self) -> int:
        """Make the sandbox ready for checks; return how many dead owners' runs it removed.

        Raises:
            SandboxUnavailable: no check can run now.
        """
        return await self._checker.prepare()

    async def newest(self, *, limit: int) -> list[Claim]:
        """Return the newest claims of all agents, for the installation's administrator."""
        async with self._database.read() as connection:
            return await claims.newest(connection, limit=limit)

    async def find(self, claim_id: str) -> Claim | None:
        """Return any claim, for the installation's administrator."""
        async with self._database.read() as connection:
            return await claims.find(connection, claim_id)

    def _require_grammar(self, caller: Agent, read: Callable[[], T]) -> T:
        """Count and log what the grammar refuses: who tries much of that is of interest."""
        try:
            return read()
        except InvalidInput as error:
            self.refused += 1
            _log.warning(
                "check_refused", agent_id=caller.id, reason=error.message, refused=self.refused
            )
            raise

    async def _read(self, caller: Agent, claim_id: str) -> VerificationReport:
        async with self._database.read() as connection:
            claim = await claims.readable(connection, caller, claim_id)
        if claim is None:
            raise NotFound(f"No verification {claim_id[:40]!r} is visible to you. Check the id.")
        if claim.agent_id != caller.id:
            claim = dataclasses.replace(claim, applied=())  # its author's private patterns
        return VerificationReport(claim, stalled=claim.is_stalled(at=self._clock.now()))

    async def _joined(
        self, caller: Agent, claim: Claim, until: float, progress: Progress
    ) -> VerificationReport:
        """Wait for a check that is running already, here or in another server."""
        while claim.state is ClaimState.OPEN and _left(until):
            if (work := self._running.find(claim.id)) is not None:
                if await work.finished(_left(until), progress=progress):
                    return VerificationReport(work.outcome().claim, repeated=True)
                return VerificationReport(work.claim)
            await self._looked(caller, claim.id, until)
            claim = await self.find(claim.id) or claim
        report = await self._read(caller, claim.id)
        return dataclasses.replace(report, repeated=report.claim.judgement is not None)

    async def _looked(self, caller: Agent, claim_id: str, until: float) -> None:
        """Wait until the claim may have changed, or the time is over, if the caller still may."""
        work = self._running.find(claim_id)
        if work is None or work.task is None:
            await asyncio.sleep(min(LOOKS_EVERY_SECONDS, _left(until)))
        else:
            await asyncio.wait([work.task], timeout=_left(until))
        await self._gate.require_enabled(caller)

    async def _recover(self) -> None:
        at = self._clock.now()
        async with self._database.read() as connection:
            stalled = await claims.stalled(connection, at=at)
        at_work: set[asyncio.Task[Recorded]] = set()
        for claim in reversed(stalled):
            while len(at_work) >= _RECOVERED_AT_ONCE:
                _, at_work = await asyncio.wait(at_work, return_when=asyncio.FIRST_COMPLETED)
            try:
                work = await self._resumed(claim)
            except TmwsError as error:
                _log.warning("claim_given_up", claim_id=claim.id, reason=error.message)
                async with self._database.write() as tx:
                    await claims.abandon(tx, claim, at=at)
            else:
                if work is not None and work.task is not None:
                    at_work.add(work.task)

    async def _resumed(self, claim: Claim) -> Work | None:
        """Go on with a claim whose owner is gone; None when somebody else does.

        Raises:
            TmwsError: it cannot be checked as it was claimed.
        """
        if claim.attempt >= MOST_ATTEMPTS:
            raise SandboxUnavailable(f"Each of {MOST_ATTEMPTS} attempts at it was cut off.")
        async with self._running.room(claim.agent_id):
            async with self._database.read() as connection:
                place = await workspaces.find(connection, claim.workspace)
                chosen = await environments.chosen(connection, claim.workspace)
                basis = await bases.find(connection, claim.level, claim.check, claim.workspace)
            if place is None:
                raise NotFound(f"Its workspace {claim.workspace} is not registered any more.")
            if not chosen.stood_at(claim.created_at):
                raise Conflict("Its environment has changed since.")
            snapshot = await self._reader.capture(place.root)
            basis = dataclasses.replace(basis, environment=chosen.environment)
            plan = self._checker.plan(claim.check, snapshot, basis)
            if (plan.snapshot.digest, plan.basis) != (claim.snapshot_digest, claim.basis):
                raise Conflict("Its workspace, or what it is judged by, has changed since.")
            self._running.require_memory(plan)
            async with self._database.write() as tx:
                again = await claims.take_over(tx, claim, at=self._clock.now())
            if again is None:
                return None
            work = self._running.start(again, plan)
        work.keep()
        _log.info("claim_taken_over", claim_id=again.id, attempt=again.attempt)
        return work

    async def _place(self, caller: Agent, draft: ClaimDraft) -> tuple[Opened, Chosen, Basis]:
        """Return the workspace, what its checks run with, and what judges them.

        The verdict has to reach the most that anybody asks for. All is read at one moment.
        """
        assert draft.namespace is not None
        async with self._database.read() as connection:
            place = await workspaces.find(connection, draft.workspace)
            chosen = await environments.chosen(connection, draft.workspace)
            known = await patterns.readable(connection, caller, draft.applied)
            if missing := [each for each in draft.applied if each not in known]:
                raise NotFound(f"No pattern {missing[0][:40]!r} is visible to you. Leave it out.")
            if place is None:
                raise _unregistered(draft.workspace)
            least = await namespaces.least_level(connection, draft.namespace)
            level = levels.strongest(draft.level, self._least, least)
            basis = await bases.find(connection, level, draft.check, draft.workspace)
        return place, chosen, dataclasses.replace(basis, environment=chosen.environment)

    def _claim(self, caller: Agent, draft: ClaimDraft, plan: Plan) -> Claim:
        now = self._clock.now()
        return Claim(
            id=new_id("claim", at=now, chance=self._chance(CHANCE_BYTES)),
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
            lease_until=now + LEASE,
            created_at=now,
            snapshot_digest=plan.snapshot.digest,
            level=plan.level,
            basis=plan.basis,
        )

    async def _open(self, claim: Claim, place: Opened, chosen: Chosen) -> _Opened:
        """Store the claim, unless it was decided before, or is being checked.

        One check of one snapshot counts once for an agent, so repeating what is known to
        hold earns nothing; with other packages, or once its verdict was withdrawn, it is
        another check. A stalled claim is taken over, so that a worker that wakes up late
        finds its lease gone.
        """
        async with self._database.write() as tx:
            # Of equal claims at once, the second sees the first; a disabled author's were given up.
            await agents.lock(tx, claim.agent_id)
            if not await workspaces.still_stands(tx, claim.workspace, place):
                raise _unregistered(claim.workspace)
            for known in await claims.same(tx, claim):
                if not await environments.ran_with(tx, chosen, known.workspace, known.created_at):
                    continue
                if known.answers(claim):
                    return _Opened(known, ours=False)
                if known.state is not ClaimState.OPEN or not known.covers(claim):
                    continue
                if not known.is_stalled(at=claim.created_at):
                    return _Opened(known, ours=False)
                if claim.covers(known) and known.attempt < MOST_ATTEMPTS:
                    again = await claims.take_over(tx, known, at=claim.created_at)
                    return _Opened(again or known, ours=again is not None)
                await claims.abandon(tx, known, at=claim.created_at)
            need = Need(writes=1 + len(claim.applied))  # each may become a use
            at = claim.created_at
            await at_once(tx, lambda run: self._quotas.take(run, claim.agent_id, need, at=at))
            await claims.add(tx, claim)
        return _Opened(claim, ours=True)


def _left(until: float) -> float:
    """Return the seconds until then, by the clock of the event loop."""
    return max(0.0, until - asyncio.get_running_loop().time())


def _unregistered(workspace: str) -> NotFound:
    return NotFound(
        f"No workspace {workspace[:64]!r} is registered. An administrator opens one: "
        "tmws workspaces add NAME PATH."
    )
