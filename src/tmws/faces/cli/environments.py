"""`tmws sandbox env`: packages that checks of a project run with."""

from __future__ import annotations

import asyncio
from pathlib import Path

import click

from tmws.app import App
from tmws.domain.environments import environment, requirements
from tmws.domain.errors import InvalidInput, NotFound
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import operator, with_app
from tmws.sandbox.layers import build_environment
from tmws.sandbox.shelf import forget, look


@click.group()
def env() -> None:
    """Add the packages that a project's checks need."""


@env.command()
@click.argument("name")
@click.argument("lock", type=click.Path(path_type=Path))
@click.option("--plugin", "plugins", multiple=True, help="A pytest plugin to load, by its module.")
@with_app
async def add(app: App, printer: Printer, name: str, lock: Path, plugins: tuple[str, ...]) -> None:
    """Make the environment NAME of LOCK: 'name==version --hash=sha256:...' lines."""
    text = await asyncio.to_thread(_text, lock)
    wanted = environment(name, text, plugins)
    image = await asyncio.to_thread(build_environment, wanted, text, say=printer.say)
    await app.environments.add(wanted, text, by=operator())
    printer.record(
        {
            "name": name,
            "digest": wanted.digest,
            "packages": len(requirements(text)),
            "plugins": wanted.plugins,
            "image": image.name,
        }
    )


@env.command()
@click.argument("name", required=False)
@with_app
async def build(app: App, printer: Printer, name: str | None) -> None:
    """Build the image of NAME, or of all environments, again: after an update of tmws."""
    kept = [one for one in await app.environments.every() if name in {None, one.environment.name}]
    if name is not None and not kept:
        raise NotFound(f"No environment {name[:64]!r}. See: tmws sandbox env list.")
    built = [
        await asyncio.to_thread(build_environment, one.environment, one.lock, say=printer.say)
        for one in kept
    ]
    printer.rows(
        ("image", "built"),
        [{"image": image.name, "built": image.built} for image in built],
        empty="No environments yet. Add one: tmws sandbox env add NAME requirements.lock.",
    )


@env.command("list")
@with_app
async def listed(app: App, printer: Printer) -> None:
    """List the environments, what they hold and who uses them."""
    images = (await asyncio.to_thread(look)).images
    printer.rows(
        ("name", "packages", "plugins", "workspaces", "ready", "digest"),
        [
            {
                "name": kept.environment.name,
                "packages": len(requirements(kept.lock)),
                "plugins": kept.environment.plugins,
                "workspaces": kept.workspaces,
                "ready": any(image.serves(kept.environment) for image in images),
                "digest": kept.environment.digest,
            }
            for kept in await app.environments.every()
        ],
        empty="No environments yet. Add one: tmws sandbox env add NAME requirements.lock.",
    )


@env.command()
@click.argument("name")
@with_app
async def remove(app: App, printer: Printer, name: str) -> None:
    """Forget the environment NAME, which no workspace uses, and its image."""
    kept = await app.environments.remove(name, by=operator())
    removed = await asyncio.to_thread(forget, kept.environment)
    printer.record({"name": name, "digest": kept.environment.digest, "image_removed": removed})


def _text(lock: Path) -> str:
    try:
        return lock.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InvalidInput(f"The lock {lock} cannot be read: {reason}.") from error
