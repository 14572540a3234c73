"""A whole installation for tests: real database, real folder, a sandbox that answers by script."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from tests.patience import ENOUGH_SECONDS
from tests.unit.domain.written_reports import ran, written
from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.agents import AccessLevel, Agent, Role
from tmws.domain.claims import PythonCheck
from tmws.domain.execution import ExecutionRequest, ExecutionResult, Limits, Outcome
from tmws.domain.patterns import Pattern, PatternDraft
from tmws.domain.verifications import ClaimDraft
from tmws.ports import Probe, Progress, SandboxState
from tmws.services.verification import VerificationReport
from tmws.storage.database import Database
from tmws.testing.clock import StillClock

Answer = ExecutionResult | BaseException | Callable[[], Awaitable[ExecutionResult]]


class ScriptedSandbox:
    """Gives the answers it was told, then that every script ended with status 0."""

    def __init__(self) -> None:
        self.requests: list[ExecutionRequest] = []
        self._answers: deque[Answer] = deque()

    def will(self, *answers: Answer) -> None:
        self._answers.extend(answers)

    async def run(self, request: ExecutionRequest, *, progress: Progress) -> ExecutionResult:
        self.requests.append(request)
        await progress("running")
        answer = self._answers.popleft() if self._answers else ended(0)
        if isinstance(answer, BaseException):
            raise answer
        return answer if isinstance(answer, ExecutionResult) else await answer()

    async def check(self) -> tuple[Probe, ...]:
        return ()

    async def warm(self, limits: Limits) -> None:
        pass

    def state(self) -> SandboxState:
        return SandboxState()

    async def sweep(self) -> int:
        return 0

    async def aclose(self) -> None:
        pass


def ended(status: int) -> ExecutionResult:
    """Return the run of a script that ended with this status."""
    return ran(written("python", ("finished", {"status": status})), exit_code=status)


def timed_out() -> ExecutionResult:
    """Return the run of a script that never ended."""
    return ran(None, exit_code=None, outcome=Outcome.TIMED_OUT)


async def silent(_: str) -> None:
    """Take progress and keep it to oneself."""


@dataclass(frozen=True, slots=True)
class Installation:
    """Where an app finds its database and its folder, and what stands at its ports."""

    url: str
    folder: Path
    clock: StillClock = field(default_factory=StillClock)
    sandbox: ScriptedSandbox = field(default_factory=ScriptedSandbox)

    def settings(self, **changes: Any) -> Settings:
        """Return them, patient with an index on a machine that stalls."""
        where = {"data_dir": self.folder, "database_url": SecretStr(self.url)}
        return Settings(**{"vectors_seconds": ENOUGH_SECONDS, **where, **changes})

    @contextlib.asynccontextmanager
    async def open(self, **changes: Any) -> AsyncIterator[App]:
        """Open one more process' worth of app on this installation."""
        async with open_app(
            self.settings(**changes), sandbox=self.sandbox, clock=self.clock
        ) as app:
            yield app

    @contextlib.asynccontextmanager
    async def database(self) -> AsyncIterator[Database]:
        """Open the database beside the app, as somebody who has the file would."""
        database = Database(self.url)
        try:
            yield database
        finally:
            await database.aclose()

    def workspace(self, name: str = "shop", content: str = "print('well')\n") -> str:
        """Write a folder with `check.py` in it and return its path."""
        root = self.folder.resolve() / "workspaces" / name
        root.mkdir(parents=True, exist_ok=True)
        (root / "check.py").write_text(content)
        return str(root)


async def agent(app: App, name: str, *namespaces: str, role: Role = Role.AGENT) -> Agent:
    """Create an agent."""
    return (await app.agents.create(name, namespaces=namespaces, role=role, by="test")).agent


def pattern(name: str = "retry", level: str = "private", **fields: Any) -> PatternDraft:
    """Return the draft of a pattern; agents are given as `shared_with`."""
    return PatternDraft(name, fields.pop("category", "build"), level=AccessLevel(level), **fields)


async def learned(app: App, author: Agent, name: str = "retry", **fields: Any) -> Pattern:
    """Store a pattern."""
    return await app.learning.learn(author, pattern(name, **fields))


def claim(statement: str = "The script ends well.", **fields: Any) -> ClaimDraft:
    """Return the draft of a claim about how `check.py` of workspace `shop` ends."""
    check = PythonCheck("check.py", fields.pop("exit_code", 0))
    return ClaimDraft(statement, fields.pop("workspace", "shop"), check, **fields)


async def verified(app: App, author: Agent, **fields: Any) -> VerificationReport:
    """Have a claim checked."""
    return await app.verification.verify(author, claim(**fields), progress=silent)
