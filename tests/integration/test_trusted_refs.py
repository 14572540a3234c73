"""Registering what verdicts may trust, and what that does to claims."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.command import tmws
from tests.integration.services import Installation, agent, silent
from tests.unit.domain.written_reports import ran, written
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.claims import Judgement, Level, MypyCheck, PytestCheck, Reason, Verdict
from tmws.domain.errors import Conflict, InvalidInput, LedgerCorrupt, NotFound
from tmws.domain.execution import ExecutionResult
from tmws.domain.verifications import ClaimDraft
from tmws.storage.tables import artifacts

CODE = "def add(a, b):\n    return a + b\n"
TESTS = "from app import add\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"


@pytest.fixture
def trusted_folder(installation: Installation) -> Path:
    folder = installation.folder.resolve() / "trusted"
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_app.py").write_text(TESTS)
    (folder / "pytest.ini").write_text("[pytest]\n")
    return folder


@pytest.fixture
async def alice(app: App, installation: Installation) -> Agent:
    root = Path(installation.workspace())
    (root / "app.py").write_text(CODE)
    (root / "conftest.py").write_text("evil = True\n")
    (root / "tests").mkdir()
    (root / "tests" / "test_app.py").write_text("def test_add(): pass\n")
    await app.workspaces.add("shop", str(root), by="test")
    return await agent(app, "alice")


async def judged(app: App, author: Agent, level: Level | None = Level.PINNED) -> Judgement:
    draft = ClaimDraft("The tests pass.", "shop", PytestCheck(), level=level)
    report = await app.verification.verify(author, draft, progress=silent)
    assert report.claim.judgement is not None
    return report.claim.judgement


def mypy_ran(*findings: str) -> ExecutionResult:
    status = int(bool(findings))
    found = {"status": status, "found": len(findings), "findings": list(findings)}
    looked_at = ("files", {"paths": ["app.py"]})
    return ran(written("mypy", looked_at, ("finished", found)), exit_code=status)


async def test_a_pinned_check_runs_the_files_of_the_ref(
    app: App, installation: Installation, alice: Agent, trusted_folder: Path
) -> None:
    made = await app.trusted_refs.add_folder("main", "shop", str(trusted_folder), (), by="ann")
    assert [file.path for file in made.files] == ["pytest.ini", "tests/test_app.py"]
    assert made.tests == ("app",)
    installation.sandbox.will(ran(b"no report"))
    judgement = await judged(app, alice)
    assert judgement.reason is Reason.TAMPER_SUSPECTED
    [request] = installation.sandbox.requests
    sent = {file.path: file.content.decode() for file in request.files}
    assert sent["tests/test_app.py"] == TESTS
    assert sent["app.py"] == CODE
    assert "conftest.py" not in sent
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_the_verdict_names_its_basis_and_a_new_ref_asks_anew(
    app: App, installation: Installation, alice: Agent, trusted_folder: Path
) -> None:
    made = await app.trusted_refs.add_folder("main", "shop", str(trusted_folder), (), by="ann")
    draft = ClaimDraft("It is typed.", "shop", MypyCheck(("app.py",)), level=Level.PINNED)

    async def sent() -> tuple[str | None, bool, Verdict]:
        report = await app.verification.verify(alice, draft, progress=silent)
        assert report.claim.judgement is not None
        return report.claim.basis, report.repeated, report.claim.judgement.verdict

    answers = (mypy_ran(), mypy_ran("app.py:1 assignment"))
    installation.sandbox.will(*answers)
    assert await sent() == (made.kept.digest, False, Verdict.SUPPORTED)
    assert await sent() == (made.kept.digest, True, Verdict.SUPPORTED)
    (trusted_folder / "mypy.ini").write_text("[mypy]\nstrict = true\n")
    installation.clock.advance(1)
    newer = await app.trusted_refs.add_folder("next", "shop", str(trusted_folder), (), by="ann")
    installation.sandbox.will(mypy_ran("app.py:1 no-untyped-def"))
    assert await sent() == (newer.kept.digest, False, Verdict.REFUTED)


async def test_without_a_ref_and_below_the_level_the_workspaces_own_files_run(
    app: App, installation: Installation, alice: Agent, trusted_folder: Path
) -> None:
    installation.sandbox.will(ran(b"no report"), ran(b"no report"))
    await judged(app, alice)
    await app.trusted_refs.add_folder("main", "shop", str(trusted_folder), (), by="ann")
    await judged(app, alice, level=None)
    for request in installation.sandbox.requests:
        assert "conftest.py" in {file.path for file in request.files}


@pytest.mark.usefixtures("alice")
async def test_a_snapshot_is_trusted_only_while_the_workspace_is_that_one(
    app: App, installation: Installation
) -> None:
    root = Path(installation.workspace())
    digest = (await app.workspaces.add("again", str(root), by="test")).digest
    made = await app.trusted_refs.add_snapshot("main", "shop", digest, (), by="ann")
    assert made.kept.source == f"snapshot {digest}"
    (root / "conftest.py").write_text("changed = True\n")
    with pytest.raises(Conflict, match="Look at what changed"):
        await app.trusted_refs.add_snapshot("more", "shop", digest, (), by="ann")


@pytest.mark.usefixtures("alice")
async def test_a_commit_is_trusted_by_its_id(app: App, installation: Installation) -> None:
    root = installation.workspace()
    who = ("-c", "user.name=t", "-c", "user.email=t@t")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-qm", "x")):
        subprocess.run(["git", *who, *words], cwd=root, check=True)  # noqa: ASYNC221
    made = await app.trusted_refs.add_commit("main", "shop", "main", ("tests/",), by="ann")
    assert made.kept.source.startswith("commit ")
    assert made.kept.source.endswith(" (main)")
    commit = made.kept.source.split()[1]
    same = await app.trusted_refs.add_commit("same", "shop", commit, ("tests/",), by="ann")
    assert same.kept.digest == made.kept.digest


@pytest.mark.usefixtures("alice")
async def test_names_are_taken_once_and_removed_by_the_ledger(
    app: App, trusted_folder: Path
) -> None:
    folder = str(trusted_folder)
    await app.trusted_refs.add_folder("main", "shop", folder, (), by="ann")
    with pytest.raises(Conflict, match="registered already"):
        await app.trusted_refs.add_folder("main", "shop", folder, (), by="ann")
    assert [kept.name for kept in await app.trusted_refs.every()] == ["main"]
    await app.trusted_refs.remove("main", by="ann")
    assert await app.trusted_refs.every() == []
    with pytest.raises(NotFound, match="No trusted ref 'main'"):
        await app.trusted_refs.remove("main", by="ann")
    with pytest.raises(NotFound, match="No workspace 'nowhere'"):
        await app.trusted_refs.add_folder("a", "nowhere", folder, (), by="ann")
    with pytest.raises(InvalidInput, match="Name of a ref"):
        await app.trusted_refs.add_folder("No Name", "shop", folder, (), by="ann")
    report = await app.audit.verify()
    assert report.holds, report.problems


async def test_a_ref_that_was_changed_in_the_store_is_not_used(
    app: App, installation: Installation, alice: Agent, trusted_folder: Path
) -> None:
    await app.trusted_refs.add_folder("main", "shop", str(trusted_folder), (), by="ann")
    async with installation.database() as database, database.write() as tx:
        forged = b"def test_add(): pass\n"
        await tx.execute(
            artifacts.update().where(artifacts.c.content == TESTS.encode()).values(content=forged)
        )
        count = await tx.scalar(
            sa.select(sa.func.count()).select_from(artifacts).where(artifacts.c.content == forged)
        )
        assert count == 1
    with pytest.raises(LedgerCorrupt, match=r"not what was registered.*tmws refs remove main"):
        await judged(app, alice)
    assert installation.sandbox.requests == []


def test_refs_and_levels_are_an_administrators_commands(tmp_path: Path) -> None:
    data, root = tmp_path / "data", tmp_path.resolve() / "shop"
    (root / "tests").mkdir(parents=True)
    (root / "tests" / "test_app.py").write_text(TESTS)
    (root / "Makefile").write_text("all:\n")
    tmws("agents", "create", "alice", data=data)
    tmws("workspaces", "add", "shop", str(root), data=data)

    added = tmws(
        *("refs", "add", "main", "--workspace", "shop", "--folder", str(root), "--json"),
        *("--paths", "tests/", "Makefile"),
        data=data,
    )
    assert added.status == 0, added.errors
    assert (added.document()["files"], added.document()["tests"]) == (2, "app")
    neither = tmws("refs", "add", "more", "--workspace", "shop", data=data)
    assert "one of --git-ref, --snapshot, --folder" in neither.errors
    listed = tmws("refs", "list", "--json", data=data).document()
    assert [(each["name"], each["workspace"]) for each in listed] == [("main", "shop")]
    assert tmws("refs", "remove", "main", data=data).status == 0
    assert tmws("levels", "set", "default", "pinned", data=data).status == 0
    levels = tmws("levels", "list", "--json", data=data).document()
    assert levels == [{"namespace": "default", "least_level": "pinned"}]
    assert tmws("levels", "unset", "default", data=data).status == 0
    assert tmws("ledger", "verify", data=data).status == 0
