"""Questions that agents may have asked and never read."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, silent
from tests.unit.domain.written_reports import ran, written
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import HeldCheck, Level, Verdict
from tmws.domain.errors import Conflict, InvalidInput, NotFound
from tmws.domain.execution import ExecutionResult
from tmws.domain.verifications import ClaimDraft
from tmws.services.verification import VerificationReport
from tmws.storage import artifacts

CASES = json.dumps({"call": "check:add", "cases": [{"arguments": [1, 2], "returns": 31337}]})


def answered(value: int) -> ExecutionResult:
    said = base64.b64encode(json.dumps({"returned": value}).encode()).decode()
    answer = ("answer", {"status": 0, "timed_out": False, "cut": False, "stdout": said})
    return ran(written("held", answer, ("finished", {"status": 0})))


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    await app.held_checks.add("sums", "shop", CASES.encode(), source="here", by="ann")
    return await agent(app, "alice")


async def claimed(
    app: App, author: Agent, name: str = "sums", workspace: str = "shop"
) -> VerificationReport:
    draft = ClaimDraft("It adds.", workspace, HeldCheck(name), level=Level.INDEPENDENT)
    return await app.verification.verify(author, draft, progress=silent)


@pytest.mark.parametrize(
    ("value", "verdict"), [(31337, Verdict.SUPPORTED), (3, Verdict.REFUTED)], ids=["right", "wrong"]
)
async def test_answers_decide_and_what_was_expected_is_told_nowhere(
    app: App, installation: Installation, alice: Agent, value: int, verdict: Verdict
) -> None:
    installation.sandbox.will(answered(value))
    report = await claimed(app, alice)
    judgement = report.claim.judgement
    assert judgement is not None
    assert (judgement.verdict, judgement.level) == (verdict, Level.INDEPENDENT)
    [kept] = await app.held_checks.every()
    assert report.claim.basis == kept.digest
    assert report.claim.evidence_digest is not None
    async with installation.database() as database, database.read() as connection:
        envelope = await artifacts.get(connection, report.claim.evidence_digest)
    assert envelope is not None
    statement = base64.b64decode(json.loads(envelope)["payload"])
    [request] = installation.sandbox.requests
    told = [statement, *(file.content for file in request.files), repr(report).encode()]
    assert not any(b"31337" in each for each in told)
    audit = await app.audit.verify()
    assert audit.holds, audit.problems


async def test_a_check_of_another_workspace_or_none_looks_the_same(
    app: App, installation: Installation, alice: Agent
) -> None:
    await app.workspaces.add("other", installation.workspace("other"), by="test")
    for name, workspace in (("sums", "other"), ("nothing", "shop")):
        with pytest.raises(NotFound, match=f"No held check '{name}' is kept"):
            await claimed(app, alice, name, workspace)
    assert installation.sandbox.requests == []


async def test_names_are_taken_once_and_removed_by_the_ledger(app: App, alice: Agent) -> None:
    with pytest.raises(Conflict, match="registered already"):
        await app.held_checks.add("sums", "shop", CASES.encode(), source="here", by="ann")
    with pytest.raises(NotFound, match="No workspace 'nowhere'"):
        await app.held_checks.add("more", "nowhere", CASES.encode(), source="here", by="ann")
    with pytest.raises(InvalidInput, match="held check is refused"):
        await app.held_checks.add("more", "shop", b"{}", source="here", by="ann")
    await app.held_checks.remove("sums", by="ann")
    assert await app.held_checks.every() == []
    with pytest.raises(NotFound, match="No held check 'sums'"):
        await app.held_checks.remove("sums", by="ann")
    with pytest.raises(NotFound):
        await claimed(app, alice)
    report = await app.audit.verify()
    assert report.holds, report.problems


def test_held_checks_are_an_administrators_commands(tmp_path: Path) -> None:
    data, root, cases = tmp_path / "data", tmp_path.resolve() / "shop", tmp_path / "cases.json"
    root.mkdir()
    (root / "check.py").write_text("def add(a, b): return a + b\n")
    cases.write_text(CASES)
    tmws("workspaces", "add", "shop", str(root), data=data)
    words = ("held", "add", "sums", "--workspace", "shop", "--file", str(cases), "--json")
    added = tmws(*words, data=data)
    assert added.status == 0, added.errors
    assert "31337" not in added.output
    listed = tmws("held", "list", "--json", data=data).document()
    assert [(each["name"], each["sha256"]) for each in listed] == [
        ("sums", added.document()["sha256"])
    ]
    assert tmws("held", "remove", "sums", data=data).status == 0
