"""Who is who: secrets shown once, recognised afterwards, and gone when they are changed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
import sqlalchemy as sa

from tests.integration.ledger_seen import entries
from tests.integration.services import Installation, agent
from tmws.app import App
from tmws.domain.agents import Role
from tmws.domain.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from tmws.storage.tables import credentials, metadata


async def test_a_new_agent_is_known_by_its_secret(app: App) -> None:
    made = await app.agents.create("alice", namespaces=("home", "work", "home"), by="test")
    assert made.agent.namespaces == ("home", "work")
    assert made.agent.role is Role.AGENT
    assert made.agent.id.startswith("agent_")
    assert await app.agents.authenticate("alice", made.secret) == made.agent
    assert await app.agents.authenticate(made.agent.id, made.secret) == made.agent
    assert await app.agents.bearer(made.secret) == made.agent


async def test_an_agent_without_a_namespace_is_in_the_default_one(app: App) -> None:
    assert (await agent(app, "alice")).namespaces == ("default",)


async def test_a_wrong_secret_and_an_unknown_name_look_the_same(app: App) -> None:
    alice = await app.agents.create("alice", by="test")
    bob = await app.agents.create("bob", by="test")
    texts = set()
    for name, secret in (
        ("alice", bob.secret),
        ("alice", "tmws_guess"),
        ("nobody", alice.secret),
        ("nobody", "tmws_guess"),
        (alice.agent.id, bob.secret),
        ("alice", ""),
        ("élise", alice.secret),
    ):
        with pytest.raises(PermissionDenied) as refused:
            await app.agents.authenticate(name, secret)
        texts.add(refused.value.message)
    assert len(texts) == 1
    assert await app.agents.bearer("tmws_guess") is None


async def test_no_secret_is_stored_anywhere(app: App, installation: Installation) -> None:
    made = await app.agents.create("alice", by="test")
    rotated = await app.agents.rotate("alice", by="test")
    async with installation.database() as database, database.read() as connection:
        for table in metadata.sorted_tables:
            for row in await connection.execute(sa.select(table)):
                assert made.secret not in repr(row)
                assert rotated.secret not in repr(row)


async def test_a_new_secret_ends_every_older_one(app: App) -> None:
    first = await app.agents.create("alice", by="test")
    second = await app.agents.rotate("alice", by="test")
    third = await app.agents.rotate("alice", by="test")
    assert await app.agents.bearer(first.secret) is None
    assert await app.agents.bearer(second.secret) is None
    assert await app.agents.bearer(third.secret) == first.agent
    with pytest.raises(NotFound, match="No agent is named 'nobody'"):
        await app.agents.rotate("nobody", by="test")


async def test_a_new_secret_leaves_those_of_others_alone(app: App) -> None:
    await app.agents.create("alice", by="test")
    bob = await app.agents.create("bob", by="test")
    await app.agents.rotate("alice", by="test")
    assert await app.agents.bearer(bob.secret) == bob.agent


async def test_since_when_a_secret_opens_nothing_is_kept(
    app: App, installation: Installation
) -> None:
    """For whoever looks into what was done with one that leaked."""
    start = installation.clock.now()
    await app.agents.create("alice", by="test")
    for _ in range(2):
        installation.clock.advance(60)
        await app.agents.rotate("alice", by="test")
    async with installation.database() as database, database.read() as connection:
        ends = await connection.scalars(
            sa.select(credentials.c.revoked_at).order_by(credentials.c.created_at)
        )
        assert list(ends) == [start + timedelta(minutes=1), start + timedelta(minutes=2), None]


async def test_a_name_is_taken_once(app: App) -> None:
    await agent(app, "alice")
    with pytest.raises(Conflict, match="tmws agents rotate alice"):
        await agent(app, "alice")
    ends = await asyncio.gather(*(agent(app, "bob") for _ in range(5)), return_exceptions=True)
    assert sum(isinstance(end, Conflict) for end in ends) == 4
    assert [each.name for each in await app.agents.every()] == ["alice", "bob"]


@pytest.mark.parametrize(
    ("name", "namespaces", "what"),
    [
        ("System", (), "Agent name 'System'"),
        ("admin", (), "Agent name 'admin'"),
        ("alice", ("No Name",), "Namespace 'No Name'"),
        ("", (), "Agent name ''"),
    ],
)
async def test_a_malformed_name_makes_nobody(
    app: App, name: str, namespaces: tuple[str, ...], what: str
) -> None:
    with pytest.raises(InvalidInput, match=f"^{what} is "):
        await agent(app, name, *namespaces)
    assert await app.agents.every() == []


async def test_the_local_user_is_made_once_and_has_no_secret(installation: Installation) -> None:
    async with installation.open() as one, installation.open() as other:
        found = await asyncio.gather(*(each.agents.local() for each in (one, other) * 4))
        assert {each.id for each in found} == {found[0].id}
        assert found[0].name == "local"
        assert (await other.agents.local()).id == found[0].id
        report = await one.audit.verify()
        assert (report.holds, report.size) == (True, 1)
    [made] = await entries(installation, "agent_created")
    assert (made["name"], made["secret_sha256"], made["by"]) == ("local", None, "first start")


async def test_every_act_is_on_the_record(app: App) -> None:
    await agent(app, "alice")
    await app.agents.rotate("alice", by="test")
    report = await app.audit.verify()
    assert (report.holds, report.size) == (True, 2)


class TestWorkspaces:
    async def test_are_found_by_their_names(self, app: App, installation: Installation) -> None:
        root = installation.workspace()
        snapshot = await app.workspaces.add("shop", root, by="test")
        assert [file.path for file in snapshot.files] == ["check.py"]
        assert await app.workspaces.every() == {"shop": root}

    async def test_keep_their_folder_unless_told_otherwise(
        self, app: App, installation: Installation
    ) -> None:
        root, other = installation.workspace(), installation.workspace("other")
        seen = await app.workspaces.add("shop", root, by="test")
        size = (await app.audit.verify()).size
        assert await app.workspaces.add("shop", root, by="test") == seen
        assert (await app.audit.verify()).size == size
        with pytest.raises(Conflict, match="--replace"):
            await app.workspaces.add("shop", other, by="test")
        await app.workspaces.add("shop", other, replace=True, by="test")
        assert await app.workspaces.every() == {"shop": other}
        assert (await app.audit.verify()).size == size + 1

    async def test_stand_for_what_they_did_whatever_becomes_of_others(
        self, app: App, installation: Installation
    ) -> None:
        roots = {name: installation.workspace(name) for name in ("one", "two", "three", "four")}
        for name, root in roots.items():
            await app.workspaces.add(name, root, by="test")
        await app.workspaces.add("two", roots["one"], replace=True, by="test")
        roots["two"] = roots["one"]
        assert await app.workspaces.every() == roots
        for name in ("three", "four"):
            await app.workspaces.remove(name, reason="sold", by="test")
        again, new = roots.pop("three"), installation.workspace("five")
        del roots["four"]
        assert await app.workspaces.every() == roots
        await app.workspaces.add("three", again, by="test")
        await app.workspaces.add("five", new, by="test")
        assert await app.workspaces.every() == {**roots, "three": again, "five": new}

    async def test_that_are_no_folders_or_have_no_name_are_refused(
        self, app: App, installation: Installation
    ) -> None:
        with pytest.raises(InvalidInput):
            await app.workspaces.add("shop", str(installation.folder / "absent"), by="test")
        with pytest.raises(InvalidInput, match="Workspace name 'No Name'"):
            await app.workspaces.add("No Name", installation.workspace(), by="test")
        assert await app.workspaces.every() == {}
