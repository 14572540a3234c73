"""`tmws sandbox`: the image that checks run in, and whether it holds."""

from __future__ import annotations

import asyncio

import click

from tmws.app import App, added_profiles
from tmws.config import load_settings
from tmws.domain.commands import PROFILES
from tmws.domain.errors import SandboxUnavailable
from tmws.faces.cli import probing, server_states
from tmws.faces.cli.environments import env
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option, with_app
from tmws.sandbox.bases import BaseKind
from tmws.sandbox.image import build as build_image
from tmws.sandbox.layers import build_node
from tmws.sandbox.shelf import look, prune


@click.group()
def sandbox() -> None:
    """Build the sandbox image and test what it must deny."""


sandbox.add_command(env)


@sandbox.command()
@click.option(
    "--base",
    type=click.Choice([kind.value for kind in BaseKind]),
    default=BaseKind.AUTO.value,
    show_default=True,
    help="What the image stands on.",
)
@click.option("--base-image", help="A public Python 3.11 image, best by digest.")
@click.option("--fresh", is_flag=True, help="Make the Debian base again, with today's packages.")
@click.option("--node", is_flag=True, help="Build the image with Node on it, too.")
@json_option
def build(base: str, base_image: str | None, *, fresh: bool, node: bool, as_json: bool) -> None:
    """Build the image, unless an up-to-date one is there."""
    printer = Printer(as_json=as_json)
    image = build_image(
        base=BaseKind(base), base_image=base_image, fresh_base=fresh, say=printer.say
    )
    built = {"image": image.name, "id": image.id, "base": image.base, "built": image.built}
    if node:
        layer = build_node(say=printer.say)
        built |= {"node_image": layer.name, "node_id": layer.id, "node_built": layer.built}
    printer.record(built)


@sandbox.command()
@with_app
async def status(app: App, printer: Printer) -> None:
    """Show engine, images, environments, containers, and how each server's sandbox stands."""
    kept = await app.environments.every()
    servers = await asyncio.to_thread(server_states.read, app.settings.data_dir)
    try:
        seen = await asyncio.to_thread(look, [one.environment for one in kept])
    except SandboxUnavailable:
        printer.record({"servers": servers})
        raise
    lacking = [
        one.environment.name
        for one in kept
        if not any(image.serves(one.environment) for image in seen.images)
    ]
    printer.record(
        {
            "engine": seen.engine,
            "images": [image.name for image in seen.images if image.current],
            "left_over": [image.name for image in seen.images if not image.current],
            "environments": [one.environment.name for one in kept],
            "not_built": lacking,
            "containers": [f"{count} of process {owner}" for owner, count in seen.containers],
            "servers": servers,
        }
    )


@sandbox.command()
@json_option
def profiles(*, as_json: bool) -> None:
    """List by what claims can be checked: built-in profiles, and those of TMWS_PROFILES."""
    rows = [
        {"profile": each.name, "form": each.form, "starts": " ".join(each.prefix), "level": ""}
        for each in PROFILES
    ]
    rows += [
        {
            "profile": each.name,
            "form": each.form,
            "starts": " ".join(each.prefix),
            "level": f"at most {each.level.value}",
        }
        for each in added_profiles(load_settings()).every
    ]
    Printer(as_json=as_json).rows(("profile", "form", "starts", "level"), rows, empty="")


@sandbox.command("prune")
@with_app
async def pruned(app: App, printer: Printer) -> None:
    """Remove images of other versions of tmws, and of environments that are gone."""
    known = [kept.environment for kept in await app.environments.every()]
    removed = await asyncio.to_thread(prune, known)
    printer.rows(
        ("image", "id", "bytes"),
        [{"image": image.name, "id": image.id, "bytes": image.bytes} for image in removed],
        empty="Nothing is left over.",
    )


@sandbox.command()
@with_app
async def check(app: App, printer: Printer) -> None:
    """Try from inside what must be denied; exit 7 if anything was possible."""
    probing.show(
        printer,
        await app.sandbox.check(),
        holder="The sandbox does not hold",
        so="Checks are refused until it does.",
    )
