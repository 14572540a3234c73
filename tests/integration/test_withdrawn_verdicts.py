"""A verdict that was withdrawn decides nothing, and whoever meets it is told."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, ended, timed_out, verified
from tests.integration.test_reliance import proven
from tests.integration.trust_seen import counts, decided, require_sound
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import WITHDRAWN, Verdict
from tmws.domain.errors import Conflict, InvalidInput
from tmws.domain.memories import MemoryKind
from tmws.domain.trust.reliance import Answer
from tmws.faces.mcp import views
from tmws.offline_verifier import NotProven, verify
from tmws.services.memory import MemoryQuery

REASON = "the runner was broken"


async def withdraw(app: App, claim_id: str) -> None:
    await app.corrections.withdraw(claim_id, reason=REASON, by="ann")


async def told(app: App, reader: Agent, claim_id: str) -> set[bool]:
    """Return what each way to read a verdict says of whether it was withdrawn."""
    claim = (await app.verification.get(reader, claim_id)).claim
    [listed] = await app.verification.newest(limit=5)
    seen = {claim.withdrawn, listed.withdrawn, str(claim.detail).startswith(WITHDRAWN)}
    for text in (None, "the script ends well"):
        wanted = MemoryQuery(text, kind=MemoryKind.EVIDENCE)
        [found] = (await app.memory.recall(reader, wanted)).items
        shown = views.memory(found.memory)
        seen |= {shown["text"].startswith(WITHDRAWN), shown.get("withdrawn", False)}
    return seen


async def test_who_reads_a_withdrawn_verdict_is_told_until_it_is_restored(
    app: App, installation: Installation, alice: Agent
) -> None:
    """The attack: a verdict of a broken image, shown to others as if it still held."""
    bob = await agent(app, "bob")
    wrong = (await decided(app, installation, alice, held=True)).claim.id
    assert await told(app, bob, wrong) == {False}
    await withdraw(app, wrong)
    assert await told(app, bob, wrong) == {True}
    await app.corrections.restore(wrong, reason="it was not", by="ann")
    assert await told(app, bob, wrong) == {False}
    assert (await verified(app, alice)).claim.decision is Verdict.SUPPORTED
    await require_sound(app)


async def test_a_file_of_a_withdrawn_verdict_proves_that_it_was_withdrawn(
    app: App, installation: Installation, alice: Agent
) -> None:
    made = [(await decided(app, installation, alice, held=True)).claim.id for _ in range(2)]
    keys = [app.exports.public_key]
    for claim_id in made:
        await withdraw(app, claim_id)
    with pytest.raises(NotProven, match=f"withdrawn by ann, as entry .*: {REASON}"):
        verify(await app.exports.verdict(made[0]), keys)
    await app.corrections.restore(made[0], reason="it was not", by="ann")
    assert verify(await app.exports.verdict(made[0]), keys).has_report
    with pytest.raises(NotProven, match="was withdrawn"):
        verify(await app.exports.verdict(made[1]), keys)


async def test_a_withdrawn_verdict_does_not_stand_in_the_way_of_a_new_check(
    app: App, installation: Installation, alice: Agent
) -> None:
    """The attack: an image that was broken for a day refutes a workspace for good."""
    wrong = (await decided(app, installation, alice, held=False)).claim
    assert (await verified(app, alice)).claim.id == wrong.id
    await withdraw(app, wrong.id)
    installation.sandbox.will(ended(0))
    again = await verified(app, alice)
    assert (again.claim.id != wrong.id, again.repeated) == (True, False)
    assert again.claim.decision is Verdict.SUPPORTED
    judged = again.claim.judgement
    assert judged is not None
    assert not judged.flaky  # what was withdrawn is no other outcome
    assert counts(await app.trust.show(alice)) == (1, 0, 0)
    assert (await verified(app, alice)).claim.id == again.claim.id
    await require_sound(app)


async def test_of_two_checks_of_one_snapshot_one_verdict_stands(
    app: App, installation: Installation, alice: Agent
) -> None:
    """The attack: one snapshot counts twice, because the first verdict is restored later."""
    first = (await decided(app, installation, alice, held=False)).claim.id
    await withdraw(app, first)
    second = (await verified(app, alice)).claim.id
    with pytest.raises(Conflict, match=f"checked again since: claim {second}, SUPPORTED"):
        await app.corrections.restore(first, reason="it was right", by="ann")
    assert counts(await app.trust.show(alice)) == (1, 0, 0)
    await withdraw(app, second)
    await app.corrections.restore(first, reason="it was right", by="ann")
    assert counts(await app.trust.show(alice)) == (0, 1, 0)
    with pytest.raises(Conflict, match=f"checked again since: claim {first}, REFUTED"):
        await app.corrections.restore(second, reason="both", by="ann")
    assert (await verified(app, alice)).claim.id == first
    await require_sound(app)


async def test_a_claim_whose_verdict_was_withdrawn_waits_for_an_audit_again(
    app: App, installation: Installation, alice: Agent
) -> None:
    bob = await agent(app, "bob")
    wrong = (await decided(app, installation, alice, held=True)).claim.id
    assert await app.trust.next_audits(bob, "alice", limit=5) == []
    await withdraw(app, wrong)
    [waiting] = await app.trust.next_audits(bob, "alice", limit=5)
    assert waiting.candidate.name == wrong
    await verified(app, alice)
    assert await app.trust.next_audits(bob, "alice", limit=5) == []


async def test_what_others_relied_on_stands_again_until_the_next_verdict(
    app: App, installation: Installation, alice: Agent
) -> None:
    """The attack: an author whose false claim was relied on pays nothing at the second check."""
    bob = await agent(app, "bob")
    await proven(app, installation, alice, bob)
    installation.workspace(content="print('slow')\n")
    installation.sandbox.will(timed_out())
    slow = (await verified(app, alice)).claim.id
    asked = await app.reliance.ask(bob, slow, stake=0.3, least=0.1)
    assert asked.granted

    async def carried() -> float:
        return (await app.trust.explain(bob, "alice")).exposure.carried

    assert await carried() == pytest.approx(0.3)
    installation.sandbox.will(ended(1))
    wrong = (await verified(app, alice)).claim.id
    assert await carried() == 0.0
    with pytest.raises(InvalidInput, match="was checked: REFUTED"):
        await app.reliance.ask(bob, slow, stake=0.3, least=0.1)
    await withdraw(app, wrong)
    assert await carried() == pytest.approx(0.3)
    again = await app.reliance.ask(bob, wrong, stake=0.3, least=0.1)
    assert again.answer is Answer.GRANTED
    installation.sandbox.will(ended(1))
    await verified(app, alice)
    assert await carried() == 0.0
    assert (await app.trust.explain(bob, "alice")).exposure.path[-1].evidence.relied_on
    await require_sound(app)


def test_the_commands_tell_a_withdrawn_verdict(tmp_path: Path) -> None:
    place = Installation(f"sqlite:///{tmp_path / 'data' / 'tmws.db'}", tmp_path / "data")

    async def once_withdrawn() -> str:
        async with place.open() as app:
            await app.workspaces.add("shop", place.workspace(), by="ann")
            decided = (await verified(app, await agent(app, "alice"))).claim.id
            await withdraw(app, decided)
            return decided

    claim_id = asyncio.run(once_withdrawn())
    shown = tmws("claims", "show", claim_id, "--json", data=place.folder).document()
    assert shown["withdrawn"]
    assert shown["detail"].startswith(WITHDRAWN)
    [listed] = tmws("claims", "list", "--json", data=place.folder).document()
    assert listed["withdrawn"]
    file = tmp_path / "verdict.json"
    assert tmws("claims", "export", claim_id, str(file), data=place.folder).status == 0
    key = tmws("evidence", "key", "--json", data=place.folder).document()["public_key"]
    refused = tmws("evidence", "verify", str(file), "--key", key, data=tmp_path / "elsewhere")
    assert refused.status == 8
    assert f"withdrawn by ann, as entry 3 of the ledger says: {REASON}" in refused.errors
    for words in (("calibration",), ("history", "alice"), ("show", "alice")):
        seen = tmws("trust", *words, data=place.folder)
        said = " ".join((seen.output + seen.errors).split())
        assert re.search("[Nn]o decided claim (of this agent )?counts", said)
