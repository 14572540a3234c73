"""`tmws refs`: tests and settings that verdicts at level `pinned` rest on."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.app import App
from tmws.domain.errors import InvalidInput
from tmws.faces.cli.kept import show
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app


@click.group()
def refs() -> None:
    """Register tests and settings that verdicts may trust."""


@refs.command()
@click.argument("name")
@click.option("--workspace", required=True, help="Whose tests and settings they replace.")
@click.option("--git-ref", help="A commit id, branch or tag of the workspace's repository.")
@click.option("--snapshot", help="Digest of the workspace as it is now.")
@click.option(
    "--folder", type=click.Path(path_type=Path), help="A folder that agents cannot write to."
)
@click.option("--paths", help="Default tests/ and test/; more may follow, divided by spaces.")
@click.argument("more", nargs=-1, metavar="[PATH]...")
@with_app
async def add(
    app: App,
    printer: Printer,
    name: str,
    more: tuple[str, ...],
    *,
    workspace: str,
    git_ref: str | None,
    snapshot: str | None,
    folder: Path | None,
    paths: str | None,
) -> None:
    """Copy trusted tests and settings into the store under NAME.

    Test files, conftest.py and settings are always trusted; --paths names what else is.

    A commit is read without running git. A branch is what the repository says it is now:
    look at the commit id that is shown, or give one.
    """
    wanted = (*([paths] if paths else []), *more)
    given = [each for each in (git_ref, snapshot, folder) if each is not None]
    if len(given) != 1:
        raise InvalidInput("Say where they come from: one of --git-ref, --snapshot, --folder.")
    if git_ref is not None:
        made = await app.trusted_refs.add_commit(name, workspace, git_ref, wanted, by=operator())
    elif snapshot is not None:
        made = await app.trusted_refs.add_snapshot(name, workspace, snapshot, wanted, by=operator())
    else:
        root = _absolute(given[0])
        made = await app.trusted_refs.add_folder(name, workspace, root, wanted, by=operator())
    printer.record(
        {
            "name": name,
            "workspace": workspace,
            "source": made.kept.source,
            "files": len(made.files),
            "sha256": made.kept.digest,
            "tests": ", ".join(made.tests) or "no module of the workspace",
        }
    )


@refs.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the refs; of a workspace the newest counts."""
    show(
        printer,
        await app.trusted_refs.every(),
        empty="No trusted refs yet. Register one: tmws refs add NAME --workspace W --git-ref REF.",
    )


@refs.command()
@click.argument("name")
@with_app
async def remove(app: App, printer: Printer, name: str) -> None:
    """Trust NAME no longer; verdicts that rest on it stay."""
    await app.trusted_refs.remove(name, by=operator())
    printer.record({"name": name, "removed": True})


def _absolute(path: Path | str) -> str:
    return str(Path(path).expanduser().absolute())
