"""The `tmws` command as a user runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.patience import ENOUGH_SECONDS


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    output: str
    errors: str

    def document(self) -> Any:
        """Return what `--json` printed."""
        return json.loads(self.output)


def tmws(*words: str, data: Path, **settings: str) -> Ended:
    """Run a command on a data folder; settings are `TMWS_` names or whole ones."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TMWS_")}
    done = subprocess.run(
        [sys.executable, "-m", "tmws", *words],
        env={**clean, "TMWS_DATA_DIR": str(data), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)
