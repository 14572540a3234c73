"""The images of ours that an engine holds: which serve now, and which are left over."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tmws.domain.environments import Environment
from tmws.sandbox.engine import Engine, ImageFacts
from tmws.sandbox.image import INPUTS_LABEL, default_name
from tmws.sandbox.layers import environment_name, node_name
from tmws.sandbox.owners import PRODUCT, PRODUCT_LABEL, process_of

REPOSITORIES = ("tmws-sandbox", "tmws-sandbox-node", "tmws-sandbox-env")


@dataclass(frozen=True, slots=True)
class HeldImage:
    """An image of ours that the engine holds.

    Attributes:
        current: this version of tmws would run checks in it.
        users: containers that stand on it now.
    """

    name: str
    id: str
    bytes: int
    current: bool
    users: int

    def serves(self, environment: Environment) -> bool:
        """Say whether checks with this environment run in it."""
        return self.name == environment_name(environment)


@dataclass(frozen=True, slots=True)
class Seen:
    """An engine, and what of ours it holds.

    Attributes:
        engine: its name and version.
        images: ours, the newest first.
        containers: process and number of its containers: runs, and slots kept ready.
    """

    engine: str
    images: tuple[HeldImage, ...]
    containers: tuple[tuple[str, int], ...]


def look(
    environments: Collection[Environment] = (),
    *,
    docker_host: str | None = None,
    repositories: Collection[str] = REPOSITORIES,
) -> Seen:
    """Return what the engine holds of ours.

    Args:
        environments: those that are registered; images of others are left over.
        repositories: names that images of ours have, before the colon.

    Raises:
        SandboxUnavailable: no engine answers.
    """
    with _engine(docker_host) as engine:
        owners = Counter(
            process_of(one.labels) for one in engine.containers(f"{PRODUCT_LABEL}={PRODUCT}")
        )
        return Seen(
            f"{engine.version()} at {engine.address}",
            tuple(_held(engine, environments, repositories)),
            tuple(sorted(owners.items())),
        )


def prune(
    environments: Collection[Environment],
    *,
    docker_host: str | None = None,
    repositories: Collection[str] = REPOSITORIES,
) -> list[HeldImage]:
    """Remove our images that are left over and that no container uses; return them.

    An image of another version of tmws counts as left over, even if its installation
    beside this one still wants it: that one builds it again.
    """
    removed = []
    with _engine(docker_host) as engine:
        for image in _held(engine, environments, repositories):
            if not image.current and not image.users and engine.forget_image(image.name):
                removed.append(image)
    return removed


def forget(environment: Environment, *, docker_host: str | None = None) -> bool:
    """Remove the image of an environment, and say whether there was one to remove."""
    with _engine(docker_host) as engine:
        name = environment_name(environment)
        return engine.image(name) is not None and engine.forget_image(name)


def _held(
    engine: Engine, environments: Collection[Environment], repositories: Collection[str]
) -> list[HeldImage]:
    current = {default_name(), node_name(), *map(environment_name, environments)}
    used = engine.image_users()
    return [
        HeldImage(image.name, image.id, image.bytes, image.name in current, used.get(image.id, 0))
        for image in engine.images(INPUTS_LABEL)
        if _is_ours(image, repositories)
    ]


def _is_ours(image: ImageFacts, repositories: Collection[str]) -> bool:
    return image.name.rpartition(":")[0] in repositories


@contextlib.contextmanager
def _engine(docker_host: str | None) -> Iterator[Engine]:
    engine = Engine(docker_host)
    try:
        yield engine
    finally:
        engine.close()
