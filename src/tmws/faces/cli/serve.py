"""`tmws serve`: the MCP server, on stdio or over HTTP."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import click
import structlog

from tmws.app import App, open_app
from tmws.config import Settings, load_settings
from tmws.domain.errors import SandboxUnavailable
from tmws.faces.cli import server_states
from tmws.faces.http.server import serve_http
from tmws.faces.mcp.stdio import serve_stdio
from tmws.telemetry import logging

_log = structlog.get_logger()
_HOST, _PORT = "127.0.0.1", 8765


@click.command()
@click.option("--http", "over_http", is_flag=True, help="Streamable HTTP at /mcp, not stdio.")
@click.option("--host", help="With --http.  [default: 127.0.0.1]")
@click.option("--port", type=click.IntRange(0, 65535), help="With --http.  [default: 8765]")
@click.option(
    "--allowed-host",
    "hosts",
    multiple=True,
    help="Host header to accept; needed for any address but loopback. Repeatable.",
)
@click.option("--allowed-origin", "origins", multiple=True, help="Origin to accept. Repeatable.")
def serve(
    *,
    over_http: bool,
    host: str | None,
    port: int | None,
    hosts: tuple[str, ...],
    origins: tuple[str, ...],
) -> None:
    """Serve MCP clients: on stdio, where the client starts this command, or over HTTP."""
    if not over_http and (host is not None or port is not None or hosts or origins):
        raise click.UsageError("An address is of use over HTTP only. Add --http, or leave it out.")
    settings = load_settings()
    logging.configure(settings.log_level)
    # What was imported stays: looking through it at every collection costs start-up time.
    gc.freeze()
    gc.enable()
    if over_http:
        where = _HOST if host is None else host, _PORT if port is None else port
        asyncio.run(_http(settings, *where, hosts, origins))
    else:
        asyncio.run(_stdio(settings))


@asynccontextmanager
async def _tended(app: App) -> AsyncIterator[None]:
    """Do in the background what nobody asks for, until the block ends.

    The sandbox is warmed where warm slots are asked for. Otherwise the first check does
    what is needed: most sessions never have one, and reaching the engine at each start
    would cost all of them.
    """
    tasks = [
        asyncio.create_task(app.verification.tend()),
        asyncio.create_task(app.upkeep.run()),
        asyncio.create_task(app.corrections.tend()),
        asyncio.create_task(server_states.keep(app)),
    ]
    if app.settings.warm_slots:
        tasks.append(asyncio.create_task(_prepare(app)))
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _prepare(app: App) -> None:
    try:
        removed = await app.verification.prepare()
    except SandboxUnavailable as error:
        _log.warning("sandbox_unavailable", reason=error.message)
    else:
        _log.info("sandbox_ready", swept=removed)


async def _stdio(settings: Settings) -> None:
    async with open_app(settings) as app, _tended(app):
        await serve_stdio(app)


async def _http(
    settings: Settings, host: str, port: int, hosts: tuple[str, ...], origins: tuple[str, ...]
) -> None:
    async with open_app(settings) as app, _tended(app):
        await serve_http(app, host, port, allowed_hosts=hosts, allowed_origins=origins)
