"""The life of a pattern: revised, shared, removed, restored, forgotten, in every process."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from mcp import Client

from tests.answers import text_of
from tests.callers import always
from tests.integration.services import Installation, agent, ended, learned, verified
from tmws.app import App
from tmws.domain.agents import AccessLevel, Administrator, Agent, Role
from tmws.domain.errors import Conflict, InvalidInput, NotFound, PermissionDenied
from tmws.domain.patterns import Origin
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.faces.mcp.server import McpServer
from tmws.faces.mcp.tools import REGISTRY
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport
from tmws.storage import tables

ANN = Administrator("ann")


@pytest.fixture
async def alice(app: App) -> Agent:
    return await agent(app, "alice", "home", "work")


@pytest.fixture
async def bob(app: App) -> Agent:
    return await agent(app, "bob", "home")


async def found(app: App, who: Agent, text: str | None = None) -> list[str]:
    return [item.pattern.name for item in (await app.learning.find(who, PatternQuery(text))).items]


async def events(place: Installation) -> list[tuple[str, dict[str, Any]]]:
    """Return type and payload of every ledger entry about patterns."""
    query = (
        sa.select(tables.ledger_entries.c.leaf, tables.ledger_payloads.c.payload)
        .join_from(tables.ledger_entries, tables.ledger_payloads)
        .order_by(tables.ledger_entries.c.index)
    )
    async with place.database() as database, database.read() as connection:
        rows = (await connection.execute(query)).all()
    told = [(json.loads(leaf)["type"], json.loads(payload)) for leaf, payload in rows]
    return [(kind, payload) for kind, payload in told if kind.startswith("pattern")]


class TestARevision:
    async def test_is_the_newest_version_and_the_one_before_stays(
        self, app: App, installation: Installation, alice: Agent
    ) -> None:
        kept = await learned(app, alice, summary="old words", data={"a": 1}, tags=("x",))
        later = installation.clock.advance(60)
        change = Revision("retry better", summary="newer", data={"a": 2}, tags=("y",))
        await app.revisions.revise(alice, kept.id, change, version=1)

        read = await app.learning.get(alice, kept.id)
        assert (read.version, read.name, read.data, read.tags) == (
            2,
            "retry better",
            {"a": 2},
            ("y",),
        )
        assert (read.created_at, read.written_at) == (kept.created_at, later)
        _, first = await app.revisions.read(alice, kept.id, version=1)
        assert (first.content.name, first.content.data, first.content.tags) == (
            "retry", {"a": 1}, ("x",),
        )  # fmt: skip
        _, then = await app.revisions.read(alice, kept.id, at=kept.created_at)
        _, now = await app.revisions.read(alice, kept.id, at=later)
        assert (then.number, now.number) == (1, 2)
        assert [each.parent for each in await app.revisions.history(alice, kept.id)] == [1, None]
        with pytest.raises(NotFound, match=r"no version 3\. The newest is 2"):
            await app.revisions.read(alice, kept.id, version=3)
        with pytest.raises(NotFound, match="At that time there was no version"):
            await app.revisions.read(alice, kept.id, at=alice.created_at.replace(year=1999))

    async def test_tells_what_changed(self, app: App, alice: Agent) -> None:
        kept = await learned(app, alice, data={"steps": ["one", "two"]})
        for number, steps in enumerate((["one", "2"], ["one", "2", "three"]), start=1):
            await app.revisions.revise(
                alice, kept.id, Revision(data={"steps": steps}), version=number
            )
        last = await app.revisions.compare(alice, kept.id)
        assert [change.as_json() for change in last.changes] == [
            {"op": "add", "path": "/data/steps/2", "value": "three"}
        ]
        whole = await app.revisions.compare(alice, kept.id, old=1)
        assert [change.path for change in whole.changes] == ["/data/steps/1", "/data/steps/2"]
        back = await app.revisions.compare(alice, kept.id, old=2, new=1)
        assert back.changes[0].value == "two"

    async def test_of_an_older_version_is_refused_with_the_newest(
        self, app: App, alice: Agent
    ) -> None:
        kept = await learned(app, alice)
        await app.revisions.revise(alice, kept.id, Revision(summary="a"), version=1)
        with pytest.raises(Conflict, match=r"newest version of .* is 2, not 1"):
            await app.revisions.revise(alice, kept.id, Revision(summary="b"), version=1)

    async def test_made_by_several_at_once_is_kept_once(self, installation: Installation) -> None:
        async with installation.open() as one, installation.open() as two:
            alice = await agent(one, "alice")
            kept = await learned(one, alice)
            ends = await asyncio.gather(
                *(
                    app.revisions.revise(alice, kept.id, Revision(summary=f"s{n}"), version=1)
                    for n, app in enumerate((one, two, one, two))
                ),
                return_exceptions=True,
            )
            assert sum(isinstance(end, Conflict) for end in ends) == 3
            assert len(await one.revisions.history(alice, kept.id)) == 2
            assert (await one.audit.verify()).holds

    async def test_is_found_by_its_new_words_only_in_every_process(
        self, installation: Installation
    ) -> None:
        async with installation.open() as writer, installation.open() as reader:
            alice = await agent(writer, "alice")
            kept = await learned(writer, alice, "parser", summary="zebra xylophone")
            assert await found(reader, alice, "zebra xylophone")
            await writer.revisions.revise(
                alice, kept.id, Revision(summary="marimba quokka"), version=1
            )
            assert await found(reader, alice, "zebra xylophone") == []
            assert await found(reader, alice, "marimba quokka") == ["parser"]
            assert await found(reader, alice, "marimbas quokkas") == ["parser"]

    async def test_keeps_the_uses_and_says_which_version_had_them(
        self, app: App, alice: Agent
    ) -> None:
        kept = await learned(app, alice)
        await app.outcomes.report(alice, OutcomeReport(kept.id, UseOutcome.SUCCESS))
        await app.revisions.revise(alice, kept.id, Revision(summary="a"), version=1)
        for outcome in (UseOutcome.FAILURE, UseOutcome.PARTIAL):
            await app.outcomes.report(alice, OutcomeReport(kept.id, outcome))
        assert (await app.learning.get(alice, kept.id)).usage.count == 3
        second, first = await app.revisions.history(alice, kept.id)
        assert (first.successes, first.partials, first.failures) == (1, 0, 0)
        assert (second.successes, second.partials, second.failures) == (0, 1, 1)

    async def test_cannot_take_a_name_that_is_taken(self, app: App, alice: Agent) -> None:
        await learned(app, alice, "a")
        kept = await learned(app, alice, "b")
        with pytest.raises(Conflict, match="already has a pattern of this name"):
            await app.revisions.revise(alice, kept.id, Revision(name="a"), version=1)
        assert (await app.learning.get(alice, kept.id)).version == 1

    async def test_of_what_is_systems_is_any_admins_and_names_its_author(self, app: App) -> None:
        root, chief = [await agent(app, name, role=Role.ADMIN) for name in ("root-1", "chief")]
        kept = await learned(app, root, level="system")
        await app.revisions.revise(chief, kept.id, Revision(summary="a"), version=1)
        read = await app.learning.get(root, kept.id)
        assert (read.owner, read.author) == ("root-1", "chief")
        with pytest.raises(PermissionDenied, match="root-1's, who alone decides"):
            await app.sharing.relevel(chief, kept.id, AccessLevel.PRIVATE)


async def test_a_pattern_remembers_how_far_its_author_could_be_relied_on(
    app: App, installation: Installation, alice: Agent
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    before = await learned(app, alice, "before")
    await verified(app, alice)
    after = await learned(app, alice, "after")
    assert before.author_trust is None
    assert after.author_trust == (await app.trust.show(alice)).standing.bound
    await app.revisions.revise(alice, before.id, Revision(summary="a"), version=1)
    second, first = await app.revisions.history(alice, before.id)
    assert (first.author_trust, second.author_trust) == (None, after.author_trust)


async def test_a_derived_pattern_names_the_version_it_was_made_from(
    app: App, alice: Agent, bob: Agent
) -> None:
    source = await learned(app, alice, level="public")
    await app.revisions.revise(alice, source.id, Revision(summary="a"), version=1)
    made = await learned(app, bob, "mine", derived_from=source.id)
    kept = (await app.learning.get(bob, made.id)).provenance
    assert (kept.origin, kept.source) == (Origin.DERIVED, f"{source.id} version 2")
    hidden = await learned(app, alice, "hidden")
    with pytest.raises(NotFound, match="No pattern"):
        await learned(app, bob, "other", derived_from=hidden.id)


class TestSharing:
    async def test_opens_and_closes_and_each_act_is_in_the_ledger(
        self, app: App, installation: Installation, alice: Agent, bob: Agent
    ) -> None:
        kept = await learned(app, alice, summary="zebra")
        carol = await agent(app, "carol", "elsewhere")
        assert await found(app, bob, "zebra") == []
        assert await app.sharing.relevel(alice, kept.id, AccessLevel.SHARED, ["bob"]) == ("bob",)
        assert await app.sharing.change(alice, kept.id, grant=["carol"]) == ("bob", "carol")
        assert await found(app, bob, "zebra") == await found(app, carol, "zebra") == ["retry"]
        assert await app.sharing.change(alice, kept.id, revoke=["bob"]) == ("carol",)
        assert await found(app, bob, "zebra") == await found(app, bob) == []
        await app.sharing.relevel(alice, kept.id, AccessLevel.PUBLIC)
        assert await found(app, bob, "zebra") == ["retry"]
        assert await found(app, carol, "zebra") == []
        recorded = await events(installation)
        assert [(kind, told.get("agents"), told.get("now")) for kind, told in recorded] == [
            ("pattern_level", None, "shared"),
            ("pattern_granted", [bob.id], None),
            ("pattern_granted", [carol.id], None),
            ("pattern_revoked", [bob.id], None),
            ("pattern_revoked", [carol.id], None),
            ("pattern_level", None, "public"),
        ]  # fmt: skip
        assert (await app.audit.verify()).holds

    async def test_shows_its_list_to_the_owner_only(
        self, app: App, alice: Agent, bob: Agent
    ) -> None:
        kept = await learned(app, alice, level="shared", shared_with=("bob",))
        assert await app.sharing.shared_with(alice, kept.id) == ("bob",)
        assert await app.sharing.shared_with(bob, kept.id) == ()

    async def test_that_changes_nothing_is_not_recorded(
        self, app: App, installation: Installation, alice: Agent, bob: Agent
    ) -> None:
        kept = await learned(app, alice, level="shared", shared_with=("bob",))
        assert await app.sharing.change(alice, kept.id, grant=["bob", "alice"]) == (bob.name,)
        assert await events(installation) == []

    async def test_of_a_level_without_names_takes_none(
        self, app: App, alice: Agent, bob: Agent
    ) -> None:
        kept = await learned(app, alice)
        with pytest.raises(InvalidInput, match="private: nobody is named there"):
            await app.sharing.change(alice, kept.id, grant=[bob.name])
        with pytest.raises(InvalidInput, match="goes together with those it is shared with"):
            await app.sharing.relevel(alice, kept.id, AccessLevel.SHARED)
        with pytest.raises(NotFound, match="No agent 'nobody'"):
            await app.sharing.relevel(alice, kept.id, AccessLevel.SHARED, ["nobody"])
        with pytest.raises(PermissionDenied, match="Only an admin"):
            await app.sharing.relevel(alice, kept.id, AccessLevel.SYSTEM)

    async def test_with_more_than_fifty_is_refused(self, app: App, alice: Agent) -> None:
        names = [(await agent(app, f"friend-{number}")).name for number in range(51)]
        kept = await learned(app, alice, level="shared", shared_with=tuple(names[:50]))
        with pytest.raises(InvalidInput, match="51 agents would read it; the limit is 50"):
            await app.sharing.change(alice, kept.id, grant=names[50:])

    async def test_reaches_the_vectors_of_other_processes(self, installation: Installation) -> None:
        async with installation.open() as writer, installation.open() as reader:
            alice, bob = [await agent(writer, name) for name in ("alice", "bob")]
            kept = await learned(writer, alice, "xylophones", level="public")
            assert await found(reader, bob, "xylophone!") == ["xylophones"]
            await writer.sharing.relevel(alice, kept.id, AccessLevel.PRIVATE)
            assert await found(reader, bob, "xylophone!") == []
            await writer.sharing.relevel(alice, kept.id, AccessLevel.PUBLIC)
            assert await found(reader, bob, "xylophone!") == ["xylophones"]


class TestRemoval:
    async def test_hides_gives_the_name_back_and_can_be_undone(
        self, installation: Installation
    ) -> None:
        async with installation.open() as writer, installation.open() as reader:
            alice = await agent(writer, "alice")
            kept = await learned(writer, alice, "zebra", tags=("x",))
            assert await found(reader, alice, "zebras") == ["zebra"]
            await writer.removal.remove(alice, kept.id)
            assert await found(reader, alice, "zebras") == await found(reader, alice) == []
            with pytest.raises(NotFound):
                await reader.learning.get(alice, kept.id)
            assert [each.id for each in await reader.removal.removed(alice)] == [kept.id]
            await writer.removal.restore(alice, kept.id)
            assert await found(reader, alice, "zebras") == await found(reader, alice) == ["zebra"]
            assert await writer.learning.get(alice, kept.id) == kept
            kinds = [kind for kind, _ in await events(installation)]
            assert kinds == ["pattern_removed", "pattern_restored"]

    async def test_cannot_be_undone_while_another_has_the_name(
        self, app: App, alice: Agent
    ) -> None:
        kept = await learned(app, alice)
        await app.removal.remove(alice, kept.id)
        other = await learned(app, alice)
        with pytest.raises(Conflict, match=other.id):
            await app.removal.restore(alice, kept.id)
        assert [each.id for each in await app.removal.removed(alice)] == [kept.id]

    async def test_by_the_administrator_is_undone_by_the_administrator(
        self, app: App, installation: Installation, alice: Agent
    ) -> None:
        kept = await learned(app, alice)
        await app.removal.remove(ANN, kept.id)
        with pytest.raises(PermissionDenied, match="An administrator removed"):
            await app.removal.restore(alice, kept.id)
        await app.removal.restore(ANN, kept.id)
        assert await found(app, alice) == ["retry"]
        installation.clock.advance(1)
        await app.removal.remove(alice, kept.id)
        await app.removal.restore(alice, kept.id)

    async def test_of_what_is_gone_finds_nothing(self, app: App, alice: Agent) -> None:
        kept = await learned(app, alice)
        await app.removal.remove(alice, kept.id)
        with pytest.raises(NotFound, match="visible to you"):
            await app.removal.remove(alice, kept.id)
        with pytest.raises(NotFound, match="No removed pattern"):
            await app.removal.restore(alice, "pattern_0")


class TestForgetting:
    async def test_leaves_no_word_in_any_table_or_file(
        self, app: App, installation: Installation, alice: Agent, bob: Agent
    ) -> None:
        secret = "quetzalcoatlus"
        kept = await learned(
            app, alice, f"on {secret}", category=secret, subcategory=secret, summary=secret,
            data={secret: secret}, tags=(secret,), level="shared", shared_with=("bob",),
        )  # fmt: skip
        await app.revisions.revise(alice, kept.id, Revision(summary=f"a {secret}"), version=1)
        await app.outcomes.report(bob, OutcomeReport(kept.id, UseOutcome.SUCCESS, context=secret))
        await learned(app, alice, "another", summary="stays")
        await app.removal.forget(alice, kept.id)

        async with installation.database() as database, database.read() as connection:
            for table in tables.metadata.tables.values():
                for row in await connection.execute(sa.select(table)):
                    assert secret not in repr(row), table.name
        if database.dialect == "sqlite":
            for path in Path(installation.url.removeprefix("sqlite:///")).parent.rglob("*"):
                assert not path.is_file() or secret.encode() not in path.read_bytes(), path
        assert await found(app, alice) == ["another"]
        assert [kind for kind, _ in await events(installation)][-1] == "pattern_forgotten"
        report = await app.audit.verify()
        assert report.holds, report.problems

    async def test_is_for_good(self, app: App, alice: Agent) -> None:
        kept = await learned(app, alice)
        await app.removal.remove(alice, kept.id)
        await app.removal.forget(alice, kept.id)
        assert await app.removal.removed(ANN) == []
        for by in (alice, ANN):
            with pytest.raises(NotFound):
                await app.removal.restore(by, kept.id)
            with pytest.raises(NotFound):
                await app.removal.forget(by, kept.id)
        await learned(app, alice)

    async def test_meanwhile_costs_no_verdict(
        self, app: App, installation: Installation, alice: Agent
    ) -> None:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        kept = await learned(app, alice)
        installation.sandbox.will(lambda: forgetting(app, kept.id))
        report = await verified(app, alice, applied=(kept.id,))
        assert report.claim.judgement is not None


async def forgetting(app: App, key: str) -> Any:
    await app.removal.forget(ANN, key)
    return ended(0)


async def test_who_is_let_in_and_out_at_once_is_not_guessed(
    app: App, alice: Agent, bob: Agent
) -> None:
    """A revocation that is passed over in silence would leave a reader where none should be."""
    kept = await learned(app, alice, "kept")
    async with Client(McpServer(app, always(alice), REGISTRY)) as client:
        asked = {"pattern_id": kept.id, "level": "shared", "grant": ["bob"]}
        refused = await client.call_tool("share_pattern", {**asked, "revoke": ["bob"]})
        assert refused.is_error
        assert "Leave `revoke` out" in text_of(refused)
        assert await found(app, bob) == []
        assert not (await client.call_tool("share_pattern", asked)).is_error
    assert await found(app, bob) == ["kept"]
