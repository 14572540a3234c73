"""Source distributions, fetched by version and hash; no code of theirs runs on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from collections.abc import Collection
from pathlib import Path

HERE = Path(__file__).parent
BACKENDS = ("flit_core.buildapi", "hatchling.build", "setuptools.build_meta")
# pip wants metadata of whatever it downloads. A source distribution brings its own, so
# this stands in the place of the project's build backend, whichever that is.
METADATA = """
import sys
from email import message_from_string
from pathlib import Path

__legacy__ = sys.modules[__name__]


def prepare_metadata_for_build_wheel(folder, settings=None):
    text = Path("PKG-INFO").read_text(encoding="utf-8")
    known = message_from_string(text)
    name = known["Name"].replace("-", "_")
    kept = Path(folder, f"{name}-{known['Version']}.dist-info")
    kept.mkdir()
    (kept / "METADATA").write_text(text, encoding="utf-8")
    return kept.name


def build_wheel(*words, **more):
    raise NotImplementedError
"""


def fetch(projects: Collection[str], folder: Path) -> dict[str, Path]:
    """Return where each project was unpacked, below `folder`."""
    lines = (HERE / "sources.lock").read_text().splitlines()
    wanted = [line for line in lines if line.partition("==")[0] in projects]
    lock, sent = folder / "sources.lock", folder / "sent"
    lock.write_text("\n".join(wanted))
    words = ["--quiet", "--no-input", "--require-hashes", "--no-deps", "--no-binary=:all:"]
    words += ["--use-pep517", "--no-build-isolation"]
    done = subprocess.run(
        [sys.executable, "-m", "pip", "download", *words, "-d", str(sent), "-r", str(lock)],
        env={**os.environ, "PYTHONPATH": str(_backends(folder / "backends"))},
        check=False,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"The source distributions could not be fetched: {done.stderr[-500:]}")
    return {
        _unpacked(file, folder): folder / file.name.removesuffix(".tar.gz")
        for file in sent.iterdir()
    }


def _unpacked(file: Path, folder: Path) -> str:
    """Unpack one distribution and return the name of its project."""
    with tarfile.open(file) as archive:
        archive.extractall(folder, filter="data")
    return file.name.rpartition("-")[0].replace("_", "-")


def _backends(folder: Path) -> Path:
    for backend in BACKENDS:
        package, _, module = backend.partition(".")
        (folder / package).mkdir(parents=True)
        (folder / package / "__init__.py").touch()
        (folder / package / f"{module}.py").write_text(METADATA)
    return folder
