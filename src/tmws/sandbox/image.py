"""Build the image that checks run in, unless the engine holds it already."""

from __future__ import annotations

import functools
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from platformdirs import user_cache_path

from tmws import __version__
from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox import stage, tarballs
from tmws.sandbox.assets import image_folder
from tmws.sandbox.bases import Base, BaseKind, Say, choose
from tmws.sandbox.engine import Engine
from tmws.sandbox.precompiler import precompile
from tmws.sandbox.tarballs import Entry

INPUTS_LABEL = "tmws.image.inputs"
PROTOCOL_LABEL = "tmws.image.protocol"
BASE_LABEL = "org.opencontainers.image.base.name"
# Raised when `init.py` and `frames.py` change what they say to each other.
PROTOCOL = "2"
ARCHITECTURE = "x86_64"
_BUILD_INPUTS = ("Dockerfile", "init.py", "precompile.py", "requirements.lock")
_EMPTY_FOLDERS = ("workspace",)


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is ready.

    Attributes:
        built: False if the engine held it already.
    """

    name: str
    id: str
    base: str
    built: bool


def build(
    *,
    docker_host: str | None = None,
    name: str | None = None,
    base: BaseKind = BaseKind.AUTO,
    base_image: str | None = None,
    fresh_base: bool = False,
    cache: Path | None = None,
    say: Say = print,
) -> BuiltImage:
    """Return the image, built from the shipped files if its inputs have changed.

    Args:
        name: what to call it; `default_name()` if None.
        base_image: a public Python 3.11 image to build on, best by digest.
        fresh_base: make the Debian base again, with the packages of today.
        cache: where the Debian base is kept; the user's cache folder if None.
        say: told what is going on, in a few words; prints it by default.

    Raises:
        SandboxUnavailable: no engine, no base or no wheels; the message says which.
    """
    name = name or default_name()
    engine = Engine(docker_host)
    try:
        _require_known_architecture(engine)
        chosen = choose(
            base, cache=cache or user_cache_path("tmws"), reference=base_image, fresh=fresh_base
        )
        inputs = content_hash(chosen)
        held = engine.image(name)
        if held is not None and held.labels.get(INPUTS_LABEL) == inputs and not fresh_base:
            return BuiltImage(name, held.id, held.labels.get(BASE_LABEL, ""), built=False)
        built = _build(engine, name, chosen, inputs, say)
        if held is not None and held.id != built.id:
            engine.forget_image(held.id)
        return built
    finally:
        engine.close()


def content_hash(base: Base) -> str:
    """Return the digest of everything that the image is made from."""
    return hashlib.sha256((base.identity() + recipe_digest()).encode()).hexdigest()


@functools.cache
def recipe_digest() -> str:
    """Return the digest of the shipped files that make the image, whatever its base."""
    folder = image_folder()
    files = [folder / file for file in _BUILD_INPUTS]
    files += sorted((folder / "runner").iterdir())
    files += sorted(Path(__file__).with_name(f"{module}.py") for module in ("stage", "tarballs"))
    digest = hashlib.sha256()
    for part in _name_and_content(files):
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()


def default_name() -> str:
    """Return the image's name, which changes with its recipe.

    So a server never runs checks in the image of other sources than its own, and two
    checkouts beside one engine don't replace each other's.
    """
    return f"tmws-sandbox:{__version__}-{recipe_digest()[:12]}"


def _name_and_content(files: Iterable[Path]) -> Iterable[bytes]:
    for file in [file for file in files if file.is_file()]:
        yield file.name.encode()
        yield file.read_bytes()


def _require_known_architecture(engine: Engine) -> None:
    found = engine.architecture()
    if found != ARCHITECTURE:
        raise SandboxUnavailable(
            f"The sandbox's list of system calls was tested on {ARCHITECTURE} only; this engine "
            f"runs on {found}. Point DOCKER_HOST at an {ARCHITECTURE} engine.",
            retryable=False,
        )


def _build(engine: Engine, name: str, base: Base, inputs: str, say: Say) -> BuiltImage:
    base_name = base.provide(engine, say)
    say("fetching the locked tools")
    entries = stage.tools(image_folder() / "requirements.lock") | stage.programs(base.interpreter)
    say("compiling them with the base's Python")
    compiled = precompile(engine, base_name, base.interpreter, stage.sources(entries))
    say("building the image")
    image_id = engine.build(
        io.BytesIO(context(entries | compiled)),
        name=name,
        arguments={"BASE_IMAGE": base_name},
        labels={
            INPUTS_LABEL: inputs,
            PROTOCOL_LABEL: PROTOCOL,
            "org.opencontainers.image.title": "tmws sandbox",
            "org.opencontainers.image.version": __version__,
            BASE_LABEL: base_name,
        },
    )
    return BuiltImage(name, image_id, base_name, built=True)


def context(entries: dict[str, Entry]) -> bytes:
    """Return what the engine builds from: the Dockerfile, and what it copies onto a base."""
    staged = {f"stage/{path}": entry for path, entry in entries.items()}
    dockerfile = Entry((image_folder() / "Dockerfile").read_bytes())
    return tarballs.packed(
        staged | {"Dockerfile": dockerfile},
        folders=[f"stage/{folder}" for folder in _EMPTY_FOLDERS],
    )
