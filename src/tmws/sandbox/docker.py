"""The sandbox on Docker: one hardened container per run, used once."""

from __future__ import annotations

import asyncio
import itertools
import os
import time
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import anyio
import structlog

from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import (
    ExecutionRequest,
    ExecutionResult,
    Limits,
    Outcome,
    Runtime,
)
from tmws.ports import Probe, Progress, SandboxState
from tmws.sandbox import probes
from tmws.sandbox.admission import Admission, Breaker
from tmws.sandbox.engine import Engine, ImageFacts
from tmws.sandbox.frames import Answer, encode_request
from tmws.sandbox.hardening import STRICT, Hardening, SlotClass, container_config
from tmws.sandbox.image import default_name
from tmws.sandbox.known_images import KnownImages
from tmws.sandbox.layers import environment_name, node_name
from tmws.sandbox.owners import PRODUCT, PRODUCT_LABEL, SLOT_LABEL, Owner
from tmws.sandbox.pool import WarmPool
from tmws.sandbox.slots import Aborted, DeadlinePassed, EndedByMemory, Slot

T = TypeVar("T")
# PID 1 ends a run at its limit; if even PID 1 is late by this much, the host does.
GRACE_SECONDS = 5.0
MAX_WAITING = 32
# A verdict is recorded right after its run; what is only tidying up lets it pass first.
LINGER_SECONDS = 0.1
# An engine may go on making a container after whoever asked for it has died.
SWEEP_SECONDS = 60.0
# Removing, listing and refilling must not stand behind the runs.
_SPARE_THREADS = 4
_log = structlog.get_logger(__name__)


