"""Real projects in an installation of their own, and the verdicts on claims about them."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.projects.claims import OPEN, Claimed
from tests.projects.sources import HERE, fetch
from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.claims import Judgement, Level, Reason
from tmws.domain.environments import environment
from tmws.domain.verifications import ClaimDraft
from tmws.sandbox.layers import build_environment


@dataclass(frozen=True, slots=True)
class Decided:
    """A claim, what was said about it, and the seconds that took."""

    claimed: Claimed
    judgement: Judgement
    seconds: float

    @property
    def is_right(self) -> bool:
        """Tell whether the verdict is the right one, at a level that counts."""
        judgement = self.judgement
        if self.claimed.right is OPEN:
            return judgement.reason is Reason.MISSING_DEPENDENCY
        return judgement.verdict is self.claimed.right and judgement.level.reaches(Level.REPRODUCED)


async def decided(claims: Sequence[Claimed], folder: Path) -> AsyncIterator[Decided]:
    """Have the claims checked one after the other, by the whole of the application."""
    projects = await asyncio.to_thread(fetch, {claim.project for claim in claims}, folder)
    async with open_app(Settings(data_dir=folder / "data")) as app:
        for name in sorted({claim.environment for claim in claims if claim.environment}):
            await _add_environment(app, name)
        author = (await app.agents.create("alice", by="test")).agent
        for number, claim in enumerate(claims):
            workspace = f"{claim.project}-{number}"
            root = await asyncio.to_thread(
                _laid_out, claim, projects[claim.project], folder / workspace
            )
            await app.workspaces.add(workspace, str(root), by="test")
            if claim.environment:
                await app.workspaces.choose_environment(workspace, claim.environment, by="test")
            began = time.perf_counter()
            draft = ClaimDraft(claim.name, workspace, claim.check)
            report = await app.verification.verify(author, draft, progress=_unheard)
            verified = report.claim.judgement
            assert verified is not None
            yield Decided(claim, verified, time.perf_counter() - began)


async def _add_environment(app: App, name: str) -> None:
    lock = (HERE / f"{name}.lock").read_text()
    wanted = environment(name, lock)
    await asyncio.to_thread(build_environment, wanted, lock, say=lambda _: None)
    await app.environments.add(wanted, lock, by="test")


def _laid_out(claim: Claimed, source: Path, root: Path) -> Path:
    """Copy a project, and put into the copy what the claim says."""
    shutil.copytree(source, root)
    for path, text in claim.files.items():
        (root / path).write_text(text)
    if (fault := claim.fault) is not None:
        text = (root / fault.path).read_text()
        assert fault.before in text, fault
        (root / fault.path).write_text(text.replace(fault.before, fault.after, 1))
    return root.resolve()


async def _unheard(_step: str) -> None:
    """Take a progress message and leave it."""
