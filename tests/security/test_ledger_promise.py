"""What the checkpoint outside the database promises, and what an old copy breaks of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.integration.services import Installation, agent
from tests.postgres import PostgresServer
from tests.security.tampering import SIZE, VERDICTS, Original, audited, said
from tmws.domain.errors import LedgerCorrupt


class TestTheCheckpoint:
    def of(self, place: Installation) -> Path:
        return place.folder / "ledger" / "checkpoint"

    async def test_that_is_gone_is_missed(self, copy: Installation) -> None:
        self.of(copy).unlink()
        assert "No checkpoint is kept outside" in said(await audited(copy))

    async def test_of_another_log_is_no_promise_for_this_one(
        self, copy: Installation, tmp_path: Path
    ) -> None:
        other = Installation(f"sqlite:///{tmp_path / 'other.db'}", tmp_path / "other")
        shutil.copytree(copy.folder / "keys", other.folder / "keys")
        async with other.open() as app:
            for number in range(SIZE):
                await agent(app, f"agent{number}")
        shutil.copy(self.of(other), self.of(copy))
        assert "The checkpoint belongs to log tmws/" in said(await audited(copy))

    async def test_of_another_key_is_not_believed(self, copy: Installation) -> None:
        (copy.folder / "keys" / "ed25519").write_bytes(bytes(32))
        report = said(await audited(copy))
        assert "The checkpoint is not signed by this installation's key" in report
        assert report.count("is not signed by this installation's key") == 1 + len(VERDICTS)

    @pytest.mark.parametrize("content", [b"", b"nonsense\n", b"\xff\xfe"])
    async def test_that_is_none_is_said_to_be_none(
        self, copy: Installation, content: bytes
    ) -> None:
        self.of(copy).write_bytes(content)
        assert "The checkpoint is not" in said(await audited(copy))

    async def test_that_promises_more_by_hand_is_not_believed(self, copy: Installation) -> None:
        text = self.of(copy).read_text("utf-8")
        self.of(copy).write_text(text.replace(f"\n{SIZE}\n", "\n9\n"), "utf-8")
        assert "not signed by this installation's key" in said(await audited(copy))
        async with copy.open() as app:
            await app.tools.disable("recall", reason="x", by="test")


async def test_an_old_copy_of_the_whole_database_is_found_and_never_written_on(
    original: Original, copy: Installation, request: pytest.FixtureRequest
) -> None:
    """The copy goes on; then its database alone is put back to what it was."""
    async with copy.open() as app:
        await agent(app, "carol")
    if original.url.startswith("sqlite"):
        put_back(original.folder / "tmws.db", copy.folder / "tmws.db")
        restored = copy
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        name = sa.make_url(copy.url).database or ""
        server.drop_database(name)
        source = sa.make_url(original.url).database
        server.run_sql(f'CREATE DATABASE "{name}" TEMPLATE "{source}" OWNER tmws')
        restored = Installation(copy.url, copy.folder)
    assert "7: The checkpoint promises 8 entries, there are 7" in said(await audited(restored))
    async with restored.open() as app:
        for number in range(3):
            with pytest.raises(LedgerCorrupt, match="restored from an old copy"):
                await agent(app, f"later{number}")
        assert "The checkpoint promises 8 entries" in said(await app.audit.verify())


def put_back(old: Path, new: Path) -> None:
    for end in ("", "-wal", "-shm"):
        new.with_name(new.name + end).unlink(missing_ok=True)
    shutil.copy(old, new)
