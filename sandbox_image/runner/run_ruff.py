"""Runs `ruff check` on the workspace and reports what it found and what it looked at.

Started as `python -I run_ruff.py /workspace/... ...`. The project's own rules hold.
No code of the workspace runs; what its configuration leaves out shows in the list of
files, what its comments silence shows in the number of suppressed findings.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

sys.path.append("/opt/tmws")

from tmws_channel import MAX_LISTED, MAX_TEXT, TOOLS, WORKSPACE, open_channel, send_files

CHECK = (
    f"{TOOLS}/bin/ruff",
    "check",
    "--no-cache",
    "--no-fix",
    "--no-fix-only",
    "--no-respect-gitignore",
    "--output-format=json",
)


def ruff(*words: str) -> subprocess.CompletedProcess[str]:
    """Run our ruff with these options or targets."""
    return subprocess.run(  # noqa: S603  an absolute program and paths of the manifest
        [*CHECK, *words], capture_output=True, check=False, encoding="utf-8", errors="replace"
    )


def described(finding: dict[str, Any]) -> str:
    """Return `path:line code` of one finding."""
    location = finding.get("location") or {}
    path = str(finding.get("filename")).removeprefix(WORKSPACE + "/")
    return f"{path}:{location.get('row', 0)} {finding.get('code') or 'invalid-syntax'}"[:MAX_TEXT]


def main() -> None:
    """Check what the arguments name, and end with ruff's own status."""
    targets = sys.argv[1:]
    os.chdir(WORKSPACE)
    send = open_channel("ruff")
    checked = ruff(*targets)
    sys.stderr.write(checked.stderr)
    if checked.returncode not in {0, 1}:
        send("finished", status=checked.returncode, message=checked.stderr.strip()[:MAX_TEXT])
        sys.exit(checked.returncode)
    send_files(send, ruff("--show-files", *targets).stdout.splitlines())
    findings = [described(finding) for finding in json.loads(checked.stdout)]
    silenced = len(json.loads(ruff("--ignore-noqa", *targets).stdout))
    send(
        "finished",
        status=checked.returncode,
        found=len(findings),
        findings=findings[:MAX_LISTED],
        suppressed=max(0, silenced - len(findings)),
    )
    print("\n".join(findings[:MAX_LISTED]) or "ruff found nothing")
    sys.exit(checked.returncode)


main()
