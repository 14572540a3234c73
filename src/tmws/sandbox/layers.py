"""Images that stand on the sandbox image: one with Node, one for each environment."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Callable

from tmws import __version__
from tmws.domain.environments import Environment
from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox import stage
from tmws.sandbox.assets import image_folder
from tmws.sandbox.bases import Say
from tmws.sandbox.engine import Engine
from tmws.sandbox.image import (
    BASE_LABEL,
    INPUTS_LABEL,
    PROTOCOL,
    PROTOCOL_LABEL,
    BuiltImage,
    context,
    default_name,
    recipe_digest,
)
from tmws.sandbox.precompiler import precompile
from tmws.sandbox.tarballs import Entry

NODE = "tmws-sandbox-node"
ENVIRONMENT = "tmws-sandbox-env"
ENVIRONMENT_LABEL = "tmws.environment"
_INTERPRETER = "/opt/tmws/python"


@functools.cache
def node_name() -> str:
    """Return the name of the image with Node, which changes with what it is made from."""
    lock = (image_folder() / "node.lock").read_bytes()
    digest = hashlib.sha256(recipe_digest().encode() + lock).hexdigest()
    return f"{NODE}:{__version__}-{digest[:12]}"


def environment_name(environment: Environment) -> str:
    """Return the name of an environment's image: by its packages and the tools below."""
    return f"{ENVIRONMENT}:{environment.digest[:24]}-{recipe_digest()[:12]}"


def how_to_build(name: str) -> str:
    """Return the command that builds the image of this name."""
    if name.startswith(f"{NODE}:"):
        return "tmws sandbox build --node"
    return "tmws sandbox env build" if name.startswith(f"{ENVIRONMENT}:") else "tmws sandbox build"


def build_node(*, docker_host: str | None = None, say: Say = print) -> BuiltImage:
    """Return the image with Node, built unless the engine holds it.

    Raises:
        SandboxUnavailable: no engine, no sandbox image below it, or no wheel.
    """

    def entries(_engine: Engine, _parent: str) -> dict[str, Entry]:
        say("fetching the locked Node")
        return stage.node(image_folder() / "node.lock")

    return _layer(node_name(), entries, {}, docker_host, say)


def build_environment(
    environment: Environment, lock: str, *, docker_host: str | None = None, say: Say = print
) -> BuiltImage:
    """Return the image of an environment, built unless the engine holds it.

    Wheels are fetched and unpacked on this machine, and no code of theirs runs on it;
    they are compiled in a container without network.

    Raises:
        SandboxUnavailable: no engine, no sandbox image below it, or a wheel is not there
            or not the locked one.
    """

    def entries(engine: Engine, parent: str) -> dict[str, Entry]:
        say("fetching the locked packages")
        found = stage.packages(lock)
        say("compiling them")
        return found | precompile(engine, parent, _INTERPRETER, stage.sources(found))

    label = {ENVIRONMENT_LABEL: environment.digest}
    return _layer(environment_name(environment), entries, label, docker_host, say)


def _layer(
    name: str,
    entries: Callable[[Engine, str], dict[str, Entry]],
    labels: dict[str, str],
    docker_host: str | None,
    say: Say,
) -> BuiltImage:
    engine = Engine(docker_host)
    parent = default_name()
    try:
        held = engine.image(name)
        if held is not None:
            return BuiltImage(name, held.id, parent, built=False)
        if engine.image(parent) is None:
            raise SandboxUnavailable(
                f"The sandbox image {parent} is not there. Build it first: 'tmws sandbox build'.",
                retryable=False,
            )
        staged = entries(engine, parent)
        say("building the image")
        ours = {INPUTS_LABEL: name, PROTOCOL_LABEL: PROTOCOL, BASE_LABEL: parent}
        image_id = engine.build(
            io.BytesIO(context(staged)),
            name=name,
            arguments={"BASE_IMAGE": parent},
            labels=ours | labels,
        )
        return BuiltImage(name, image_id, parent, built=True)
    finally:
        engine.close()
