"""Turning an async function into a command: it gets the application and a printer."""

from __future__ import annotations

import asyncio
import functools
import getpass
from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec

import click

from tmws.app import App, open_app
from tmws.config import load_settings
from tmws.domain.agents import Agent
from tmws.domain.errors import NotFound
from tmws.faces.cli.printing import Printer
from tmws.telemetry import logging

P = ParamSpec("P")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document instead of a table."
)

agent_option = click.option("--agent", "name", help="Who acts; the local agent if left out.")


def with_app(
    command: Callable[Concatenate[App, Printer, P], Awaitable[None]],
) -> Callable[..., None]:
    """Run the command with the store opened and closed around it."""

    @json_option
    @functools.wraps(command)
    def run(*args: P.args, **options: P.kwargs) -> None:
        as_json = bool(options.pop("as_json"))
        settings = load_settings()
        logging.configure("warning" if settings.log_level == "info" else settings.log_level)

        async def inside() -> None:
            async with open_app(settings) as app:
                await command(app, Printer(as_json=as_json), *args, **options)

        asyncio.run(inside())

    return run


def operator() -> str:
    """Return who acts on this machine, for the ledger."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container user without an entry
        return "operator"


async def acting(app: App, name: str | None) -> Agent:
    """Return the agent in whose name a command acts; the local one where none is named.

    Raises:
        NotFound: there is no such agent.
    """
    if name is None:
        return await app.agents.local()
    for agent in await app.agents.every():
        if agent.name == name:
            return agent
    raise NotFound(f"No agent is named {name[:64]!r}. See: tmws agents list.")
