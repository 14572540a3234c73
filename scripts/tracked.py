"""The files of the project, as git lists them."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def tracked_files(*patterns: str) -> list[Path]:
    """Return the files in the index that still exist, relative to the root, in order."""
    # Runners clone as one user and check as another, which git distrusts. Whoever runs
    # this file trusts the folder already.
    git = ["git", "-c", f"safe.directory={ROOT}"]
    listed = subprocess.run(
        [*git, "ls-files", "-z", "--", *patterns], cwd=ROOT, check=True, stdout=subprocess.PIPE
    ).stdout.decode()
    paths = (Path(name) for name in listed.split("\0") if name)
    return sorted(path for path in paths if (ROOT / path).is_file())
