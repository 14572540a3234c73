"""The step that carries claims through: under a lease, tried again, whoever waits or left."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import Counter, deque
from collections.abc import AsyncIterator
from statistics import fmean

import structlog

from tmws.domain.errors import Conflict, LimitExceeded, SandboxUnavailable, TmwsError
from tmws.domain.verifications import LEASE, MOST_ATTEMPTS, Claim, profile_of
from tmws.ports import Clock, Progress
from tmws.services.checking import Checker
from tmws.services.recording import Recorded, Recorder
from tmws.services.runs import Checked, Plan
from tmws.services.turns import Turns
from tmws.storage import claims
from tmws.storage.database import Database

_log = structlog.get_logger()

MOST_OF_ONE = 16
MOST_AT_ONCE = 2 * MOST_OF_ONE
"""So that one agent cannot take the places of all others."""

MOST_BYTES_AT_ONCE = 128 * 2**20
"""Of files that are held for checks that run or wait; what several hold counts once."""

MOST_PREPARED_AT_ONCE = 2
"""A snapshot counts as held once it is read; these are being read beside."""

RENEWED_EVERY_SECONDS = LEASE.total_seconds() / 3
DRAIN_SECONDS = 2.0
"""How long checks may go on once the server was told to stop: its launcher waits little more."""

PAUSES_SECONDS = (0.5, 3.0)
"""Before the second and the third attempt: an engine that restarts takes about two seconds."""

_LONGEST_BUSY_SECONDS = 120.0
_REMEMBERED = 16


class Work:
    """One claim that this process is at work on, and those who wait for it."""

    def __init__(self, claim: Claim, plan: Plan) -> None:
        self.claim = claim
        self.sizes = _sizes(plan)
        self.task: asyncio.Task[Recorded] | None = None
        self._told: list[Progress] = []
        self._kept = False
        self._stopped = False

    async def tell(self, what: str) -> None:
        """Tell everybody who waits what is done now."""
        for told in tuple(self._told):
            await told(what)

    def keep(self) -> None:
        """Go on whoever leaves: somebody holds the claim's id and will ask for it."""
        self._kept = True

    def stop(self) -> None:
        """Break the check off; a second time changes nothing, so that it can clean up."""
        if self.task is not None and not self._stopped:
            self._stopped = True
            self.task.cancel()

    async def finished(self, seconds: float, *, progress: Progress) -> bool:
        """Wait so long, and say whether the check has come to its end.

        When the last who waits is cancelled, the check is broken off, unless it is kept.
        """
        assert self.task is not None
        self._told.append(progress)
        try:
            await asyncio.wait([self.task], timeout=seconds)
        except asyncio.CancelledError:
            self._told.remove(progress)
            if not self._told and not self._kept:
                self.stop()
                await asyncio.wait([self.task])
            raise
        self._told.remove(progress)
        if not self.task.done():
            self.keep()
        return self.task.done()

    def outcome(self) -> Recorded:
        """Return what was recorded.

        Raises:
            TmwsError: nothing was.
        """
        assert self.task is not None
        try:
            return self.task.result()
        except asyncio.CancelledError:
            raise SandboxUnavailable(
                f"The check of {self.claim.id} was broken off; nothing was counted. Send it again."
            ) from None


