"""`tmws workspaces`: which folders may be checked."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.app import App
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app
from tmws.storage.trusted import Kind

_KEPT = {Kind.REF: "trusted_refs", Kind.HELD: "held_checks", Kind.CHECKER: "checkers"}


@click.group()
def workspaces() -> None:
    """Open folders of this machine for checks, and close them."""


@workspaces.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Let a name that is taken stand for PATH instead.")
@click.option("--environment", help="Packages that its checks run with; see 'tmws sandbox env'.")
@with_app
async def add(
    app: App, printer: Printer, name: str, path: Path, *, replace: bool, environment: str | None
) -> None:
    """Register the folder PATH under NAME; claims refer to the name."""
    root = _absolute(path)
    if environment is not None:  # else the folder would be registered, and the command fail
        await app.workspaces.require_environment(environment)
    snapshot = await app.workspaces.add(name, root, replace=replace, by=operator())
    if environment is not None:
        await app.workspaces.choose_environment(name, environment, by=operator())
    printer.record(
        {
            "name": name,
            "root": root,
            "files": len(snapshot.files),
            "left_out": len(snapshot.left_out),
            "snapshot_sha256": snapshot.digest,
        }
    )


@workspaces.command()
@click.argument("name")
@click.argument("environment", required=False)
@with_app
async def environment(app: App, printer: Printer, name: str, environment: str | None) -> None:
    """Let checks of the workspace NAME run with ENVIRONMENT; without one, the tools alone."""
    chosen = await app.workspaces.choose_environment(name, environment, by=operator())
    printer.record(
        {
            "name": name,
            "environment": chosen.name if chosen else None,
            "digest": chosen.digest if chosen else None,
        }
    )


@workspaces.command()
@click.argument("name")
@click.option("--reason", required=True, help="For the ledger.")
@click.option("--give-up", is_flag=True, help="End what is being checked, without a verdict.")
@with_app
async def remove(app: App, printer: Printer, name: str, *, reason: str, give_up: bool) -> None:
    """Check NAME no longer, and trust nothing for it; verdicts about it stay.

    To let the name stand for another folder and keep what is trusted for it, use
    'add --replace'.
    """
    gone = await app.workspaces.remove(name, reason=reason, give_up=give_up, by=operator())
    printer.record(
        {
            "name": name,
            "removed": True,
            "root": gone.root,
            "environment": gone.environment.name if gone.environment else None,
            **{
                called: [each.name for each in gone.kept if each.kind is kind]
                for kind, called in _KEPT.items()
            },
            "claims_given_up": list(gone.given_up),
        }
    )


@workspaces.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the registered folders."""
    known = await app.workspaces.every()
    using = await app.workspaces.environments()
    printer.rows(
        ("name", "root", "environment"),
        [
            {"name": name, "root": root, "environment": using.get(name)}
            for name, root in known.items()
        ],
        empty="No workspaces yet. Open one: tmws workspaces add NAME PATH.",
    )


def _absolute(path: Path) -> str:
    return str(path.expanduser().absolute())