class DockerSandbox:
    """Runs each request in a container of its own.

    The container has no network, no capability, no host folder and its own list of
    system calls; before the first run it has to prove that (see `probes`), else
    nothing runs. Nothing ever runs on the host instead, and no image is pulled.

    Args:
        image: name of the image, which must be there already; the one that
            `tmws sandbox build` makes if None.
        owner: who makes these containers, for people who list them.
        pool_size: containers kept started per class of limits; 0 starts each on demand.
        max_concurrent: runs at once; as many as there are processors if None.
        docker_host: address of the engine; `DOCKER_HOST` or the default if None.
        hardening: the protections; anything but `STRICT` is there to be refused.
    """

    def __init__(
        self,
        *,
        image: str | None = None,
        owner: str = "tmws",
        pool_size: int = 0,
        max_concurrent: int | None = None,
        docker_host: str | None = None,
        hardening: Hardening = STRICT,
    ) -> None:
        places = max_concurrent or os.cpu_count() or 1
        self._image_name = image
        self.owner = Owner.this_process(owner)
        self._hardening = hardening
        self._engine = Engine(docker_host)
        self._admission = Admission(places=places, waiting=MAX_WAITING)
        self._breaker = Breaker()
        self._pool = WarmPool(pool_size, self._boot, self._destroy)
        self._threads = ThreadPoolExecutor(places + _SPARE_THREADS, thread_name_prefix="sandbox")
        self._proving = asyncio.Lock()
        self._engine_id: str | None = None
        self._sweep_at = 0.0
        self._images = KnownImages(self._held_image, self._later)
        self._proven: set[tuple[str, str]] = set()
        self._live: set[Slot] = set()
        # Of this object alone: a process may have several, each with slots of its own.
        self._prefix = f"{id(self):x}-"
        self._numbers = itertools.count()
        self._tested_at: float | None = None
        self._fault: str | None = None
        self._tidying: set[asyncio.Task[None]] = set()

    async def run(self, request: ExecutionRequest, *, progress: Progress) -> ExecutionResult:
        """Run once in a fresh container and leave nothing behind.

        Raises:
            SandboxUnavailable: no run took place, or its result was lost.
            LimitExceeded: too many are waiting already.
        """
        self._breaker.admit()
        try:
            name = self._image_for(request)
            image = await self._prove(name, progress)
            if self._admission.waiting:
                await progress(f"waiting for the sandbox, {self._admission.waiting} ahead")
            async with self._admission.place():
                result = await self._run_once(request, image, progress)
        except SandboxUnavailable as error:
            self._engine_id = None
            self._images.forget()
            self._fault = error.message
            if error.retryable:
                self._breaker.failed()
            raise
        self._breaker.succeeded()
        self._fault = None
        self._pool.expect(SlotClass.of(request.limits, name))
        return result

    async def warm(self, limits: Limits) -> None:
        """Return when the pool is full for runs with these limits.

        Raises:
            SandboxUnavailable: the engine or its image is not fit to run anything.
        """
        name = self._image_name or default_name()
        await self._prove(name, _silent)
        self._pool.expect(SlotClass.of(limits, name))
        await self._pool.filled()

    async def check(self) -> tuple[Probe, ...]:
        """Try what must be denied, from inside, and say what happened.

        Raises:
            SandboxUnavailable: no container can be started at all.
        """
        image = await self._images.find(self._image_name or default_name())
        return await probes.full(partial(self._run_unproven, image))

    def state(self) -> SandboxState:
        """Return how it stands, asking nobody."""
        return SandboxState(
            tested_at=self._tested_at,
            fault=self._fault,
            resting=self._breaker.is_open,
            ready=self._pool.ready,
            running=self._admission.running,
            waiting=self._admission.waiting,
        )

    async def sweep(self) -> int:
        """Remove the containers of processes that are gone; return how many.

        Our own that no slot knows go too: the engine was killed while it made them.
        """
        containers = await self._blocking(
            lambda: self._engine.containers(f"{PRODUCT_LABEL}={PRODUCT}")
        )
        live = {slot.name for slot in self._live}
        orphans = [
            one.id
            for one in containers
            if self.owner.may_sweep(one.labels)
            or (self._is_ours(one.labels) and one.labels[SLOT_LABEL] not in live)
        ]
        for container in orphans:
            await self._blocking(partial(self._engine.remove, container))
        return len(orphans)

    async def _sweep_again(self) -> None:
        try:
            await self.sweep()
        except SandboxUnavailable as error:
            _log.warning("sandbox_not_swept", reason=error.message)

    def _is_ours(self, labels: Mapping[str, str]) -> bool:
        same_owner = self.owner.labels().items() <= labels.items()
        return same_owner and labels.get(SLOT_LABEL, "").startswith(self._prefix)

    async def aclose(self) -> None:
        """End what still runs, remove every container, and close the connections."""
        with anyio.CancelScope(shield=True):
            await self._pool.aclose()
            for slot in tuple(self._live):
                self._destroy_later(slot)
            if self._tidying:
                await asyncio.wait(self._tidying)
            self._threads.shutdown(wait=True)
            self._engine.close()

    def _image_for(self, request: ExecutionRequest) -> str:
        if request.environment is not None:
            return environment_name(request.environment)
        if request.runtime is Runtime.NODE:
            return node_name()
        return self._image_name or default_name()

    async def _prove(self, name: str, progress: Progress) -> ImageFacts:
        """Let nothing run before this engine has denied what it must deny."""
        image = await self._images.find(name)
        async with self._proving:
            if self._engine_id is None:
                engine = await self._blocking(self._engine.identity)
                await self.sweep()
                self._engine_id = engine
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
            if (self._engine_id, image.id) not in self._proven:
                await progress("testing the sandbox before its first run")
                self._fault = "The self-test did not hold, or could not be run."
                probes.require_held(await probes.quick(partial(self._run_unproven, image)))
                self._fault = None
                self._proven.add((self._engine_id, image.id))
                self._tested_at = time.monotonic()
            if time.monotonic() > self._sweep_at:
                self._sweep_at = time.monotonic() + SWEEP_SECONDS
                self._later(self._sweep_again())
        return image

    async def _held_image(self, name: str) -> ImageFacts | None:
        return await self._blocking(lambda: self._engine.image(name))

    async def _run_unproven(self, image: ImageFacts, request: ExecutionRequest) -> ExecutionResult:
        return await self._run_once(request, image, _silent)

    async def _run_once(
        self, request: ExecutionRequest, image: ImageFacts, progress: Progress
    ) -> ExecutionResult:
        slot_class = SlotClass.of(request.limits, image.name)
        slot = await self._pool.lease(slot_class, image=image.id)
        if slot is None:
            await progress("starting a fresh container")
            slot = await self._boot_from(image, slot_class)
        try:
            await progress("running the check")
            result = await self._exchange(slot, request)
        except BaseException:
            await self._destroy(slot)
            raise
        self._destroy_later(slot, after=LINGER_SECONDS)
        return result

    async def _exchange(self, slot: Slot, request: ExecutionRequest) -> ExecutionResult:
        began = time.monotonic()
        seconds = request.limits.wall_seconds + GRACE_SECONDS
        try:
            answer = await self._unless_cancelled(
                slot, lambda: slot.exchange(encode_request(request), seconds=seconds)
            )
        except DeadlinePassed:
            return _ended_from_outside(Outcome.TIMED_OUT, slot, time.monotonic() - began)
        except EndedByMemory:
            return _ended_from_outside(Outcome.OUT_OF_MEMORY, slot, time.monotonic() - began)
        return _result(answer, slot)

    async def _boot(self, slot_class: SlotClass) -> Slot:
        return await self._boot_from(await self._images.find(slot_class.image), slot_class)

    async def _boot_from(self, image: ImageFacts, slot_class: SlotClass) -> Slot:
        name = f"{self._prefix}{next(self._numbers)}"
        labels = self.owner.labels() | {SLOT_LABEL: name}
        config = container_config(image.id, slot_class, self._hardening, labels)
        slot = Slot(self._engine, config, name=name)
        self._live.add(slot)
        try:
            await self._unless_cancelled(slot, slot.boot)
        except DeadlinePassed as error:
            await self._destroy(slot)
            raise SandboxUnavailable(
                "The container did not become ready in time. Nothing was judged; try again."
            ) from error
        except BaseException:
            await self._destroy(slot)
            raise
        return slot

    async def _unless_cancelled(self, slot: Slot, work: Callable[[], T]) -> T:
        """Run a slot's blocking work; when cancelled, break it off and wait for its end."""
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError:
            slot.abort()
            await _settled(future)
            raise
        try:
            return future.result()
        except Aborted as error:
            raise SandboxUnavailable(
                "The sandbox was closed while the check ran. Nothing was judged; try again."
            ) from error

    def _destroy_later(self, slot: Slot, *, after: float = 0.0) -> None:
        """Remove a slot off the caller's path."""

        async def destroy() -> None:
            await asyncio.sleep(after)
            await self._destroy(slot)

        self._later(destroy())

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        """Do it off the caller's path; closing waits for it."""
        task = asyncio.create_task(work)
        self._tidying.add(task)
        task.add_done_callback(self._tidying.discard)

    async def _destroy(self, slot: Slot) -> None:
        """Remove a slot, whatever happens meanwhile; an engine that is gone is logged."""
        if slot not in self._live:
            return
        self._live.discard(slot)
        future = asyncio.get_running_loop().run_in_executor(self._threads, slot.destroy)
        if (error := await _settled(future)) is not None:
            self._engine_id = None  # the next run looks for what stayed behind
            _log.warning("sandbox_container_not_removed", reason=str(error))

    async def _blocking(self, work: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        except SandboxUnavailable as error:
            self._fault = error.message
            raise


async def _settled(future: asyncio.Future[T]) -> BaseException | None:
    """Wait for the end of what can't be stopped, and return its error.

    Being cancelled meanwhile takes effect after that end.
    """
    interrupted: asyncio.CancelledError | None = None
    with anyio.CancelScope(shield=True):
        while not future.done():
            try:
                await asyncio.wait([future])
            except asyncio.CancelledError as error:
                interrupted = error
    failure = future.exception()
    if interrupted is not None:
        raise interrupted
    return failure


async def _silent(words: str) -> None:
    """Report no progress to anybody."""


def _result(answer: Answer, slot: Slot) -> ExecutionResult:
    outcome = _outcome(answer)
    return ExecutionResult(
        outcome=outcome,
        exit_code=answer.exit_code if outcome is Outcome.EXITED else None,
        signal=answer.signal if outcome is Outcome.SIGNALED else None,
        wall_seconds=answer.wall_seconds,
        cpu_seconds=answer.cpu_seconds,
        peak_memory_bytes=answer.peak_memory_bytes,
        stdout=answer.stdout,
        stderr=answer.stderr,
        stdout_bytes=answer.stdout_bytes,
        stderr_bytes=answer.stderr_bytes,
        report=answer.report or None,
        image_digest=slot.image,
    )


def _outcome(answer: Answer) -> Outcome:
    """Return how the run ended; the memory limit counts even if the parent exited with 0."""
    if answer.oom_kills:
        return Outcome.OUT_OF_MEMORY
    if answer.ended_by == "timeout":
        return Outcome.TIMED_OUT
    if answer.ended_by == "output":
        return Outcome.OUTPUT_EXCEEDED
    return Outcome.EXITED if answer.signal is None else Outcome.SIGNALED


def _ended_from_outside(outcome: Outcome, slot: Slot, wall_seconds: float) -> ExecutionResult:
    """Return the result of a run whose PID 1 could not tell it any more."""
    return ExecutionResult(
        outcome=outcome,
        exit_code=None,
        signal=None,
        wall_seconds=wall_seconds,
        cpu_seconds=0.0,
        peak_memory_bytes=0,
        stdout=b"",
        stderr=b"",
        stdout_bytes=0,
        stderr_bytes=0,
        report=None,
        image_digest=slot.image,
    )
