"""What is copied onto the base: the tools from locked wheels, and our own programs."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox.assets import image_folder
from tmws.sandbox.tarballs import Entry, files_below

PYTHON_VERSION = "3.11"
TOOLS = "opt/tools"
PROGRAMS = "opt/tmws"
ENVIRONMENT = "opt/environment"
NODE = "opt/node"
# What is a program of its own stays; the other tools are started by our runner, and
# their generated scripts would name the interpreter of this machine.
_PROGRAM = b"\x7fELF"
# Written by the installer: they differ from machine to machine.
LEFT_OUT = frozenset({"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_cache.json"})
_SECONDS_TO_INSTALL = 600


def tools(lock: Path) -> dict[str, Entry]:
    """Return the files of the locked wheels, below `opt/tools`.

    Every wheel is checked against its hash in the lock; nothing is built or run.

    Raises:
        SandboxUnavailable: a wheel can't be fetched, or is not the locked one.
    """
    return {name: entry for name, entry in _unpacked(lock, TOOLS).items() if _belongs(name, entry)}


def packages(lock: str) -> dict[str, Entry]:
    """Return the files of an environment's wheels, below `opt/environment`.

    Raises:
        SandboxUnavailable: a wheel can't be fetched, or is not the locked one.
    """
    with tempfile.TemporaryDirectory(prefix="tmws-lock-") as folder:
        file = Path(folder, "requirements.lock")
        file.write_text(lock)
        found = _unpacked(file, ENVIRONMENT)
    return {name: entry for name, entry in found.items() if _belongs(name, entry)}


def node(lock: Path) -> dict[str, Entry]:
    """Return Node itself with its licence, below `opt/node`.

    Raises:
        SandboxUnavailable: the wheel can't be fetched, or is not the locked one.
    """
    found = _unpacked(lock, "wheel")
    program = next(entry for name, entry in found.items() if name.endswith("/bin/node"))
    licences = [entry for name, entry in found.items() if Path(name).name == "LICENSE"]
    kept = {f"{NODE}/bin/node": Entry(program.content, executable=True)}
    return kept | {f"{NODE}/LICENSE": licence for licence in licences[:1]}


def _unpacked(lock: Path, at: str) -> dict[str, Entry]:
    with tempfile.TemporaryDirectory(prefix="tmws-stage-") as folder:
        _install(lock, Path(folder))
        return files_below(Path(folder), at=at)


def programs(interpreter: str) -> dict[str, Entry]:
    """Return PID 1, the runners and the link to the interpreter, below `opt/tmws`."""
    folder = image_folder()
    ours = [folder / "init.py", *sorted((folder / "runner").glob("*.py"))]
    ours += sorted((folder / "runner").glob("*.mjs"))
    found = {f"{PROGRAMS}/{path.name}": Entry(path.read_bytes()) for path in ours}
    return found | {f"{PROGRAMS}/python": Entry(link=interpreter)}


def sources(entries: dict[str, Entry]) -> dict[str, Entry]:
    """Return those that Python would compile."""
    return {name: entry for name, entry in entries.items() if name.endswith(".py")}


def _belongs(name: str, entry: Entry) -> bool:
    path = Path(name)
    if path.parent in (Path(TOOLS, "bin"), Path(ENVIRONMENT, "bin")):
        return entry.content.startswith(_PROGRAM)
    # A `.pth` file only acts in a site folder, which this is not.
    return path.name not in LEFT_OUT and path.suffix not in (".pth", ".pyc", ".lock")


def _install(lock: Path, folder: Path) -> None:
    done = subprocess.run(  # noqa: S603  (fixed words, no shell)
        [*_installer(), "--target", str(folder), "--requirement", str(lock)],
        check=False,
        capture_output=True,
        timeout=_SECONDS_TO_INSTALL,
    )
    if done.returncode != 0:
        raise SandboxUnavailable(
            "The locked packages could not be fetched: "
            f"{done.stderr.decode(errors='replace').strip()[-200:]}"
        )


def _installer() -> list[str]:
    """Return the command that unpacks wheels for the image's Python, not for this one."""
    locked = ["--require-hashes", "--no-deps", "--only-binary=:all:", "--quiet"]
    if importlib.util.find_spec("pip") is not None:
        tags = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
        platforms = [f"--platform={tag}" for tag in tags]
        target = [f"--python-version={PYTHON_VERSION}", "--implementation=cp", "--abi=cp311"]
        pip = [sys.executable, "-m", "pip", "install", "--no-compile"]
        return [*pip, *locked, *platforms, *target]
    if (uv := shutil.which("uv")) is not None:
        target = [f"--python-version={PYTHON_VERSION}", "--python-platform=x86_64-manylinux_2_28"]
        return [uv, "pip", "install", *locked, *target]
    raise SandboxUnavailable(
        "Building the sandbox image needs pip or uv to fetch the locked tools; install one of "
        "them ('python3 -m ensurepip').",
        retryable=False,
    )
