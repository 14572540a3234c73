"""What the engine was last seen to hold, so that few runs have to ask."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox.engine import ImageFacts
from tmws.sandbox.image import PROTOCOL, PROTOCOL_LABEL
from tmws.sandbox.layers import how_to_build

KNOWN_SECONDS = 10.0
# So long what was known still serves, while the engine is asked again beside the run.
SERVES_SECONDS = 60.0
PAUSE_SECONDS = 0.1


class KnownImages:
    """Images by name, asked for again after a while.

    Args:
        ask: asks the engine.
        later: does something beside the run.
        now: the monotonic clock.
    """

    def __init__(
        self,
        ask: Callable[[str], Awaitable[ImageFacts | None]],
        later: Callable[[Coroutine[None, None, None]], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._later = later
        self._now = now
        self._known: dict[str, tuple[ImageFacts, float]] = {}

    def forget(self) -> None:
        """Ask anew from here on: something went wrong."""
        self._known.clear()

    async def find(self, name: str) -> ImageFacts:
        """Return the image, as the engine held it at most `SERVES_SECONDS` ago.

        Raises:
            SandboxUnavailable: it is not there, or is another version's.
        """
        known, since = self._known.get(name, (None, 0.0))
        age = self._now() - since
        if known is None or age > SERVES_SECONDS:
            return await self._look_up(name)
        if age > KNOWN_SECONDS:
            # Runs that come meanwhile need not ask as well.
            self._known[name] = (known, since + KNOWN_SECONDS)
            self._later(self._look_again(name))
        return known

    async def _look_again(self, name: str) -> None:
        await asyncio.sleep(PAUSE_SECONDS)  # a short run is over by then
        try:
            await self._look_up(name)
        except SandboxUnavailable:
            self._known.pop(name, None)  # the next run asks, and says what is wrong

    async def _look_up(self, name: str) -> ImageFacts:
        image = await self._ask(name)
        if image is None:
            raise SandboxUnavailable(
                f"The sandbox image {name} is not there, and images are never pulled. "
                f"Nothing was judged. Build it once: '{how_to_build(name)}'.",
                retryable=False,
            )
        if image.labels.get(PROTOCOL_LABEL) != PROTOCOL:
            raise SandboxUnavailable(
                f"The sandbox image {name} belongs to another version of tmws. "
                f"Nothing was judged. Build it again: '{how_to_build(name)}'.",
                retryable=False,
            )
        self._known[name] = (image, self._now())
        return image
