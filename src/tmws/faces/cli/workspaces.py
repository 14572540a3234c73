"""`tmws workspaces`: which folders may be checked."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.app import App
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app


@click.group()
def workspaces() -> None:
    """Open folders of this machine for checks."""


@workspaces.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--replace", is_flag=True, help="Let a name that is taken stand for PATH instead.")
@with_app
async def add(app: App, printer: Printer, name: str, path: Path, replace: bool) -> None:
    """Register the folder PATH under NAME; claims refer to the name."""
    root = _absolute(path)
    snapshot = await app.workspaces.add(name, root, replace=replace, by=operator())
    printer.record(
        {
            "name": name,
            "root": root,
            "files": len(snapshot.files),
            "left_out": len(snapshot.left_out),
            "snapshot_sha256": snapshot.digest,
        }
    )


@workspaces.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the registered folders."""
    known = await app.workspaces.every()
    printer.rows(
        ("name", "root"),
        [{"name": name, "root": root} for name, root in known.items()],
        empty="No workspaces yet. Open one: tmws workspaces add NAME PATH.",
    )


def _absolute(path: Path) -> str:
    return str(path.expanduser().absolute())
