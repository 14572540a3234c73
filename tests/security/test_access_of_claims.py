"""Who hears of a claim: its author, and whoever works in its namespace, by every way to ask."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.integration.services import Installation, agent, claim, silent, timed_out
from tests.security.relations import CANARY, READABLE, RELATIONS, World, world
from tmws.app import App
from tmws.domain.batches import Incoming
from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.patterns import PatternDraft
from tmws.faces.cli.main import tmws

__all__ = ["world"]

HEARS = {"owner", "grantee", "member", "admin"}
"""Those of namespace `team`; a friend elsewhere was granted a pattern, and no claim."""


async def hears(ask: Awaitable[object], claim_id: str) -> bool:
    try:
        return claim_id in repr(await ask)
    except NotFound:
        return False


async def test_every_way_to_hear_of_a_claim_agrees_with_the_table(
    world: World, installation: Installation
) -> None:
    app = world.app
    installation.sandbox.will(timed_out())
    key = (await app.verification.verify(world.agents["owner"], claim(), progress=silent)).claim.id
    for relation, who in world.agents.items():
        assert await hears(app.verification.get(who, key), key) is (relation in HEARS), relation
        if relation != "owner":  # nobody chooses its own audits
            audits = app.trust.next_audits(who, "owner", limit=5)
            assert await hears(audits, key) is (relation in HEARS), relation


async def test_only_those_who_read_a_claim_ask_to_rely_on_it(
    world: World, installation: Installation
) -> None:
    installation.sandbox.will(timed_out())
    made = await world.app.verification.verify(world.agents["owner"], claim(), progress=silent)
    for relation in sorted(set(RELATIONS) - {"owner"}):
        ask = world.app.reliance.ask(world.agents[relation], made.claim.id, stake=0.1, least=0.1)
        if relation in HEARS:
            assert not (await ask).granted
            with pytest.raises(InvalidInput, match="Nothing that could end"):
                await world.app.reliance.release(world.agents[relation], made.claim.id)
        else:
            for refused in (ask, world.app.reliance.release(world.agents[relation], made.claim.id)):
                with pytest.raises(NotFound):
                    await refused


async def test_an_author_reads_its_claim_where_it_is_no_member_any_more(world: World) -> None:
    owner = world.agents["owner"]
    made = await world.app.verification.verify(owner, claim(), progress=silent)
    left = replace(owner, namespaces=("elsewhere",))
    assert (await world.app.verification.get(left, made.claim.id)).claim == made.claim


async def test_of_anothers_history_only_claims_of_shared_namespaces_are_named(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    author, peer = await agent(app, "author", "team", "vault"), await agent(app, "peer", "team")
    made = {}
    for space in ("team", "vault"):
        installation.clock.advance(1)
        installation.workspace(content=f"print('{space}')\n")
        made[space] = await app.verification.verify(author, claim(namespace=space), progress=silent)
    told, kept = made["team"].claim.id, made["vault"].claim.id
    for who, hears_all in ((author, True), (peer, False)):
        points, readable = await app.trust.newest(who, "author", limit=9)
        assert (await app.trust.newest(who, "author", limit=1))[1] == ({kept} & readable)
        explained = await app.trust.explain(who, "author")
        assert {point.claim_id for point in points} == {told, kept}
        assert readable == ({told, kept} if hears_all else {told})
        assert explained.named(told) == told
        assert explained.named(kept) == (kept if hears_all else None)


async def test_what_comes_in_is_likened_to_what_its_owner_reads_and_to_nothing_else(
    world: World,
) -> None:
    """An import that named hidden duplicates would tell of their names and words."""
    for relation, who in world.agents.items():
        for level, what in world.patterns.items():
            twin = PatternDraft(what.name, what.category, summary=what.summary)
            arrival = await world.app.transfer.examine(who, [Incoming(twin)])
            named = {each.like for each in arrival.duplicates}
            readable = {
                pattern.id for each, pattern in world.patterns.items() if relation in READABLE[each]
            }
            assert named <= readable, (relation, level)


async def test_a_command_shows_an_agent_what_the_agent_reads(
    world: World, installation: Installation, tmp_path: Path
) -> None:
    env = {"TMWS_DATA_DIR": str(installation.folder), "TMWS_DATABASE_URL": installation.url}

    async def shown(*words: str) -> str:
        done = await asyncio.to_thread(CliRunner().invoke, tmws, list(words), env=env)
        assert done.exit_code == 0, done.output
        return str(done.output)

    for relation in ("grantee", "member", "outsider"):
        who = world.agents[relation].name
        readable = {level for level, readers in READABLE.items() if relation in readers}
        file = tmp_path / f"{relation}.jsonl"
        found = await shown("patterns", "find", CANARY, "--agent", who, "--json")
        await shown("patterns", "export", str(file), "--agent", who)
        for told in (found, file.read_text("utf-8")):
            seen = {level for level, what in world.patterns.items() if what.name in told}
            assert seen == readable, (relation, told)
