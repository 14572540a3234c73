"""The Docker engine behind the few calls that the sandbox needs.

Everything here blocks; callers run it in threads. The `docker` package is imported
on first use, because that alone takes a tenth of a second. Its exceptions end here.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from socket import AF_UNIX, SHUT_RDWR, socket
from typing import Any, BinaryIO

from tmws.domain.errors import SandboxUnavailable

DEFAULT_ADDRESS = "unix:///var/run/docker.sock"
API_TIMEOUT_SECONDS = 60
REMOVE_SECONDS = 30.0
REMOVE_PAUSE_SECONDS = 0.05

ContainerConfig = dict[str, Any]
"""The body of `POST /containers/create`, spelled as the Engine API does."""


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """An image that the engine holds, by the name it was asked for; `id` names its content."""

    name: str
    id: str
    labels: Mapping[str, str]
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class ContainerFacts:
    """A container of ours, running or not."""

    id: str
    labels: Mapping[str, str]


class Attachment:
    """An open connection to a container's streams.

    For local engines the client hands out a reading wrapper; the connection ends only
    when that is closed too.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream
        self.socket: socket = getattr(stream, "_sock", stream)

    def hang_up(self) -> None:
        """End the conversation; a thread that is blocked in it wakes up."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(SHUT_RDWR)

    def close(self) -> None:
        """Hang up and give the descriptor back."""
        self.hang_up()
        self.socket.close()
        self._stream.close()


class Engine:
    """One Docker engine.

    Args:
        docker_host: its address, e.g. `unix:///run/docker.sock`; None takes
            `DOCKER_HOST` and its companions from the environment, else the default.
    """

    def __init__(self, docker_host: str | None = None) -> None:
        self._address = docker_host or os.environ.get("DOCKER_HOST") or DEFAULT_ADDRESS
        self._from_environment = docker_host is None
        self._client: Any = None
        self._connecting = threading.Lock()

    @property
    def api(self) -> Any:
        """The low-level client, connected on first use."""
        _require_listener(self._address)
        with self._connecting:
            if self._client is None:
                self._client = self._connect()
            return self._client

    def _connect(self) -> Any:
        import docker.utils  # noqa: PLC0415  (0.1 s that a server without claims never pays)

        with self._translated("be reached"):
            where: dict[str, Any] = {"base_url": self._address}
            if self._from_environment:
                # With DOCKER_HOST come the certificates that it needs.
                where |= docker.utils.kwargs_from_env()
            return docker.APIClient(version="auto", timeout=API_TIMEOUT_SECONDS, **where)

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        with self._connecting:
            if self._client is not None:
                self._client.close()
            self._client = None

    @contextlib.contextmanager
    def _translated(self, deed: str) -> Iterator[None]:
        """Turn whatever the client raises into words for whoever has to act."""
        import docker.errors  # noqa: PLC0415
        import requests  # noqa: PLC0415

        try:
            yield
        except docker.errors.APIError as error:
            raise SandboxUnavailable(
                f"The Docker engine could not {deed}: {_first_words(error)}. Nothing was judged. "
                "'tmws doctor' says what is missing."
            ) from error
        except (docker.errors.DockerException, requests.RequestException, OSError) as error:
            raise SandboxUnavailable(
                f"No Docker engine answers (it could not {deed}). Nothing was judged. Start it "
                "with 'make sandbox' or by hand; 'tmws doctor' says what is missing."
            ) from error

    def identity(self) -> str:
        """Return the engine's own id, which outlives its restarts."""
        with self._translated("describe itself"):
            return str(self.api.info()["ID"])

    @property
    def address(self) -> str:
        """Where it listens."""
        return self._address

    def version(self) -> str:
        """Return its version, for people."""
        with self._translated("describe itself"):
            return f"Docker {self.api.version()['Version']}"

    def architecture(self) -> str:
        """Return the engine's machine type, e.g. `x86_64`."""
        with self._translated("describe itself"):
            return str(self.api.info()["Architecture"])

    def image(self, name: str) -> ImageFacts | None:
        """Return what the engine knows of the image, None if it is not there."""
        import docker.errors  # noqa: PLC0415

        with self._translated("look an image up"):
            try:
                found = self.api.inspect_image(name)
            except docker.errors.ImageNotFound:
                return None
        return ImageFacts(name, id=found["Id"], labels=found["Config"].get("Labels") or {})

    def create(self, config: ContainerConfig) -> str:
        """Create a container and return its id. Never pulls an image."""
        with self._translated("create a container"):
            return str(self.api.create_container_from_config(config)["Id"])

    def attach(self, container: str) -> Attachment:
        """Return the connection that carries the container's three standard streams."""
        with self._translated("attach to a container"):
            stream = self.api.attach_socket(
                container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
        return Attachment(stream)

    def start(self, container: str) -> None:
        """Start it; attach before, or its first words are lost."""
        with self._translated("start a container"):
            self.api.start(container)

    def remove(self, container: str) -> None:
        """Kill and remove it, and return when it is gone; one that was gone is no error."""
        import docker.errors  # noqa: PLC0415

        deadline = time.monotonic() + REMOVE_SECONDS
        with self._translated("remove a container"):
            while True:
                try:
                    self.api.remove_container(container, force=True, v=True)
                except docker.errors.NotFound:
                    return
                except docker.errors.APIError:
                    # Somebody else is removing it (409), or the engine lost a race with
                    # the container's end (500): ask again until it is gone.
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(REMOVE_PAUSE_SECONDS)

    def died_of_memory(self, container: str, *, since: float, patience: float) -> bool:
        """Whether the kernel killed something in it for memory and then it ended.

        PID 1 of a container cannot be killed from inside, so an end without an
        answer is either the engine's doing or that of the memory limit.
        """
        import docker.errors  # noqa: PLC0415

        with self._translated("tell how a container ended"):
            # It may be removed already: then its events tell.
            with contextlib.suppress(docker.errors.NotFound):
                self.api.wait(container, timeout=patience)
            events = self.api.events(
                since=int(since),
                until=int(time.time()) + 1,
                filters={"container": [container], "event": ["oom"]},
            )
            with contextlib.closing(events):
                return any(True for _ in events)

    def import_archive(self, archive: Path, *, repository: str, tag: str) -> None:
        """Make an image of a root file system."""
        with self._translated("import the base image"):
            self.api.import_image_from_file(str(archive), repository=repository, tag=tag)

    def pull(self, reference: str) -> None:
        """Fetch an image from its registry."""
        import docker.utils  # noqa: PLC0415

        with self._translated(f"pull {reference}"):
            repository, tag = docker.utils.parse_repository_tag(reference)
            self.api.pull(repository, tag=tag or "latest")

    def build(
        self,
        context: BinaryIO,
        *,
        name: str,
        arguments: Mapping[str, str],
        labels: Mapping[str, str],
    ) -> str:
        """Build from a tar with a Dockerfile, without network; return the image's id."""
        with self._translated("build the image"):
            steps = self.api.build(
                fileobj=context,
                custom_context=True,
                tag=name,
                buildargs=dict(arguments),
                labels=dict(labels),
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            )
            for step in steps:
                if "error" in step:
                    raise SandboxUnavailable(f"The image could not be built: {step['error'][:200]}")
        built = self.image(name)
        if built is None:
            raise SandboxUnavailable(f"The engine built {name} but does not hold it.")
        return built.id

    def forget_image(self, image: str) -> bool:
        """Remove an image, unless something still stands on it; say whether it is gone."""
        import docker.errors  # noqa: PLC0415

        with self._translated("remove an image"), contextlib.suppress(docker.errors.APIError):
            self.api.remove_image(image)
            return True
        return False

    def images(self, label: str) -> tuple[ImageFacts, ...]:
        """Return every named image with this label, the newest first; one name, one entry."""
        with self._translated("list images"):
            found = self.api.images(filters={"label": [label]})
        return tuple(
            ImageFacts(name, one["Id"], one["Labels"] or {}, one["Size"])
            for one in sorted(found, key=lambda one: -one["Created"])
            for name in one["RepoTags"] or ()
        )

    def image_users(self) -> dict[str, int]:
        """Return how many containers, running or not, stand on each image, by its id."""
        with self._translated("list containers"):
            found = self.api.containers(all=True)
        users: dict[str, int] = {}
        for one in found:
            users[one["ImageID"]] = users.get(one["ImageID"], 0) + 1
        return users

    def containers(self, label: str) -> tuple[ContainerFacts, ...]:
        """Return every container with this label, running or not."""
        with self._translated("list containers"):
            found = self.api.containers(all=True, filters={"label": [label]})
        return tuple(ContainerFacts(id=one["Id"], labels=one["Labels"] or {}) for one in found)


def _require_listener(address: str) -> None:
    """Fail at once where nobody listens: there the client forgets to close its sockets."""
    scheme, _, path = address.partition("://")
    if scheme in ("unix", "http+unix"):
        with socket(AF_UNIX) as door:
            door.settimeout(API_TIMEOUT_SECONDS)
            door.connect(f"/{path.lstrip('/')}")


def _first_words(error: Exception) -> str:
    words = str(getattr(error, "explanation", None) or error).strip().splitlines()
    return words[0][:160] if words else type(error).__name__
