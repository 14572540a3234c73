"""`tmws demo`: the whole loop with a real server, real clients and real checks."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import click
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from rich.console import Console
from rich.text import Text

from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.errors import TmwsError
from tmws.faces.cli.client_setup import client_setup
from tmws.faces.cli.demo_project import DemoProject
from tmws.telemetry import logging

SLUGS = {"profile": "pytest", "targets": ["tests/test_slugs.py"]}
EVERYTHING = {"profile": "pytest"}


class DemoFailed(TmwsError):
    """A step did not show what it is there to show."""


class Stage:
    """Tells the story on a terminal: what is done, what was seen, what that proves."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._started = time.monotonic()
        self._scene = 0

    def scene(self, title: str) -> None:
        """Begin the next step."""
        self._scene += 1
        elapsed = f"  {time.monotonic() - self._started:.0f} s"
        self._console.print()
        self._console.print(Text(f"{self._scene}. {title}", style="bold").append(elapsed, "dim"))

    def say(self, line: str) -> None:
        """Tell what happened."""
        self._console.print(Text(f"   {line}"))

    def proves(self, line: str) -> None:
        """Tell what that shows."""
        self._console.print(Text(f"   => {line}", style="green"))


class Actor:
    """An agent with a connection of its own."""

    def __init__(self, name: str, client: Client, stage: Stage) -> None:
        self.name = name
        self._client = client
        self._stage = stage

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Call a tool and return its structured answer."""
        result = await self._client.call_tool(tool, arguments, progress_callback=self._progress)
        if result.is_error:
            raise DemoFailed(f"{tool} answered: {_text(result.content)}")
        answer: dict[str, Any] = json.loads(_text(result.content))
        return answer

    async def claim(self, statement: str, check: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Have a claim checked and tell the verdict."""
        self._stage.say(f"{self.name} claims: “{statement}”")
        found = await self.call(
            "verify_claim", statement=statement, workspace="textkit", check=check, **more
        )
        self._stage.say(f"verdict {found['verdict']} ({found['reason']}): {found['detail']}")
        return found

    async def trust(self) -> dict[str, Any]:
        """Return this agent's trust."""
        return await self.call("get_trust")

    async def _progress(
        self,
        progress: float,  # noqa: ARG002  # the SDK passes these by name
        total: float | None,  # noqa: ARG002
        message: str | None,
    ) -> None:
        self._stage.say(f"… {message}")


@click.command()
@click.option("--keep", is_flag=True, help="Leave the demo's folder for a closer look.")
def demo(keep: bool) -> None:
    """Watch two agents learn, claim, get checked, and earn trust; about a minute."""
    logging.configure("error")
    folder = Path(tempfile.mkdtemp(prefix="tmws-demo-"))
    try:
        asyncio.run(_story(folder))
    finally:
        if keep:
            click.echo(f"\nKept: {folder}")
        else:
            shutil.rmtree(folder)


async def _story(folder: Path) -> None:
    stage = Stage()
    settings = Settings(data_dir=folder / "data")
    project = DemoProject(folder / "textkit")
    async with open_app(settings) as app:
        secrets = await _prepared(app, project, stage)
        async with (
            _connected(settings, "scout", secrets, stage) as scout,
            _connected(settings, "builder", secrets, stage) as builder,
        ):
            pattern = await _learn(scout, stage)
            await _apply(builder, project, pattern, stage)
            await _bluff(scout, stage)
            await _cheat(scout, project, stage)
            await _compare(scout, builder, stage)
        await _prove(app, stage)
    stage.scene("Use it")
    for line in client_setup():
        click.echo(line)  # as it is: a wrapped line cannot be pasted


async def _prepared(app: App, project: DemoProject, stage: Stage) -> dict[str, str]:
    stage.scene("A store, a workspace, two agents")
    await app.workspaces.add("textkit", str(project.root), by="demo")
    secrets = {
        name: (await app.agents.create(name, by="demo")).secret for name in ("scout", "builder")
    }
    stage.say("tmws workspaces add textkit PATH; tmws agents create scout; … create builder")
    stage.proves("The store set itself up; an administrator, not an agent, opened the folder.")
    return secrets


async def _learn(scout: Actor, stage: Stage) -> str:
    stage.scene("Learn: scout stores what worked")
    stored = await scout.call(
        "learn_pattern",
        name="Decompose accents before dropping characters",
        category="text-processing",
        summary="Letters with accents vanish when everything but a-z is dropped. Normalise to "
        "NFKD first: the base letter stays and only the mark is dropped.",
        data={
            "steps": ["unicodedata.normalize('NFKD', text)", "encode ascii, ignore", "then drop"]
        },
        tags=["unicode", "slugs"],
        level="public",
    )
    stage.say(f"learn_pattern -> {stored['id']}")
    return str(stored["id"])


