"""Packages of an administrator: they reach the run and the evidence, and only where chosen."""

from __future__ import annotations

import io

import pytest

from tests.integration.services import Installation, agent, ended, verified
from tmws.app import App
from tmws.domain.environments import environment
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.evidence import opened
from tmws.sandbox.engine import Engine
from tmws.sandbox.image import INPUTS_LABEL, default_name
from tmws.sandbox.shelf import look, prune
from tmws.sandbox.tarballs import Entry, packed
from tmws.storage import artifacts

LOCK = "six==1.17.0 --hash=sha256:" + "ab" * 32 + "\n"
SIX = environment("six", LOCK, ["pytest_six"])


async def test_checks_of_a_workspace_run_with_its_environment(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="ann")
    await app.environments.add(SIX, LOCK, by="ann")
    alice = await agent(app, "alice")
    await verified(app, alice)
    assert await app.workspaces.choose_environment("shop", "six", by="ann") == SIX
    installation.clock.advance(seconds=1)

    report = await verified(app, alice)

    assert not report.repeated
    assert [request.environment for request in installation.sandbox.requests] == [None, SIX]
    async with installation.database() as database, database.read() as connection:
        assert report.claim.evidence_digest is not None
        envelope = await artifacts.get(connection, report.claim.evidence_digest)
    assert envelope is not None
    assert SIX.digest.encode() in opened(envelope).payload
    assert (await verified(app, alice)).repeated
    assert (await app.audit.verify()).holds


async def test_an_environment_in_use_is_not_removed(app: App, installation: Installation) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="ann")
    await app.environments.add(SIX, LOCK, by="ann")
    await app.workspaces.choose_environment("shop", "six", by="ann")

    with pytest.raises(Conflict, match="shop"):
        await app.environments.remove("six", by="ann")
    await app.workspaces.choose_environment("shop", None, by="ann")
    await app.environments.remove("six", by="ann")

    assert await app.environments.every() == []
    with pytest.raises(NotFound):
        await app.environments.remove("six", by="ann")
    with pytest.raises(NotFound, match="env add"):
        await app.workspaces.choose_environment("shop", "six", by="ann")


async def test_a_claim_in_a_changed_environment_is_checked_again(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="ann")
    await app.environments.add(SIX, LOCK, by="ann")
    await app.workspaces.choose_environment("shop", "six", by="ann")
    alice = await agent(app, "alice")
    installation.sandbox.will(ended(0))
    await verified(app, alice)
    installation.clock.advance(seconds=1)
    await app.environments.add(environment("six", LOCK), LOCK, by="ann")
    installation.clock.advance(seconds=1)

    assert not (await verified(app, alice)).repeated


async def test_equal_files_with_other_packages_are_another_check(
    app: App, installation: Installation
) -> None:
    for name in ("shop", "copy", "bare"):
        await app.workspaces.add(name, installation.workspace(name), by="ann")
    await app.environments.add(SIX, LOCK, by="ann")
    for name in ("shop", "copy"):
        await app.workspaces.choose_environment(name, "six", by="ann")
    alice = await agent(app, "alice")
    installation.clock.advance(seconds=1)

    first, copy, bare = [
        await verified(app, alice, workspace=name) for name in ("shop", "copy", "bare")
    ]

    assert (first.repeated, copy.repeated, bare.repeated) == (False, True, False)
    assert [request.environment for request in installation.sandbox.requests] == [SIX, None]
    assert (await verified(app, alice, workspace="bare")).repeated


def test_images_of_other_recipes_are_left_over_until_they_are_pruned() -> None:
    engine = Engine()
    name = "tmws-left-over-test:old"
    dockerfile = f"FROM {default_name()}\nLABEL test=left-over\n".encode()
    context = packed({"Dockerfile": Entry(dockerfile)})
    try:
        engine.build(io.BytesIO(context), name=name, arguments={}, labels={INPUTS_LABEL: "x"})
        seen = look(repositories=["tmws-left-over-test"])
        assert [(image.name, image.current) for image in seen.images] == [(name, False)]

        removed = prune([], repositories=["tmws-left-over-test"])

        assert [image.name for image in removed] == [name]
        assert engine.image(name) is None
        assert engine.image(default_name()) is not None
    finally:
        engine.forget_image(name)
        engine.close()