class Running:
    """The claims that this process checks. A claim's attempt is its fencing token.

    A fault of the sandbox is none of the claim: the check is tried again in a fresh
    sandbox, and given up after `MOST_ATTEMPTS`, crashes of servers included.
    """

    def __init__(
        self,
        database: Database,
        *,
        checker: Checker,
        recorder: Recorder,
        clock: Clock,
        places: int,
    ) -> None:
        """Begin with nothing to do; `places` checks run at once."""
        self._database = database
        self._turns = Turns(places)
        self._checker = checker
        self._recorder = recorder
        self._clock = clock
        self._works: dict[str, Work] = {}
        self._entering: Counter[str] = Counter()
        self._preparing = asyncio.Semaphore(MOST_PREPARED_AT_ONCE)
        self._seconds: deque[float] = deque([1.0], maxlen=_REMEMBERED)
        self._closing = False

    @property
    def waiting(self) -> int:
        """How many checks wait for their turn."""
        return self._turns.waiting

    @contextlib.asynccontextmanager
    async def room(self, agent_id: str) -> AsyncIterator[None]:
        """Hold a place for one more claim while it is prepared, which few may be at once.

        Raises:
            LimitExceeded: too many are being checked, of this agent or of all; says when to
                come back.
        """
        of_one = sum(work.claim.agent_id == agent_id for work in self._works.values())
        if of_one + self._entering[agent_id] >= MOST_OF_ONE:
            raise self._busy(f"{MOST_OF_ONE} of your checks are running or waiting")
        if len(self._works) + self._entering.total() >= MOST_AT_ONCE:
            raise self._busy(f"{MOST_AT_ONCE} checks are running or waiting")
        self._entering[agent_id] += 1
        try:
            async with self._preparing:
                yield
        finally:
            self._entering[agent_id] -= 1

    def require_memory(self, plan: Plan) -> None:
        """Refuse a snapshot that the others leave no memory for.

        Raises:
            LimitExceeded: says when to come back.
        """
        held: dict[int, int] = {}
        for work in self._works.values():
            held |= work.sizes
        together = sum((held | _sizes(plan)).values())
        if held and together > MOST_BYTES_AT_ONCE:
            mebibytes = sum(held.values()) // 2**20
            raise self._busy(f"its checks hold {mebibytes} MiB of files")

    def find(self, claim_id: str) -> Work | None:
        """Return the work on this claim, if it is done here."""
        return self._works.get(claim_id)

    def start(self, claim: Claim, plan: Plan) -> Work:
        """Carry the claim through in the background; its lease is already held."""
        work = Work(claim, plan)
        work.task = asyncio.create_task(self._carried(work, plan))
        work.task.add_done_callback(lambda _: self._forget(work))
        self._works[claim.id] = work
        return work

    async def aclose(self) -> None:
        """Let what nearly is at its end come to it; hand the rest to whoever starts next."""
        tasks = [work.task for work in self._works.values() if work.task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        self._closing = True
        for work in tuple(self._works.values()):
            work.stop()
        if tasks:
            await asyncio.wait(tasks)

    def _forget(self, work: Work) -> None:
        if self._works.get(work.claim.id) is work:
            del self._works[work.claim.id]
        assert work.task is not None
        if not work.task.cancelled() and (failed := work.task.exception()) is not None:
            reason = failed.message if isinstance(failed, TmwsError) else repr(failed)
            _log.warning("claim_not_decided", claim_id=work.claim.id, reason=reason)

    async def _carried(self, work: Work, plan: Plan) -> Recorded:
        began = asyncio.get_running_loop().time()
        try:
            async with self._leased(work):
                await work.tell(f"running {profile_of(plan.check)} in the sandbox")
                # The check first: what was decided earlier is looked up while it runs.
                checked, earlier = await asyncio.gather(
                    self._checked(work, plan), self._recorder.earlier(work.claim)
                )
            await work.tell(f"recording verdict {checked.judgement.verdict.value}")
            recorded = await self._recorder.record(work.claim, checked, earlier=earlier)
        except BaseException:
            # Shielded: another cancellation must not leave the claim under its lease.
            await asyncio.shield(self._given_up(work.claim))
            raise
        self._seconds.append(asyncio.get_running_loop().time() - began)
        return recorded

    async def _checked(self, work: Work, plan: Plan) -> Checked:
        loop = asyncio.get_running_loop()
        patience = loop.time() + _LONGEST_BUSY_SECONDS
        while True:
            try:
                async with self._turns.turn(work.claim.agent_id):
                    return await self._checker.check(plan, progress=work.tell)
            except (SandboxUnavailable, LimitExceeded) as error:
                if not error.retryable:
                    raise
                pause = error.retry_after_seconds
                if pause is None:  # a run was lost; else none was begun
                    if work.claim.attempt >= MOST_ATTEMPTS:
                        raise
                    pause = PAUSES_SECONDS[min(work.claim.attempt, len(PAUSES_SECONDS)) - 1]
                    await self._attempted(work)
                elif loop.time() + pause > patience:
                    raise
                await work.tell(f"the sandbox failed, trying again in {pause:g} s")
                await asyncio.sleep(pause)

    async def _attempted(self, work: Work) -> None:
        """Count one more attempt; from here on the earlier one can write nothing."""
        at = self._clock.now()
        async with self._database.write() as tx:
            again = await claims.take_over(tx, work.claim, at=at)
        if again is None:
            raise _taken_over(work.claim)
        work.claim = again

    @contextlib.asynccontextmanager
    async def _leased(self, work: Work) -> AsyncIterator[None]:
        """Keep the lease while the block runs; without it, the block is cancelled.

        Raises:
            Conflict: somebody else took the claim over.
        """
        lost = asyncio.Event()
        block = asyncio.current_task()
        assert block is not None

        async def renew() -> None:
            while True:
                await asyncio.sleep(RENEWED_EVERY_SECONDS)
                if not await self._is_renewed(work):
                    lost.set()
                    block.cancel()
                    return

        heart = asyncio.create_task(renew())
        try:
            yield
        except asyncio.CancelledError:
            if lost.is_set() and block.uncancel() == 0:
                raise _taken_over(work.claim) from None
            raise
        finally:
            heart.cancel()

    async def _is_renewed(self, work: Work) -> bool:
        try:
            async with self._database.write() as tx:
                return await claims.renew(tx, work.claim, until=self._clock.now() + LEASE)
        except TmwsError as error:
            # Nobody knows; if the database stays away, the lease ends by itself.
            _log.warning("lease_not_renewed", claim_id=work.claim.id, reason=error.message)
            return True

    async def _given_up(self, claim: Claim) -> None:
        """Leave no lease behind; a claim that has its verdict stays as it is."""
        at = self._clock.now()
        with contextlib.suppress(TmwsError):  # the lease ends by itself
            async with self._database.write() as tx:
                if self._closing:
                    await claims.renew(tx, claim, until=at)
                else:
                    await claims.abandon(tx, claim, at=at)

    def _busy(self, why: str) -> LimitExceeded:
        seconds = max(1, math.ceil(fmean(self._seconds) * len(self._works) / 2))
        return LimitExceeded(
            f"The server is busy: {why}. Nothing was started. Retry after {seconds} s.",
            retryable=True,
            retry_after_seconds=seconds,
        )


def _sizes(plan: Plan) -> dict[int, int]:
    """Return the bytes of each file that the plan holds, by the object's identity."""
    held = (*plan.snapshot.files, *plan.request.files)
    return {id(file): len(file.content) for file in held}


def _taken_over(claim: Claim) -> Conflict:
    return Conflict(
        f"Claim {claim.id} was taken over or given up while it ran. Nothing was recorded here; "
        "read what became of it with get_verification."
    )
