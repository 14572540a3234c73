"""`tmws store`: the whole store elsewhere, for a move or a backup."""

from __future__ import annotations

import shutil
from pathlib import Path

import click
from pydantic import SecretStr

from tmws.app import App, open_app
from tmws.config import Settings
from tmws.domain.errors import BackendUnavailable, Conflict, InvalidInput, LedgerCorrupt
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import with_app
from tmws.services.copying import Copied


@click.group()
def store() -> None:
    """Copy the whole store, to move it or to keep it."""


@store.command()
@click.argument("target")
@with_app
async def copy(app: App, printer: Printer, target: str) -> None:
    """Copy everything into TARGET as it is at one moment, and verify the copy.

    TARGET is a new folder, which becomes a data folder with a SQLite database, the signing key
    and a checkpoint; or postgresql://USER@HOST/NAME, an empty database, which takes the
    database alone: key and checkpoint stay in the data folder.
    """
    if "://" in target:
        if not target.startswith("postgresql"):
            raise InvalidInput(
                "TARGET is refused: name a new folder or postgresql://USER@HOST/NAME."
            )
        settings = app.settings.model_copy(update={"database_url": SecretStr(target)})
        copied = await app.copying.into(settings.url)
        entries, shown = await _verified(settings), "PostgreSQL"
    else:
        folder = _absolute(target)
        copied, entries = await _into_folder(app, folder)
        shown = str(folder)
    printer.record({"copied_to": shown, "rows": copied.rows, "entries": entries, "holds": True})


def _absolute(folder: str) -> Path:
    return Path(folder).expanduser().absolute()


async def _into_folder(app: App, folder: Path) -> tuple[Copied, int]:
    """Make a data folder beside its place, verify it, and let it appear there."""
    begun = _begun(folder)
    settings = app.settings.model_copy(update={"data_dir": begun, "database_url": None})
    try:
        copied = await app.copying.into(settings.url)
        _put(settings.checkpoint_file, copied.checkpoint.encode())
        _put(settings.key_file, app.settings.key_file.read_bytes())
        entries = await _verified(settings)
        begun.rename(folder)
    except OSError as error:
        raise BackendUnavailable(
            f"{folder} cannot be written: {error.strerror}. Nothing was kept of the copy."
        ) from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)  # nothing is left of it once it was renamed
    return copied, entries


def _begun(folder: Path) -> Path:
    """Make the folder that a copy is written into before it has its name."""
    if folder.exists():
        raise Conflict(f"{folder} is there already. Nothing was copied. Name a new folder.")
    begun = folder.with_name(f"{folder.name}.copying")
    try:
        begun.mkdir(mode=0o700)
    except OSError as error:
        raise InvalidInput(
            f"{begun} cannot be made: {error.strerror}. Nothing was copied. Name a folder in one "
            "that is there; remove what a copy left that was cut off."
        ) from error
    return begun


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(content)


async def _verified(settings: Settings) -> int:
    """Return how many entries the copy's ledger has, once all of them were seen to hold."""
    async with open_app(settings) as copied:
        report = await copied.audit.verify()
    if not report.holds:
        raise LedgerCorrupt(
            f"The copy's ledger does not hold: {report.problems[0].what} Do not use it. See "
            "whether the original does: tmws ledger verify."
        )
    return report.size
