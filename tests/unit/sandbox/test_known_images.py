"""What the engine holds is asked beside the runs, and soon believed no more."""

from __future__ import annotations

from collections.abc import Coroutine

import pytest

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox.engine import ImageFacts
from tmws.sandbox.image import PROTOCOL, PROTOCOL_LABEL
from tmws.sandbox.known_images import KNOWN_SECONDS, SERVES_SECONDS, KnownImages

pytestmark = pytest.mark.anyio


class Shelf:
    """An engine's images, a clock, and what is put off."""

    def __init__(self) -> None:
        self.held: dict[str, ImageFacts] = {}
        self.asked = 0
        self.at = 0.0
        self.later: list[Coroutine[None, None, None]] = []
        self.images = KnownImages(self._ask, self.later.append, lambda: self.at)
        self.build("one")

    def build(self, id_: str, protocol: str = PROTOCOL) -> None:
        self.held["image"] = ImageFacts("image", id_, {PROTOCOL_LABEL: protocol})

    async def _ask(self, name: str) -> ImageFacts | None:
        self.asked += 1
        return self.held.get(name)

    async def tidy(self) -> None:
        while self.later:
            await self.later.pop()


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


async def test_a_run_does_not_wait_while_the_engine_is_asked_again(shelf: Shelf) -> None:
    assert (await shelf.images.find("image")).id == "one"
    shelf.build("two")
    shelf.at = KNOWN_SECONDS + 1

    assert [(await shelf.images.find("image")).id for _ in range(3)] == ["one"] * 3
    assert (shelf.asked, len(shelf.later)) == (1, 1)
    await shelf.tidy()

    assert (await shelf.images.find("image")).id == "two"
    assert shelf.asked == 2


async def test_what_was_known_long_ago_is_asked_for_first(shelf: Shelf) -> None:
    await shelf.images.find("image")
    shelf.build("two")
    shelf.at = SERVES_SECONDS + 1
    assert (await shelf.images.find("image")).id == "two"


async def test_an_image_that_went_away_is_missed_by_the_next_run(shelf: Shelf) -> None:
    await shelf.images.find("image")
    del shelf.held["image"]
    shelf.at = KNOWN_SECONDS + 1
    await shelf.images.find("image")
    await shelf.tidy()
    with pytest.raises(SandboxUnavailable, match="never pulled"):
        await shelf.images.find("image")


async def test_after_a_fault_nothing_is_known(shelf: Shelf) -> None:
    await shelf.images.find("image")
    shelf.build("two", protocol="another")
    shelf.images.forget()
    with pytest.raises(SandboxUnavailable, match="another version"):
        await shelf.images.find("image")
