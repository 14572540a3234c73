"""A store goes on under the key that signed it, and under no other."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from tests.integration.services import Installation, agent, learned, verified
from tmws.domain.errors import BackendUnavailable
from tmws.services.learning import PatternQuery


def put(key: Path, content: bytes) -> None:
    """Write a key file."""
    key.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key.write_bytes(content)


async def test_a_second_data_folder_makes_no_key_of_its_own(
    installation: Installation, tmp_path: Path
) -> None:
    async with installation.open() as app:
        await agent(app, "alice")
    second = Installation(installation.url, tmp_path / "second")
    key = second.folder / "keys" / "ed25519"
    with pytest.raises(BackendUnavailable, match="copy it from another server of this store"):
        async with second.open():
            pass
    assert not key.parent.exists()
    put(key, (installation.folder / "keys" / "ed25519").read_bytes())
    async with second.open() as app:
        await agent(app, "bob")
        assert (await app.audit.verify()).holds


async def test_under_another_key_all_is_read_and_nothing_recorded(
    installation: Installation,
) -> None:
    key = installation.folder / "keys" / "ed25519"
    checkpoint = installation.folder / "ledger" / "checkpoint"
    async with installation.open() as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        await learned(app, alice, "retry")
        await verified(app, alice)
    kept, promised = key.read_bytes(), checkpoint.read_bytes()
    put(key, secrets.token_bytes(32))
    async with installation.open() as app:
        found = await app.learning.find(alice, PatternQuery("retry"))
        assert [each.pattern.name for each in found.items] == ["retry"]
        for act in (agent(app, "bob"), verified(app, alice, exit_code=1)):
            with pytest.raises(BackendUnavailable, match="did not sign the newest verdict"):
                await act
        assert not (await app.audit.verify()).holds
    assert checkpoint.read_bytes() == promised
    put(key, kept)
    async with installation.open() as app:
        await verified(app, alice, exit_code=1)
        assert (await app.audit.verify()).holds
