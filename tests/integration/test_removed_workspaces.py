"""A workspace that is removed: not while it is needed, with what is trusted for it, for good."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import tmws
from tests.integration.ledger_seen import entries
from tests.integration.pausing import Pausing
from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    silent,
    timed_out,
    verified,
)
from tests.integration.trust_seen import ledger_size, record
from tests.modules import binary
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Level
from tmws.domain.environments import environment
from tmws.domain.errors import Conflict, InvalidInput, NotFound
from tmws.domain.snapshots import Snapshot
from tmws.domain.verifications import LEASE, ClaimState
from tmws.ports import WorkspaceReader

QUESTIONS = b'{"call": "shop:add", "cases": [{"arguments": [1, 2], "returns": 3}]}'
LOCK = "six==1.17.0 --hash=sha256:" + "ab" * 32 + "\n"


class Meanwhile:
    """A reader of workspaces beside which something else happens."""

    def __init__(self, reader: WorkspaceReader, act: Callable[[], Awaitable[object]]) -> None:
        self._reader, self._act = reader, act

    async def capture(self, root: str) -> Snapshot:
        await self._act()
        return await self._reader.capture(root)


async def furnished(app: App, place: Installation) -> None:
    """Register one thing of each kind for workspace `shop`."""
    root = Path(place.workspace())
    (root / "test_shop.py").write_text("def test_well():\n    assert True\n")
    await app.trusted_refs.add_folder("main", "shop", str(root), (), by="test")
    await app.held_checks.add("sums", "shop", QUESTIONS, source="sums.json", by="test")
    await app.checkers.add("ones", "shop", binary(), source="ones.wasm", by="test", progress=silent)
    await app.environments.add(environment("web", LOCK, []), LOCK, by="test")
    await app.workspaces.choose_environment("shop", "web", by="test")


async def test_it_looks_as_if_it_never_was_and_its_folder_need_not_exist(
    app: App, installation: Installation, alice: Agent
) -> None:
    with pytest.raises(NotFound) as never:
        await verified(app, alice, workspace="nope")
    shutil.rmtree(installation.workspace())
    gone = await app.workspaces.remove("shop", reason="sold", by="ann")
    assert (gone.kept, gone.environment, gone.given_up) == ((), None, ())
    assert await app.workspaces.every() == {}
    with pytest.raises(NotFound) as refused:
        await verified(app, alice)
    assert refused.value.message == never.value.message.replace("nope", "shop")
    assert await entries(installation, "workspace_removed") == [
        {"workspace": "shop", "reason": "sold", "given_up": [], "by": "ann"}
    ]
    for unknown in ("shop", "nope"):
        with pytest.raises(NotFound, match=r"is registered\. See: tmws workspaces list"):
            await app.workspaces.remove(unknown, reason="again", by="ann")
    assert await ledger_size(app) == 3


@pytest.mark.parametrize("reason", ["", "x" * 501, "two\nlines"])
async def test_a_removal_needs_a_reason(app: App, alice: Agent, reason: str) -> None:
    with pytest.raises(InvalidInput, match="Reason"):
        await app.workspaces.remove("shop", reason=reason, by="ann")
    assert set(await app.workspaces.every()) == {"shop"}
    assert (await verified(app, alice)).trust is not None


async def test_what_was_decided_in_it_is_read_and_proven_as_before(
    app: App, installation: Installation, alice: Agent
) -> None:
    made = await verified(app, alice)
    before = await app.trust.show(alice)
    await app.workspaces.remove("shop", reason="sold", by="ann")
    assert (await app.verification.get(alice, made.claim.id)).claim == made.claim
    assert await app.trust.show(alice) == before
    await app.workspaces.add("shop", installation.workspace("other"), by="ann")
    assert (await app.verification.get(alice, made.claim.id)).claim == made.claim
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_what_is_trusted_for_it_goes_with_it_and_holds_for_no_later_one(
    app: App, installation: Installation, alice: Agent
) -> None:
    await furnished(app, installation)
    gone = await app.workspaces.remove("shop", reason="sold", by="ann")
    assert {each.name for each in gone.kept} == {"main", "sums", "ones"}
    assert gone.environment is not None
    assert gone.environment.name == "web"
    await app.workspaces.add("shop", installation.workspace(), by="eve")
    listed = (app.trusted_refs.every(), app.held_checks.every(), app.checkers.every())
    assert [await each for each in listed] == [[], [], []]
    assert await app.workspaces.environments() == {}
    decided = await app.verification.verify(alice, claim(level=Level.PINNED), progress=silent)
    assert decided.claim.basis is None
    await app.environments.remove("web", by="ann")  # nothing uses it any more
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_a_verdict_with_other_packages_is_none_for_the_name_added_again(
    app: App, installation: Installation, alice: Agent
) -> None:
    await app.environments.add(environment("web", LOCK, []), LOCK, by="test")
    await app.workspaces.choose_environment("shop", "web", by="test")
    installation.clock.advance(1)
    with_packages = await verified(app, alice)
    installation.clock.advance(1)
    await app.workspaces.remove("shop", reason="sold", by="ann")
    await app.workspaces.add("shop", installation.workspace(), by="ann")
    installation.clock.advance(1)
    without = await verified(app, alice)
    assert not without.repeated
    assert without.claim.id != with_packages.claim.id
    assert [request.environment is None for request in installation.sandbox.requests] == [
        False,
        True,
    ]


async def test_while_a_claim_is_checked_it_is_needed_unless_that_is_given_up(
    app: App, installation: Installation, alice: Agent
) -> None:
    late = Pausing(ended(1))
    installation.sandbox.will(late)
    waiting = asyncio.create_task(verified(app, alice))
    await late.started.wait()
    [mine] = await app.verification.newest(limit=1)
    async with installation.open() as office:
        size = await ledger_size(office)
        with pytest.raises(Conflict, match=f"{mine.id} about it is being checked.*--give-up"):
            await office.workspaces.remove("shop", reason="sold", by="ann")
        assert set(await office.workspaces.every()) == {"shop"}
        assert await ledger_size(office) == size
        gone = await office.workspaces.remove("shop", reason="sold", give_up=True, by="ann")
    assert gone.given_up == (mine.id,)
    late.release.set()
    with pytest.raises(Conflict, match="given up while it ran"):
        await waiting
    left = await app.verification.find(mine.id)
    assert left is not None
    assert (left.state, left.judgement) == (ClaimState.ABANDONED, None)
    assert await record(app, alice) == (0, 0, 0)
    assert await ledger_size(app) == size + 1


async def test_a_claim_of_a_dead_server_holds_nothing_up(installation: Installation) -> None:
    installation.sandbox.will(Pausing(ended(0)))
    async with installation.open() as office:
        async with installation.open() as server:
            await server.workspaces.add("shop", installation.workspace(), by="test")
            alice = await agent(server, "alice")
            handle = await server.verification.verify(
                alice, claim(), progress=silent, wait_seconds=0
            )
        installation.clock.advance(LEASE.total_seconds() + 1)
        gone = await office.workspaces.remove("shop", reason="sold", by="ann")
        assert gone.given_up == (handle.claim.id,)


@pytest.mark.parametrize("again", [False, True], ids=["removed", "and added again"])
async def test_a_claim_that_was_being_prepared_opens_in_no_other_workspace(
    app: App,
    installation: Installation,
    alice: Agent,
    monkeypatch: pytest.MonkeyPatch,
    again: bool,
) -> None:
    async def act() -> None:
        await app.workspaces.remove("shop", reason="sold", by="ann")
        if again:
            await app.workspaces.add("shop", installation.workspace(), by="ann")

    reader = Meanwhile(app.verification._reader, act)
    monkeypatch.setattr(app.verification, "_reader", reader)
    with pytest.raises(NotFound, match="No workspace 'shop' is registered"):
        await verified(app, alice)
    assert await app.verification.newest(limit=1) == []
    assert installation.sandbox.requests == []


@pytest.mark.parametrize("again", [False, True], ids=["removed", "and added again"])
async def test_a_ref_that_was_being_read_is_trusted_for_no_other_workspace(
    app: App,
    installation: Installation,
    alice: Agent,
    monkeypatch: pytest.MonkeyPatch,
    again: bool,
) -> None:
    async def act() -> None:
        await app.workspaces.remove("shop", reason="sold", by="ann")
        if again:
            await app.workspaces.add("shop", installation.workspace(), by="ann")

    root = Path(installation.workspace())
    (root / "test_shop.py").write_text("def test_well():\n    assert True\n")
    monkeypatch.setattr(app.trusted_refs, "_reader", Meanwhile(app.trusted_refs._reader, act))
    with pytest.raises(NotFound, match="No workspace 'shop'"):
        await app.trusted_refs.add_folder("main", "shop", str(root), (), by="ann")
    assert await app.trusted_refs.every() == []
    assert alice.name == "alice"


async def test_nothing_is_kept_for_a_workspace_that_was_removed(
    app: App, installation: Installation, alice: Agent
) -> None:
    await app.workspaces.remove("shop", reason="sold", by="ann")
    size = await ledger_size(app)
    keeps: list[Awaitable[Any]] = [
        app.trusted_refs.add_folder("main", "shop", installation.workspace(), (), by="ann"),
        app.held_checks.add("sums", "shop", QUESTIONS, source="sums.json", by="ann"),
        app.checkers.add("ones", "shop", binary(), source="ones.wasm", by="ann", progress=silent),
        app.workspaces.choose_environment("shop", None, by="ann"),
    ]
    for keep in keeps:
        with pytest.raises(NotFound, match="No workspace 'shop'"):
            await keep
    assert await ledger_size(app) == size
    assert alice.name == "alice"


async def test_what_cannot_be_checked_any_more_is_no_audit(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    installation.sandbox.will(timed_out())
    await verified(app, alice)
    assert len(await app.trust.next_audits(bob, "alice", limit=3)) == 1
    await app.workspaces.remove("shop", reason="sold", by="ann")
    assert await app.trust.next_audits(bob, "alice", limit=3) == []
    assert await app.trust.find_audits("alice", limit=3) == []


async def test_who_removes_and_who_claims_at_once_never_leave_a_claim_behind(
    installation: Installation,
) -> None:
    """Of a removal and claims that come at once, each comes wholly before or after the other."""
    async with installation.open() as server, installation.open() as office:
        alice = await agent(server, "alice")
        for number in range(4):
            await server.workspaces.add("shop", installation.workspace(), by="test")
            ends = await asyncio.gather(
                *(
                    server.verification.verify(
                        alice, claim(exit_code=number * 4 + n), progress=silent
                    )
                    for n in range(4)
                ),
                office.workspaces.remove("shop", reason="sold", give_up=True, by="ann"),
                return_exceptions=True,
            )
            assert not isinstance(ends[-1], BaseException), ends[-1]
            for end in ends[:-1]:
                refused = isinstance(end, NotFound | Conflict)
                assert refused or not isinstance(end, BaseException), end
            known = await server.verification.newest(limit=100)
            assert all(each.state is not ClaimState.OPEN for each in known)
        report = await office.audit.verify()
        assert report.holds, report.problems


def test_the_command_says_what_went_and_what_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "test_a.py").write_text("def test_a():\n    pass\n")
    (tmp_path / "sums.json").write_bytes(QUESTIONS)
    data, shop = tmp_path / "data", str(tmp_path / "shop")
    tmws("workspaces", "add", "shop", shop, data=data)
    tmws(
        "held",
        "add",
        "sums",
        "--file",
        str(tmp_path / "sums.json"),
        "--workspace",
        "shop",
        data=data,
    )
    without = tmws("workspaces", "remove", "shop", data=data)
    gone = tmws("workspaces", "remove", "shop", "--reason", "sold", "--json", data=data)
    again = tmws("workspaces", "remove", "shop", "--reason", "sold", data=data)
    assert without.status == 2
    assert json.loads(gone.output) == {
        "name": "shop",
        "removed": True,
        "root": shop,
        "environment": None,
        "trusted_refs": [],
        "held_checks": ["sums"],
        "checkers": [],
        "claims_given_up": [],
    }
    assert again.status == 3
    assert again.errors.startswith("NOT_FOUND: No workspace 'shop' is registered.")
    assert tmws("workspaces", "list", "--json", data=data).document() == []
