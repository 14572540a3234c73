"""`tmws sandbox`: the image that checks run in, and whether it holds."""

from __future__ import annotations

import click

from tmws.app import App
from tmws.domain.errors import SandboxUnavailable
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option, with_app
from tmws.sandbox.bases import BaseKind
from tmws.sandbox.image import build as build_image


@click.group()
def sandbox() -> None:
    """Build the sandbox image and test what it must deny."""


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
@json_option
def build(base: str, base_image: str | None, fresh: bool, as_json: bool) -> None:
    """Build the image, unless an up-to-date one is there."""
    printer = Printer(as_json=as_json)
    image = build_image(
        base=BaseKind(base), base_image=base_image, fresh_base=fresh, say=printer.say
    )
    printer.record({"image": image.name, "id": image.id, "base": image.base, "built": image.built})


@sandbox.command()
@with_app
async def check(app: App, printer: Printer) -> None:
    """Try from inside what must be denied; exit 7 if anything was possible."""
    probes = await app.sandbox.check()
    printer.rows(
        ("held", "name", "observed"),
        [{"held": probe.held, "name": probe.name, "observed": probe.observed} for probe in probes],
        empty="",
    )
    broken = [probe.name for probe in probes if not probe.held]
    if broken:
        raise SandboxUnavailable(
            f"The sandbox does not hold: {', '.join(broken)}. Checks are refused until it does.",
            retryable=False,
        )
