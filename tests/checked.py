"""Claims decided for real: a snapshot, a run in the sandbox, a judgement."""

from __future__ import annotations

from collections.abc import Mapping

from tmws.domain.claims import Check, Judgement
from tmws.domain.commands import build_request
from tmws.domain.execution import Limits
from tmws.domain.judging import judge
from tmws.domain.snapshots import Snapshot, SnapshotFile
from tmws.ports import Sandbox


async def decided(
    sandbox: Sandbox, check: Check, files: Mapping[str, str], limits: Limits | None = None
) -> Judgement:
    """Return what a run of `check` on these files says."""
    snapshot = Snapshot.of(SnapshotFile.of(path, text.encode()) for path, text in files.items())
    request = build_request(check, snapshot, limits or Limits())
    result = await sandbox.run(request, progress=_unheard)
    return judge(check, snapshot, result)


async def _unheard(_step: str) -> None:
    """Take a progress message and leave it."""
