"""What the image stands on: Debian packages put together here, or a public Python image.

Both carry Python 3.11, so that one set of locked wheels fits.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Protocol

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox.assets import image_folder
from tmws.sandbox.engine import Engine
from tmws.sandbox.tarballs import TIMESTAMP

Say = Callable[[str], None]

PUBLIC_PYTHON = "python:3.11-slim-bookworm"
DEBIAN_PACKAGES = (
    "coreutils",
    "dash",
    "diffutils",
    "findutils",
    "grep",
    "libstdc++6",
    "netbase",
    "python3.11",
    "sed",
    "tzdata",
)
_MERGED_USR = 'for d in bin sbin lib lib64; do mkdir -p "$1/usr/$d"; ln -s "usr/$d" "$1/$d"; done'
_SECONDS_TO_BOOTSTRAP = 600


class BaseKind(StrEnum):
    """Which base to take; `auto` is Debian where mmdebstrap is installed."""

    AUTO = "auto"
    DEBIAN = "debian"
    PUBLIC = "public"


class Base(Protocol):
    """An image to build on."""

    @property
    def interpreter(self) -> str:
        """Where its Python is."""
        ...

    def identity(self) -> str:
        """Return a name that changes when the content would."""
        ...

    def provide(self, engine: Engine, say: Say) -> str:
        """Make sure that the engine holds it; return its name there.

        Raises:
            SandboxUnavailable: it can be neither made nor fetched here.
        """
        ...


@dataclass(frozen=True, slots=True)
class DebianBase:
    """The fewest Debian packages that run Python and a shell; no registry is needed.

    The archive is made once and kept in `cache` under the digest of its recipe;
    `fresh` makes it again, with the packages of today.
    """

    cache: Path
    fresh: bool = False
    interpreter: str = "/usr/bin/python3.11"

    @property
    def recipe(self) -> Path:
        """The script that prepares the extracted packages."""
        return image_folder() / "debian-base.sh"

    def identity(self) -> str:
        """Return the digest of the packages' names and the script."""
        parts = ["debian", *DEBIAN_PACKAGES, self.recipe.read_text()]
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def provide(self, engine: Engine, say: Say) -> str:
        """Bootstrap the archive unless it is cached, and import it."""
        archive = self.cache / f"debian-base-{self.identity()[:16]}.tar"
        if self.fresh or not archive.is_file():
            say("putting the Debian base together (mmdebstrap)")
            self._bootstrap(archive)
        digest = _sha256(archive)
        tag = digest[:16]
        if engine.image(f"tmws-sandbox-base:{tag}") is None:
            say("importing the base into the engine")
            engine.import_archive(archive, repository="tmws-sandbox-base", tag=tag)
        return f"tmws-sandbox-base:{tag}"

    def _bootstrap(self, archive: Path) -> None:
        if shutil.which("mmdebstrap") is None:
            raise SandboxUnavailable(
                "The Debian base needs mmdebstrap: 'apt-get install mmdebstrap', or run "
                "'tmws sandbox build --base public'.",
                retryable=False,
            )
        try:
            archive.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SandboxUnavailable(
                f"The cache folder {archive.parent} cannot be made: {error.strerror}. "
                "Choose another by XDG_CACHE_HOME.",
                retryable=False,
            ) from error
        unfinished = archive.with_name(f"{archive.name}.{os.getpid()}")
        try:
            done = subprocess.run(  # noqa: S603  (fixed words, no shell)
                self._command(unfinished),
                check=False,
                capture_output=True,
                env={**os.environ, "SOURCE_DATE_EPOCH": str(TIMESTAMP)},
                timeout=_SECONDS_TO_BOOTSTRAP,
            )
            if done.returncode != 0:
                raise SandboxUnavailable(
                    "mmdebstrap could not make the Debian base: "
                    f"{_last_line(done.stderr)}. Is Debian's mirror reachable? "
                    "'tmws sandbox build --base public' takes a public Python image instead."
                )
            unfinished.replace(archive)
        finally:
            unfinished.unlink(missing_ok=True)

    def _command(self, archive: Path) -> list[str]:
        # No mirror named: mmdebstrap knows Debian's own for the release and its security
        # updates, and checks their signatures.
        return [
            "mmdebstrap",
            "--quiet",
            "--variant=extract",
            "--format=tar",
            f"--include={','.join(DEBIAN_PACKAGES)}",
            f"--setup-hook={_MERGED_USR}",
            f"--extract-hook={self.recipe}",
            "--skip=output/dev",
            "--skip=cleanup/apt",
            "bookworm",
            str(archive),
        ]


@dataclass(frozen=True, slots=True)
class PublicBase:
    """A public Python 3.11 image, by name and digest (`python@sha256:…`)."""

    reference: str = PUBLIC_PYTHON
    interpreter: str = "/usr/local/bin/python3.11"

    def identity(self) -> str:
        """Return the reference itself."""
        return f"public\0{self.reference}"

    def provide(self, engine: Engine, say: Say) -> str:
        """Pull it unless the engine holds it already."""
        if engine.image(self.reference) is None:
            say(f"pulling {self.reference}")
            engine.pull(self.reference)
        return self.reference


def choose(
    kind: BaseKind, *, cache: Path, reference: str | None = None, fresh: bool = False
) -> Base:
    """Return the base to build on.

    Args:
        reference: the public image, if that is the base; without one, the newest
            patch of Python 3.11 on Debian 12.
    """
    if kind is BaseKind.AUTO:
        # An ordinary user's mmdebstrap needs `newuidmap` to become root in its own world.
        able = os.geteuid() == 0 or shutil.which("newuidmap") is not None
        local = reference is None and able and shutil.which("mmdebstrap") is not None
        kind = BaseKind.DEBIAN if local else BaseKind.PUBLIC
    if kind is BaseKind.DEBIAN:
        return DebianBase(cache, fresh=fresh)
    return PublicBase(reference or PUBLIC_PYTHON)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _last_line(output: bytes) -> str:
    lines = output.decode(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else "no output"
