"""`tmws doctor`: what is there, what is missing, and how to get it."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import click

from tmws.app import App, open_app
from tmws.config import Settings, load_settings
from tmws.domain.errors import (
    BackendUnavailable,
    Conflict,
    InvalidInput,
    LedgerCorrupt,
    SandboxUnavailable,
    TmwsError,
)
from tmws.domain.execution import MEBIBYTE
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option
from tmws.telemetry import logging


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at; `remedy` says what to do when it is not well."""

    what: str
    well: bool
    found: str
    remedy: str = ""


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Look at everything the server needs; exit 1 if something is missing."""
    settings = load_settings()
    logging.configure("error")
    findings = asyncio.run(_examine(settings))
    Printer(as_json=as_json).rows(
        ("what", "well", "found", "remedy"),
        [
            {"what": each.what, "well": each.well, "found": each.found, "remedy": each.remedy}
            for each in findings
        ],
        empty="",
    )
    if not all(each.well for each in findings):
        sys.exit(1)


async def _examine(settings: Settings) -> list[Finding]:
    findings = [
        Finding("settings", well=True, found=f"data folder {settings.data_dir}"),
    ]
    try:
        async with open_app(settings) as app:
            findings.append(_database(settings))
            for what, look in _LOOKS:
                findings.append(await _looked(app, what, look))
    except InvalidInput as error:  # something is set to what is not there
        return [Finding("settings", well=False, found=error.message, remedy="See the message.")]
    except TmwsError as error:
        findings.append(
            Finding("database", well=False, found=error.message, remedy="See the message.")
        )
    return findings


async def _looked(app: App, what: str, look: Callable[[App], Awaitable[str]]) -> Finding:
    try:
        return Finding(what, well=True, found=await look(app))
    except TmwsError as error:
        return Finding(what, well=False, found=error.code, remedy=error.message)


def _database(settings: Settings) -> Finding:
    """Say what was opened, and what beside it would refuse the next act."""
    file, checkpoints = settings.database_file, settings.checkpoint_file.parent
    found = "PostgreSQL" if settings.database_url else f"SQLite file {file}"
    needed: tuple[Path, ...] = (checkpoints,) if settings.database_url else (file, checkpoints)
    for path in needed:
        if path.exists() and not os.access(path, os.W_OK):
            remedy = f"{path} may not be written by this user. Run tmws as its owner."
            return Finding("database", well=False, found=found, remedy=remedy)
    return Finding("database", well=True, found=found)


async def _agents(app: App) -> str:
    known = await app.agents.every()
    if not known:
        return "none yet; the local user needs none"
    disabled = sum(agent.disabled_because is not None for agent in known)
    off = f", {disabled} disabled" if disabled else ""
    most = (await app.quotas.usage())[0]
    kept, of = (each / MEBIBYTE for each in (most.stored_bytes, most.quota.stored_bytes))
    return f"{len(known)} known{off}; {most.agent} keeps most: {kept:.1f} of {of:.0f} MiB"


async def _ledger(app: App) -> str:
    report = await app.audit.verify()
    if not report.holds:
        raise LedgerCorrupt(f"{len(report.problems)} problem(s). Run: tmws ledger verify.")
    return f"{report.size} entries hold"


async def _embedders(app: App) -> str:
    return await app.models.try_all()


async def _vectors(app: App) -> str:
    trouble = await app.upkeep.trouble()
    if isinstance(trouble, Conflict):
        return "served by the process that owns the index"
    if trouble:
        raise trouble
    states = await app.upkeep.status()
    unread = sum(max(0, state.texts - state.vectors) for state in states if state.role != "kept")
    behind = sum(state.behind or 0 for state in states)
    if unread or behind:
        raise BackendUnavailable(
            f"{unread} texts are to be read and {behind} changes to be taken over. A running "
            "server does that; or run: tmws vectors fill."
        )
    return f"{app.settings.vectors} index, {sum(state.vectors for state in states)} vectors"


async def _sandbox(app: App) -> str:
    probes = await app.sandbox.check()
    broken = [probe.name for probe in probes if not probe.held]
    if broken:
        raise SandboxUnavailable(f"Not safe: {', '.join(broken)}. Run: tmws sandbox check.")
    return f"{len(probes)} denials hold"


_LOOKS: tuple[tuple[str, Callable[[App], Awaitable[str]]], ...] = (
    ("agents", _agents),
    ("ledger", _ledger),
    ("embedders", _embedders),
    ("vectors", _vectors),
    ("sandbox", _sandbox),
)
