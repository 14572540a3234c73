"""Slots that are started ahead, so that a run need not wait for a container."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable

import structlog

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox.hardening import SlotClass
from tmws.sandbox.slots import Slot

# Replaced after this long, so that a new image or engine is noticed.
MAX_AGE_SECONDS = 600.0
MOST_CLASSES = 3
# PID 1 of a slot ends after a minute without a word.
KEEP_SECONDS = 15.0
# While others are ready, what a run leaves to be done passes first.
REFILL_PAUSE_SECONDS = 0.1
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 30.0
_log = structlog.get_logger(__name__)


class WarmPool:
    """Keeps `size` ready slots for each of the classes that were used last.

    A slot leaves by `lease` or by destruction; there is no way back in. One worker
    refills, because starting two containers at once only slows the runs down.

    Args:
        boot: starts a slot of a class.
        destroy: removes one; never raises.
    """

    def __init__(
        self,
        size: int,
        boot: Callable[[SlotClass], Awaitable[Slot]],
        destroy: Callable[[Slot], Awaitable[None]],
    ) -> None:
        self._size = size
        self._boot = boot
        self._destroy = destroy
        self._ready: OrderedDict[SlotClass, deque[Slot]] = OrderedDict()
        self._wanted = asyncio.Event()
        self._filled = asyncio.Event()
        self._worker: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def ready(self) -> int:
        """How many slots wait for a request."""
        return sum(map(len, self._ready.values()))

    async def lease(self, slot_class: SlotClass, *, image: str) -> Slot | None:
        """Take a ready slot of this class and image, None if there is none."""
        slots = self._ready.get(slot_class, deque())
        while slots:
            slot = slots.popleft()
            if slot.image == image and self._is_fit(slot):
                return slot
            await self._destroy(slot)
        return None

    def expect(self, slot_class: SlotClass) -> None:
        """Have slots of this class ready from now on."""
        if self._size == 0 or self._closed:
            return
        self._ready.setdefault(slot_class, deque())
        self._ready.move_to_end(slot_class)
        self._filled.clear()
        self._wanted.set()
        if self._worker is None:
            self._worker = asyncio.create_task(self._refill())

    async def filled(self) -> None:
        """Wait until every expected class has its slots; at once if none is expected."""
        if self._worker is not None:
            await self._filled.wait()

    async def aclose(self) -> None:
        """Stop refilling and destroy what is ready."""
        self._closed = True
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker
        for slot in [slot for slots in self._ready.values() for slot in slots]:
            await self._destroy(slot)
        self._ready.clear()

    async def _refill(self) -> None:
        pause = FIRST_PAUSE_SECONDS
        while True:
            # Not `wait_for`: before Python 3.12 it can swallow a cancellation that comes
            # together with the event, and `aclose` would wait for ever.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(KEEP_SECONDS):
                    await self._wanted.wait()
            self._wanted.clear()
            if any(self._ready.values()):
                await asyncio.sleep(REFILL_PAUSE_SECONDS)
            try:
                self._keep()
                await self._drop_unfit()
                await self._fill()
                self._filled.set()
                pause = FIRST_PAUSE_SECONDS
            except SandboxUnavailable as error:
                _log.warning("sandbox_pool_not_filled", reason=error.message, retry_in=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
                self._wanted.set()

    def _keep(self) -> None:
        for slots in self._ready.values():
            for slot in slots:
                slot.keep()

    async def _fill(self) -> None:
        while (slot_class := self._most_needed()) is not None:
            slot = await self._boot(slot_class)
            self._ready.setdefault(slot_class, deque()).append(slot)

    def _most_needed(self) -> SlotClass | None:
        """Return the class used last that lacks a slot."""
        for slot_class in reversed(self._ready):
            if len(self._ready[slot_class]) < self._size:
                return slot_class
        return None

    async def _drop_unfit(self) -> None:
        while len(self._ready) > MOST_CLASSES:
            _, slots = self._ready.popitem(last=False)
            for slot in slots:
                await self._destroy(slot)
        for slots in self._ready.values():
            for slot in [slot for slot in slots if not self._is_fit(slot)]:
                slots.remove(slot)
                await self._destroy(slot)

    @staticmethod
    def _is_fit(slot: Slot) -> bool:
        return slot.is_ready() and time.monotonic() - slot.made_at < MAX_AGE_SECONDS
