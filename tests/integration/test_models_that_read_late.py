"""A model that runs here reads a request beside the search for its words."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from tests.integration.services import Installation, agent, learned
from tmws.app import App
from tmws.domain.errors import BackendUnavailable
from tmws.domain.ranking import Arm
from tmws.domain.text import terms
from tmws.embeddings.hashing import HashingEmbedder
from tmws.ports import Recipe, Vector
from tmws.services.models import Models
from tmws.services.nearest import Nearest
from tmws.services.search import Search
from tmws.storage.database import Database
from tmws.storage.documents import Kind
from tmws.vectors.exact import ExactIndex

REQUEST = "retry flaky network calls"


class Held(HashingEmbedder):
    """Makes its vectors once it may, or fails then."""

    def __init__(self) -> None:
        super().__init__()
        self.may = asyncio.Event()
        self.fails = False

    async def embed(self, texts: Sequence[str]) -> Vector:
        await self.may.wait()
        if self.fails:
            raise BackendUnavailable("out of order")
        return await super().embed(texts)


@contextlib.asynccontextmanager
async def searched(
    place: Installation, held: Held, model: str | None = None
) -> AsyncIterator[tuple[App, Database, Search]]:
    """Open a search whose meaning is what this embedder makes of a text."""

    def made(recipe: Recipe) -> HashingEmbedder:
        return held if recipe.backend == "held" else HashingEmbedder()

    wanted = {Arm.CHARACTERS: Recipe("hashing"), Arm.MEANING: Recipe("held", model)}
    async with place.open() as app, place.database() as database:
        nearest = Nearest(ExactIndex)
        yield app, database, Search(Models(database, wanted, made, place.clock), nearest)
        await nearest.aclose()


async def test_its_vector_serves_though_it_came_late(installation: Installation) -> None:
    held = Held()
    async with searched(installation, held) as (app, database, search):
        alice = await agent(app, "alice")
        first = await learned(app, alice, "first", summary="Retry a flaky network call.")
        asked = await search.asked(await search.speakers(), REQUEST)
        assert set(asked.vectors) == {Arm.CHARACTERS}
        async with database.read() as connection:
            ranking = asyncio.create_task(
                search.ranked(connection, alice, asked, kind=Kind.PATTERN)
            )
            held.may.set()
            found = await ranking
    assert found.arms[Arm.MEANING] == found.arms[Arm.CHARACTERS]
    assert [each.item_id for each in found.ranked] == [first.id]
    assert asked.embedder == f"{held.id} + {held.id}"
    assert asked.degraded is None


async def test_one_that_fails_late_is_told_and_the_others_serve(installation: Installation) -> None:
    held = Held()
    held.fails = True
    async with searched(installation, held) as (app, database, search):
        alice = await agent(app, "alice")
        first = await learned(app, alice, "first", summary="Retry a flaky network call.")
        asked = await search.asked(await search.speakers(), REQUEST)
        held.may.set()
        async with database.read() as connection:
            found = await search.ranked(connection, alice, asked, kind=Kind.PATTERN)
    assert set(found.arms) == {Arm.WORDS, Arm.CHARACTERS}
    assert [each.item_id for each in found.ranked] == [first.id]
    assert asked.embedder == held.id
    assert asked.degraded == "Without meaning: out of order"


async def test_a_server_is_waited_for_before_any_transaction(installation: Installation) -> None:
    held = Held()
    async with searched(installation, held, model="far away") as (_, _, search):
        asking = asyncio.create_task(search.asked(await search.speakers(), REQUEST))
        await asyncio.sleep(0)
        held.may.set()
        asked = await asking
    assert set(asked.vectors) == {Arm.CHARACTERS, Arm.MEANING}
    assert not asked.coming


class HeldEnglish(Held):
    """Knows no other language."""

    english_only = True


@pytest.mark.parametrize(
    ("held", "text", "compared"),
    [
        (HeldEnglish(), "удалить файлы", False),
        (HeldEnglish(), "ลบไฟล์เก่า", False),
        (HeldEnglish(), "crème brûlée", True),
        (Held(), "удалить файлы", True),
        (Held(), "ファイルを削除", False),
    ],
)
async def test_requests_go_past_a_model_that_does_not_know_their_script(
    installation: Installation, held: Held, text: str, compared: bool
) -> None:
    async with searched(installation, held) as (_, _, search):
        held.may.set()
        asked = await search.asked(await search.speakers(), text)
        for reading in asked.coming:
            await reading
    assert (Arm.MEANING in asked.vectors) is compared
    assert asked.degraded is None


async def test_what_another_search_takes_over_meanwhile_is_found(
    installation: Installation,
) -> None:
    async with searched(installation, Held()) as (app, database, search):
        alice = await agent(app, "alice")
        first = await learned(app, alice, "first", summary="Retry a flaky network call.")
        added = []

        async def meanwhile() -> None:
            second = await learned(app, alice, "second", summary="Retry network calls again.")
            async with database.read() as later:
                known = await search.alike(later, alice, terms(REQUEST), limit=9)
            assert set(known) == {first.id, second.id}
            added.append(second.id)

        asked = await search.asked(await search.speakers(), REQUEST)
        async with database.read() as connection:
            found = await search.ranked(
                connection,
                alice,
                replace(asked, coming=(meanwhile(),)),
                kind=Kind.PATTERN,
            )
    assert {each.item_id for each in found.ranked} == {first.id, *added}
