"""A verdict taken out of the installation, and what an administrator can do with it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import tmws
from tests.integration.services import (
    Installation,
    agent,
    claim,
    ended,
    silent,
    timed_out,
    verified,
)
from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.agents import Agent
from tmws.domain.canonical import digest
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.verifications import Claim
from tmws.faces.cli.trust import feedback
from tmws.offline_verifier import verify


async def test_an_exported_verdict_proves_itself_while_the_ledger_grows(
    app: App, installation: Installation, alice: Agent
) -> None:
    report = await verified(app, alice)
    for number in range(3):
        await agent(app, f"later{number}")
        proven = verify(await app.exports.verdict(report.claim.id), [app.exports.public_key])
        ours = proven.statement["predicate"]["tmws"]
        assert ours["claim"]["id"] == report.claim.id
        assert ours["evidence_classes"]["claim"] == "agent-authored"
        assert ours["evidence_classes"]["run"] == "recorded"
        assert proven.index == report.claim.ledger_index
        assert proven.has_report
    assert installation.sandbox.requests


async def test_feedback_counts_the_evidence_that_exported_verdicts_prove_and_no_other(
    app: App, installation: Installation, alice: Agent
) -> None:
    """Whoever is given an agent's feedback and its verdicts computes the digest again."""
    installation.sandbox.will(ended(0), ended(1), ended(0), timed_out())
    made = []
    for number in range(4):
        installation.clock.advance(1)
        installation.workspace(content=f"print({number})\n")
        made.append((await verified(app, alice)).claim)

    async def fed_back() -> dict[str, Any]:
        report = await app.audit.verify()
        found = await app.trust.find("alice")
        return dict(feedback(found, size=report.size, root=report.root)["tmws"])

    async def digest_of(claims: list[Claim]) -> str:
        files = [await app.exports.verdict(each.id) for each in claims]
        proven = [verify(file, [app.exports.public_key]) for file in files]
        ordered = sorted(proven, key=lambda each: each.index)
        return digest([each.statement["predicate"]["tmws"]["claim"]["id"] for each in ordered])

    told, decided = await fed_back(), made[:3]
    assert told["evidence_sha256"] == await digest_of(decided)
    assert told["evidence_sha256"] != await digest_of(made)  # nothing was decided by the last
    assert told["evidence_sha256"] != await digest_of(decided[:2])
    assert told["decided"] == 3
    assert told["ledger"]["root"] == (await app.audit.verify()).root
    await app.corrections.withdraw(decided[1].id, reason="the runner was broken", by="ann")
    assert (await fed_back())["evidence_sha256"] == await digest_of([decided[0], decided[2]])


async def test_what_has_no_verdict_is_not_exported(
    app: App, installation: Installation, alice: Agent
) -> None:
    release = asyncio.Event()

    async def slow() -> object:
        await release.wait()
        return ended(0)

    installation.sandbox.will(slow)  # type: ignore[arg-type]  # what it awaits is a result
    handle = await app.verification.verify(alice, claim(), progress=silent, wait_seconds=0)
    with pytest.raises(Conflict, match="is open and has no verdict"):
        await app.exports.verdict(handle.claim.id)
    with pytest.raises(NotFound):
        await app.exports.verdict("claim_0")
    release.set()


def test_an_administrator_exports_and_anybody_verifies(tmp_path: Path) -> None:
    place = Installation(f"sqlite:///{tmp_path / 'data' / 'tmws.db'}", tmp_path / "data")
    settings = Settings(data_dir=place.folder)

    async def claimed() -> str:
        async with open_app(settings, sandbox=place.sandbox) as app:
            await app.workspaces.add("shop", place.workspace(), by="test")
            return (await verified(app, await agent(app, "alice"))).claim.id

    claim_id = asyncio.run(claimed())
    file, elsewhere = tmp_path / "verdict.json", tmp_path / "elsewhere"
    written = tmws("claims", "export", claim_id, str(file), data=place.folder)
    assert written.status == 0, written.errors
    key = tmws("evidence", "key", "--json", data=place.folder).document()["public_key"]
    believed = tmws("evidence", "verify", str(file), "--key", key, "--json", data=elsewhere)
    assert believed.status == 0, believed.errors
    assert believed.document()["verdict"] == "SUPPORTED"
    assert not elsewhere.exists()  # it opened no store
    file.write_bytes(file.read_bytes().replace(b"SUPPORTED", b"SUPPORTEd", 1))
    refused = tmws("evidence", "verify", str(file), "--key", key, data=elsewhere)
    assert refused.status == 8
    assert refused.errors.startswith("SIGNATURE_INVALID: ")