async def _apply(builder: Actor, project: DemoProject, pattern: str, stage: Stage) -> None:
    stage.scene("Apply: builder finds it, mends the bug, and proves it")
    before = await builder.claim("the slug tests pass", SLUGS)
    _require(before["verdict"] == "REFUTED", "a failing test must refute the claim")
    stage.proves("The bug is real: the check saw the test fail.")
    found = await builder.call("find_patterns", query="accented letters are lost in a slug")
    best = found["items"][0]
    _require(best["id"] == pattern, "the pattern must be found by a description of the problem")
    stage.say(f"find_patterns -> “{best['name']}” by {best['owner']}, score {best['score']:.2f}")
    project.mend_slugs()
    after = await builder.claim("the slug tests pass", SLUGS, patterns=[pattern])
    _require(after["accurate"] is True, "a true claim must be supported")
    used = (await builder.call("get_pattern", pattern_id=pattern))["usage"]
    _require(used["proven"] == 1, "the verdict must count as a proven use of the pattern")
    asked = await builder.call("recommend_patterns", task="a slug loses its accented letters")
    first = asked["items"][0]
    _require(first["id"] == pattern, "what was proven must be recommended")
    _require(abs(sum(first["why"].values()) - first["score"]) < 1e-9, "reasons must sum to it")
    why = " ".join(f"{part} {value:+.2f}" for part, value in first["why"].items())
    stage.say(f"recommend_patterns -> score {first['score']:.2f} = {why}")
    stage.proves("A true claim is SUPPORTED, and the pattern behind it now has a proven use.")


async def _bluff(scout: Actor, stage: Stage) -> None:
    stage.scene("A false claim")
    found = await scout.claim("all tests of the project pass", EVERYTHING)
    _require(found["accurate"] is False, "a false claim must be refuted")
    stage.say(f"failed: {', '.join(found['items'])}")
    stage.proves("REFUTED, with the failing test named; scout's trust went down.")


async def _cheat(scout: Actor, project: DemoProject, stage: Stage) -> None:
    stage.scene("Two cheats")
    project.lie_in_conftest()
    first = await scout.claim("all tests pass now (conftest.py forces exit status 0)", EVERYTHING)
    _require(first["verdict"] != "SUPPORTED", "a forced exit status must not be believed")
    project.lie_in_a_test()
    second = await scout.claim("42 passed (a test prints it and calls os._exit(0))", EVERYTHING)
    _require(second["verdict"] != "SUPPORTED", "a printed summary must not be believed")
    stage.proves("Neither is believed: a verdict rests on reports and exit status that agree.")


async def _compare(scout: Actor, builder: Actor, stage: Stage) -> None:
    stage.scene("Trust")
    for actor in (builder, scout):
        seen = await actor.trust()
        stage.say(f"{actor.name}: {seen['score']:.2f}, 90 % between {seen['low']:.2f} and "
                  f"{seen['high']:.2f}. {seen['summary']}")  # fmt: skip
    stage.proves("Only verdicts move it, and it says how sure it is.")


async def _prove(app: App, stage: Stage) -> None:
    stage.scene("Prove it: tmws ledger verify")
    report = await app.audit.verify()
    _require(report.holds, "; ".join(problem.what for problem in report.problems))
    stage.say(f"{report.size} entries, root {report.root[:16]}…, signed checkpoint agrees")
    stage.proves("Every verdict, trust change and evidence digest is as it was recorded.")


@asynccontextmanager
async def _connected(
    settings: Settings, name: str, secrets: dict[str, str], stage: Stage
) -> AsyncIterator[Actor]:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "tmws", "serve"],
        env={
            **{key: value for key, value in os.environ.items() if key.startswith("DOCKER_")},
            "TMWS_DATA_DIR": str(settings.data_dir),
            "TMWS_LOG_LEVEL": "error",
            "TMWS_AGENT_ID": name,
            "TMWS_AGENT_SECRET": secrets[name],
        },
    )
    async with Client(stdio_client(server, errlog=sys.stderr)) as client:
        yield Actor(name, client, stage)


def _text(content: Any) -> str:
    return "".join(block.text for block in content if block.type == "text")


def _require(held: bool, what: str) -> None:
    if not held:
        raise DemoFailed(f"The demo stops here: {what}.")
