"""Claims by an administrator's profile: as verdicts on record, and in the real sandbox."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from mcp import Client

from tests.callers import always
from tests.integration.docker_sandboxes import opened
from tests.integration.services import Installation, agent, ended, silent
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import AddedCheck, Level, Reason, Verdict
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import Limits
from tmws.domain.profile_files import read_profiles
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.domain.verifications import ClaimDraft
from tmws.faces.mcp.server import McpServer
from tmws.services.checking import Basis, Checker
from tmws.services.verification import VerificationReport

FILE = """
[profiles.valid-json]
module = "json.tool"
targets = "required"
suffixes = [".json"]

[profiles.imports]
executable = "/opt/tools/bin/ruff"
prefix = ["check", "--isolated", "--no-cache", "--select=F401"]
suffixes = [".py"]

[profiles.absent]
module = "no_such_tool"
"""


@pytest.fixture
def profiles(tmp_path: Path) -> Path:
    file = tmp_path / "profiles.toml"
    file.write_text(FILE)
    return file


async def claimed(app: App, author: Agent, command: str) -> VerificationReport:
    check = app.verification.read_command(author, command)
    return await app.verification.verify(
        author, ClaimDraft("It holds.", "shop", check), progress=silent
    )


async def test_an_added_profile_decides_a_claim_and_a_changed_one_decides_it_anew(
    installation: Installation, profiles: Path
) -> None:
    async with installation.open(profiles=profiles) as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")

        first = await claimed(app, alice, "imports check.py")
        again = await claimed(app, alice, "imports check.py")

        assert first.claim.judgement is not None
        assert first.claim.judgement.verdict is Verdict.SUPPORTED
        assert first.trust is not None
        assert first.trust.after.score > first.trust.before.score
        assert (again.repeated, again.claim.id) == (True, first.claim.id)
        assert len(installation.sandbox.requests) == 1
        assert installation.sandbox.requests[0].argv[-1] == "/workspace/check.py"
        read = await app.verification.get(alice, first.claim.id)
        assert read.claim.check == AddedCheck("imports", (), ("check.py",))
        assert (await app.audit.verify()).holds
    changed_file = profiles.with_name("changed.toml")
    await asyncio.to_thread(changed_file.write_text, FILE.replace("F401", "F"))
    async with installation.open(profiles=changed_file) as app:
        installation.sandbox.will(ended(1))
        changed = await claimed(app, alice, "imports check.py")
        assert changed.claim.judgement is not None
        assert changed.claim.judgement.verdict is Verdict.REFUTED
    async with installation.open() as app:  # the file is gone; what it decided can be read
        assert (await app.verification.get(alice, first.claim.id)).claim.check == first.claim.check
        with pytest.raises(InvalidInput):
            await claimed(app, alice, "imports check.py")


async def test_agents_are_told_of_added_profiles_and_how_to_ask(
    installation: Installation, profiles: Path
) -> None:
    async with installation.open(profiles=profiles) as app:
        await app.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(app, "alice")
        server = McpServer(app, always(alice))
        assert server.instructions is not None
        assert "valid-json, imports, absent" in server.instructions
        async with Client(server) as client:
            claim = {"statement": "It holds.", "workspace": "shop", "command": "imports --fix"}
            refused = await client.call_tool("verify_claim", claim)
            taken = await client.call_tool("verify_claim", {**claim, "command": "imports"})
    assert "imports [PATH ...]" in str(refused.content)
    assert taken.structured_content is not None
    assert taken.structured_content["check"]["profile"] == "imports"


async def test_added_tools_run_in_the_sandbox_and_their_status_decides() -> None:
    added = read_profiles(FILE)
    snapshot = Snapshot.of(
        [
            SnapshotFile.of("good.json", b"{}"),
            SnapshotFile.of("bad.json", b"{"),
            SnapshotFile.of("used.py", b"import os\n\nprint(os.sep)\n"),
            SnapshotFile.of("unused.py", b"import os\n"),
            SnapshotFile.of("json/tool.py", b"raise SystemExit(0)\n"),
            SnapshotFile.of("json/__init__.py", b""),
        ]
    )
    found = {}
    async with opened() as sandbox:
        checker = Checker(sandbox, Limits(), bytes, added)
        for command in (
            "valid-json good.json", "valid-json bad.json", "imports used.py", "imports", "absent",
        ):  # fmt: skip
            plan = checker.plan(checker.read(command), snapshot, Basis(Level.REPRODUCED))
            judgement = (await checker.check(plan, progress=silent)).judgement
            found[command] = (judgement.verdict, judgement.reason)
    assert found == {
        "valid-json good.json": (Verdict.SUPPORTED, Reason.CHECK_PASSED),
        "valid-json bad.json": (Verdict.REFUTED, Reason.CHECK_FAILED),
        "imports used.py": (Verdict.SUPPORTED, Reason.CHECK_PASSED),
        "imports": (Verdict.REFUTED, Reason.CHECK_FAILED),
        "absent": (Verdict.INCONCLUSIVE, Reason.MISSING_DEPENDENCY),
    }
