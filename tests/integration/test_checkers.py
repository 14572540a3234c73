"""Claims about numbers that an administrator's module computes, from registration to evidence."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, silent
from tests.modules import binary, quiet, text
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.canonical import sha256_hex
from tmws.domain.claims import ComputedCheck, Reason, Verdict
from tmws.domain.errors import Conflict, InvalidInput, LedgerCorrupt, NotFound, SandboxUnavailable
from tmws.domain.levels import COMPUTED_CANNOT_EXCLUDE
from tmws.domain.verifications import ClaimDraft
from tmws.services.verification import VerificationReport
from tmws.storage import artifacts, tables

MODULE = binary()


async def registered(app: App, name: str = "lines", module: bytes = MODULE) -> None:
    await app.checkers.add(name, "shop", module, source="here", by="ann", progress=quiet)


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    await registered(app)
    return await agent(app, "alice")


async def claimed(
    app: App, author: Agent, name: str = "lines", workspace: str = "shop", value: float = 1
) -> VerificationReport:
    check = ComputedCheck(name, "check.py", "==", value)
    draft = ClaimDraft("It has so many lines.", workspace, check)
    return await app.verification.verify(author, draft, progress=silent)


async def statement_of(installation: Installation, report: VerificationReport) -> dict[str, Any]:
    assert report.claim.evidence_digest is not None
    async with installation.database() as database, database.read() as connection:
        envelope = await artifacts.get(connection, report.claim.evidence_digest)
    assert envelope is not None
    found: dict[str, Any] = json.loads(base64.b64decode(json.loads(envelope)["payload"]))
    return found


@pytest.mark.parametrize(
    ("value", "verdict"), [(1, Verdict.SUPPORTED), (2, Verdict.REFUTED)], ids=["right", "wrong"]
)
async def test_the_number_decides_and_the_evidence_says_by_what(
    app: App, installation: Installation, alice: Agent, value: int, verdict: Verdict
) -> None:
    report = await claimed(app, alice, value=value)
    judgement = report.claim.judgement
    assert judgement is not None
    assert judgement.verdict is verdict
    assert (COMPUTED_CANNOT_EXCLUDE in judgement.detail) == (verdict is Verdict.SUPPORTED)
    assert report.claim.basis == sha256_hex(MODULE)
    predicate = (await statement_of(installation, report))["predicate"]
    checker = predicate["tmws"]["assurance"]["checker"]
    assert checker["sha256"] == sha256_hex(MODULE)
    assert checker["file_sha256"] == sha256_hex(b"print('well')\n")
    assert checker["engine"].startswith("wasmtime ")
    assert 0 < checker["fuel_used"] < checker["limits"]["fuel"]
    assert checker["value"] == "1.0"
    assert [each["name"] for each in predicate["configuration"]] == ["engine"]
    assert predicate["tmws"]["cannot_exclude"] == COMPUTED_CANNOT_EXCLUDE
    assert installation.sandbox.requests == []  # no code of the workspace ran
    audit = await app.audit.verify()
    assert audit.holds, audit.problems


async def test_the_modules_own_fault_is_nobodys(app: App, alice: Agent) -> None:
    await registered(app, "broken", binary(text("unreachable")))
    report = await claimed(app, alice, "broken")
    assert report.claim.judgement is not None
    assert report.claim.judgement.verdict is Verdict.INCONCLUSIVE
    assert report.claim.judgement.reason is Reason.CHECKER_FAILED
    assert report.trust is not None
    assert report.trust.before.score == report.trust.after.score


async def test_another_module_of_the_name_makes_another_claim(app: App, alice: Agent) -> None:
    assert not (await claimed(app, alice)).repeated
    assert (await claimed(app, alice)).repeated
    await app.checkers.remove("lines", by="ann")
    await registered(app, module=binary(text("f64.const 7")))
    again = await claimed(app, alice)
    assert not again.repeated
    assert again.claim.judgement is not None
    assert again.claim.judgement.verdict is Verdict.REFUTED


async def test_a_checker_of_another_workspace_or_none_looks_the_same(
    app: App, installation: Installation, alice: Agent
) -> None:
    await app.workspaces.add("other", installation.workspace("other"), by="test")
    for name, workspace in (("lines", "other"), ("nothing", "shop")):
        with pytest.raises(NotFound, match=f"No checker '{name}' is kept"):
            await claimed(app, alice, name, workspace)


async def test_names_are_taken_once_and_removed_by_the_ledger(app: App, alice: Agent) -> None:
    with pytest.raises(Conflict, match="registered already"):
        await registered(app)
    with pytest.raises(NotFound, match="No workspace 'nowhere'"):
        await app.checkers.add("more", "nowhere", MODULE, source="", by="ann", progress=quiet)
    with pytest.raises(InvalidInput, match=r"imports env\.sleep"):
        await registered(app, "more", binary(text(before='(import "env" "sleep" (func))')))
    assert [kept.name for kept in await app.checkers.every()] == ["lines"]
    await app.checkers.remove("lines", by="ann")
    assert await app.checkers.every() == []
    with pytest.raises(NotFound, match="No checker 'lines'"):
        await app.checkers.remove("lines", by="ann")
    with pytest.raises(NotFound):
        await claimed(app, alice)
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_a_module_that_was_changed_in_the_store_is_not_run(
    app: App, installation: Installation, alice: Agent
) -> None:
    changed = tables.artifacts.update().where(tables.artifacts.c.digest == sha256_hex(MODULE))
    async with installation.database() as database, database.write() as tx:
        await tx.execute(changed.values(content=binary(text("f64.const 1"))))
    with pytest.raises(LedgerCorrupt, match="not what was registered"):
        await claimed(app, alice)


async def test_switched_off_nothing_else_runs_modules(
    installation: Installation, alice: Agent
) -> None:
    async with installation.open(checkers="off") as off:
        with pytest.raises(SandboxUnavailable, match="TMWS_CHECKERS=off"):
            await claimed(off, alice)
        with pytest.raises(SandboxUnavailable, match="nothing else runs modules"):
            await registered(off, "more")
        assert await off.verification.newest(limit=5) == []
    assert installation.sandbox.requests == []


async def test_only_what_is_installed_can_be_chosen(installation: Installation) -> None:
    with pytest.raises(InvalidInput, match="No checkers backend 'docker' is installed"):
        async with installation.open(checkers="docker"):
            pass


def test_checkers_are_an_administrators_commands(tmp_path: Path) -> None:
    data, root, module = tmp_path / "data", tmp_path.resolve() / "shop", tmp_path / "lines.wasm"
    root.mkdir()
    module.write_bytes(MODULE)
    tmws("workspaces", "add", "shop", str(root), data=data)
    words = ("checkers", "add", "lines", str(module), "--workspace", "shop", "--json")
    added = tmws(*words, data=data)
    assert added.status == 0, added.errors
    assert added.document()["sha256"] == sha256_hex(MODULE)
    listed = tmws("checkers", "list", "--json", data=data).document()
    assert [(each["name"], each["sha256"]) for each in listed] == [("lines", sha256_hex(MODULE))]
    tested = tmws("checkers", "test", "--json", data=data)
    assert tested.status == 0
    assert len(tested.document()) >= 8
    assert all(probe["held"] for probe in tested.document())
    assert tmws("checkers", "remove", "lines", data=data).status == 0
