"""`tmws agents`: who may connect, and who may not any more."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.agents import Role
from tmws.domain.execution import MEBIBYTE
from tmws.domain.quotas import NOTHING_ELSE, Allowed
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app
from tmws.services.agents import NewAgent
from tmws.services.quotas import Usage


@click.group()
def agents() -> None:
    """Create agents, give them secrets, and shut them out."""


@agents.command()
@click.argument("name")
@click.option("--namespace", "namespaces", multiple=True, help="Repeatable; the first is home.")
@click.option("--admin", is_flag=True, help="May write what every agent reads.")
@with_app
async def create(
    app: App, printer: Printer, name: str, namespaces: tuple[str, ...], admin: bool
) -> None:
    """Create an agent and show its secret, this once."""
    role = Role.ADMIN if admin else Role.AGENT
    _show(printer, await app.agents.create(name, namespaces=namespaces, role=role, by=operator()))


@agents.command()
@click.argument("name")
@with_app
async def rotate(app: App, printer: Printer, name: str) -> None:
    """Replace an agent's secret; the old one stops working at once."""
    _show(printer, await app.agents.rotate(name, by=operator()))


@agents.command()
@click.argument("name")
@click.option("--reason", required=True, help="For the ledger and for administrators.")
@with_app
async def disable(app: App, printer: Printer, name: str, reason: str) -> None:
    """Refuse every call of the agent NAME from now on, until it is enabled."""
    done = await app.agents.disable(name, reason=reason, by=operator())
    printer.record(
        {
            "name": name,
            "enabled": False,
            "reason": done.reason,
            "changed": done.changed,
            "claims_given_up": list(done.given_up),
        }
    )
    printer.say(
        f"\nWhat it wrote stays and is found by others. To take it back: tmws patterns undo "
        f"--agent {name} --since TIME; what others rely on of it: tmws trust stakes {name}."
    )


@agents.command()
@click.argument("name")
@click.option("--reason", required=True, help="For the ledger.")
@with_app
async def enable(app: App, printer: Printer, name: str, reason: str) -> None:
    """Let the agent NAME act again, with the secret that it has."""
    changed = await app.agents.enable(name, reason=reason, by=operator())
    printer.record({"name": name, "enabled": True, "changed": changed})


@agents.command()
@click.argument("name")
@click.option("--mib", type=int, help="What it may keep in patterns, versions and notes.")
@click.option("--daily-writes", type=int, help="How much it may write a day.")
@click.option("--default", "as_all", is_flag=True, help="What all may keep and write.")
@click.option("--reason", required=True, help="For the ledger.")
@with_app
async def quota(
    app: App,
    printer: Printer,
    name: str,
    *,
    mib: int | None,
    daily_writes: int | None,
    as_all: bool,
    reason: str,
) -> None:
    """Let the agent NAME keep and write another amount than all others; what is left out is theirs.

    It holds for the names that are linked with it, too; where several have one, the least does.
    """
    allowed = Allowed(mib, daily_writes)
    if as_all is (allowed != NOTHING_ELSE):
        raise click.UsageError("Give --mib, --daily-writes or both, or else --default alone.")
    changed = await app.agents.allow(name, allowed, reason=reason, by=operator())
    [used] = [each for each in await app.quotas.usage() if each.agent == name]
    printer.record({**_usage(app, used), "changed": changed})


@agents.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List all agents."""
    rows = [
        {
            "name": agent.name,
            "role": agent.role.value,
            "namespaces": list(agent.namespaces),
            "enabled": agent.disabled_because is None,
            "reason": agent.disabled_because,
            "created_at": agent.created_at,
            "id": agent.id,
        }
        for agent in await app.agents.every()
    ]
    printer.rows(
        ("name", "role", "namespaces", "enabled", "reason", "created_at"),
        rows,
        empty="No agents yet. Create one: tmws agents create NAME.",
    )


@agents.command()
@with_app
async def usage(app: App, printer: Printer) -> None:
    """Show how much each agent keeps and wrote, who keeps most first."""
    printer.rows(
        ("name", "kept_mib", "of_mib", "written", "of_a_day", "exception"),
        [_usage(app, used) for used in await app.quotas.usage()],
        empty="No agents yet. Create one: tmws agents create NAME.",
    )


def _usage(app: App, used: Usage) -> dict[str, object]:
    return {
        "name": used.agent,
        "kept_mib": used.stored_bytes / MEBIBYTE,
        "of_mib": used.quota.stored_bytes // MEBIBYTE,
        "written": used.written,
        "of_a_day": used.quota.daily_writes,
        "exception": used.quota != app.quotas.quota,
    }


def _show(printer: Printer, new: NewAgent) -> None:
    printer.record({"name": new.agent.name, "id": new.agent.id, "secret": new.secret})
    printer.say(
        "\nThe secret is shown only now. On stdio set TMWS_AGENT_ID and TMWS_AGENT_SECRET "
        "where the server is launched; on HTTP send it as: Authorization: Bearer SECRET."
    )
