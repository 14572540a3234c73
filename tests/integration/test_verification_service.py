"""From a claim to a recorded verdict: what moves, what does not."""

from __future__ import annotations

import json

import pytest

from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    learned,
    silent,
    verified,
)
from tests.integration.trust_seen import NO_RECORD, ledger_size, record
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.canonical import sha256_hex
from tmws.domain.claims import Level
from tmws.domain.errors import (
    BackendUnavailable,
    InvalidInput,
    NotFound,
)
from tmws.domain.memories import MemoryKind
from tmws.services.memory import MemoryQuery
from tmws.storage import artifacts


async def test_a_verdict_leaves_a_signed_statement_and_a_memory_of_it(
    app: App, installation: Installation, alice: Agent
) -> None:
    report = await verified(app, alice)
    digest = report.claim.evidence_digest
    assert digest is not None
    async with installation.database() as database, database.read() as connection:
        envelope = await artifacts.get(connection, digest)
        assert await artifacts.get(connection, "00" * 32) is None
    assert envelope is not None
    assert sha256_hex(envelope) == digest
    assert json.loads(envelope)["payloadType"] == "application/vnd.in-toto+json"
    recalled = await app.memory.recall(alice, MemoryQuery("script ends", kind=MemoryKind.EVIDENCE))
    assert [item.memory.claim_id for item in recalled.items] == [report.claim.id]
    assert recalled.items[0].memory.text.startswith("SUPPORTED: The script ends well.")


async def test_the_run_gets_the_snapshot_and_the_limits_and_no_words_of_the_caller(
    app: App, installation: Installation, alice: Agent
) -> None:
    await verified(app, alice, statement="rm -rf / && --help")
    request = installation.sandbox.requests[0]
    assert [file.path for file in request.files] == ["check.py"]
    assert request.argv[-1] == "/workspace/check.py"
    assert not any("rm -rf" in word for word in request.argv)
    assert request.limits.wall_seconds == installation.settings().check_seconds


async def test_a_verdict_that_differs_from_an_earlier_one_is_labelled_flaky(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    installation.sandbox.will(ended(0), ended(1))
    first = (await verified(app, alice)).claim.judgement
    second = (await verified(app, bob)).claim.judgement
    assert first is not None
    assert second is not None
    assert (first.flaky, second.flaky) == (False, True)
    recalled = await app.memory.recall(bob, MemoryQuery("script ends", kind=MemoryKind.EVIDENCE))
    assert sum("Flaky" in item.memory.text for item in recalled.items) == 1


async def test_the_same_check_of_the_same_snapshot_counts_once(
    app: App, installation: Installation, alice: Agent
) -> None:
    first = await verified(app, alice)
    again = await verified(app, alice, statement="In other words.")
    assert again.repeated
    assert (again.claim.id, again.trust) == (first.claim.id, None)
    assert len(installation.sandbox.requests) == 1
    assert await record(app, alice) == (1, 0, 0)


async def test_another_check_another_snapshot_or_another_agent_runs_anew(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    installation.sandbox.will(ended(0), ended(0), ended(0))
    await verified(app, alice)
    await verified(app, bob)
    await verified(app, alice, exit_code=1)
    installation.workspace(content="print('other')\n")
    await verified(app, alice)
    assert len(installation.sandbox.requests) == 4


async def test_patterns_behind_a_claim_are_named_to_its_author_only(app: App, alice: Agent) -> None:
    bob, carol = await agent(app, "bob"), await agent(app, "carol", "elsewhere")
    secret = await learned(app, alice)
    report = await verified(app, alice, applied=(secret.id,))
    assert (await app.verification.get(alice, report.claim.id)).claim.applied == (secret.id,)
    assert (await app.verification.get(bob, report.claim.id)).claim.applied == ()
    with pytest.raises(NotFound):
        await app.verification.get(carol, report.claim.id)


@pytest.mark.parametrize(
    ("fields", "error", "what"),
    [
        ({"statement": " "}, InvalidInput, "Statement is empty"),
        ({"workspace": "nowhere"}, NotFound, "No workspace 'nowhere'"),
        ({"applied": ("pattern_0",)}, NotFound, "No pattern 'pattern_0'"),
        ({"exit_code": 200}, InvalidInput, "exit_code"),
        ({"namespace": "foreign"}, NotFound, "not one of yours"),
    ],
)
async def test_a_malformed_claim_is_refused_before_anything_runs(
    app: App,
    installation: Installation,
    alice: Agent,
    fields: dict[str, object],
    error: type[Exception],
    what: str,
) -> None:
    with pytest.raises(error, match=what):
        await verified(app, alice, **fields)
    assert installation.sandbox.requests == []
    assert await app.verification.newest(limit=1) == []


async def test_a_database_that_fails_at_the_end_leaves_no_verdict_behind(
    app: App, installation: Installation, alice: Agent
) -> None:
    installation.sandbox.will(BackendUnavailable("gone"))
    with pytest.raises(BackendUnavailable):
        await verified(app, alice)
    assert await record(app, alice) == NO_RECORD


async def test_the_administrator_sees_every_claim_newest_first(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob", "elsewhere")
    first = await verified(app, alice)
    installation.clock.advance(1)
    second = await verified(app, bob)
    newest = await app.verification.newest(limit=10)
    assert [each.id for each in newest] == [second.claim.id, first.claim.id]
    assert await app.verification.newest(limit=1) == newest[:1]
    assert await app.verification.find(first.claim.id) == newest[1]
    assert await app.verification.find("claim_0") is None


async def test_a_level_says_how_much_the_verdict_rests_on(app: App, alice: Agent) -> None:
    report = await app.verification.verify(alice, claim(), progress=silent)
    assert report.claim.judgement is not None
    assert report.claim.judgement.level is Level.REPRODUCED


async def test_a_promise_that_cannot_be_written_down_does_not_undo_the_verdict(
    app: App, installation: Installation, alice: Agent
) -> None:
    checkpoint = installation.folder / "ledger" / "checkpoint"
    size = await ledger_size(app)
    blocked = checkpoint.with_suffix(".new")
    blocked.mkdir()
    report = await verified(app, alice)
    assert report.claim.ledger_index == size
    assert (await app.audit.verify()).promised == size
    blocked.rmdir()
    await agent(app, "next")
    assert (await app.audit.verify()).promised == size + 2
