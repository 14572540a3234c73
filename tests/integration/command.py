"""The `tmws` command as a user runs it: in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
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


_ONE_AFTER_ANOTHER = """
import contextlib, io, json, sys
from tmws.faces.cli.main import main
for line in json.loads(sys.argv[1]):
    sys.argv, status = ["tmws", *line], 0
    with contextlib.redirect_stdout(io.StringIO()) as out:
        with contextlib.redirect_stderr(io.StringIO()) as err:
            try:
                main()
            except SystemExit as ended:
                status = ended.code
    print(json.dumps([status, out.getvalue(), err.getvalue()]))
"""


def tmws(*words: str, data: Path, **settings: str) -> Ended:
    """Run a command on a data folder; settings are `TMWS_` names or whole ones."""
    done = _run("-m", "tmws", *words, data=data, **settings)
    return Ended(done.returncode, done.stdout, done.stderr)


def tmws_each(lines: Sequence[Sequence[str]], *, data: Path) -> list[Ended]:
    """Run commands one after another in one process, which is started once for all."""
    done = _run("-c", _ONE_AFTER_ANOTHER, json.dumps(lines), data=data)
    assert done.returncode == 0, done.stderr
    return [Ended(*json.loads(line)) for line in done.stdout.splitlines()]


def _run(*words: str, data: Path, **settings: str) -> subprocess.CompletedProcess[str]:
    clean = {key: value for key, value in os.environ.items() if not key.startswith("TMWS_")}
    return subprocess.run(
        [sys.executable, *words],
        env={**clean, "TMWS_DATA_DIR": str(data), **settings},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=ENOUGH_SECONDS,
        check=False,
    )
