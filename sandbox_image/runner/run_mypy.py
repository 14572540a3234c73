"""Runs mypy on the workspace and reports what it found and what it looked at.

Started as `python -I run_mypy.py [--strict] /workspace/... ...`. The project's own
rules hold, except for what would run code of the workspace or swap the typeshed:
plugins, executables and reports are switched off, and said to be.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from pathlib import Path
from typing import Any

sys.path.append("/opt/tmws")
sys.path.append("/opt/tools")

from mypy.build import build
from mypy.errors import CompileError
from mypy.fscache import FileSystemCache
from mypy.main import process_options
from mypy.options import Options
from tmws_channel import (
    ENVIRONMENT,
    MAX_LISTED,
    MAX_TEXT,
    WORKSPACE,
    Send,
    open_channel,
    send_files,
)

MISSING_MODULE = re.compile(r'(?:module named|stubs (?:not installed )?for) "?([\w.]+)"?')
MISSING_CODES = {"import-not-found", "import-untyped", "import"}


def neutralise(options: Options) -> list[str]:
    """Switch off what could run or replace code; return what was asked for."""
    asked = [
        *(f"plugin {name}" for name in options.plugins),
        *(["custom_typeshed_dir"] if options.custom_typeshed_dir else []),
    ]
    options.plugins = []
    options.custom_typeshed_dir = options.abs_custom_typeshed_dir = None
    # Its search path leads to the typed packages of the image and of the environment.
    options.python_executable = sys.executable
    sys.path.append(ENVIRONMENT)
    options.install_types = options.non_interactive = False
    options.incremental = False
    options.cache_dir = os.devnull
    options.num_workers = 0
    options.report_dirs = {}
    options.output = "json"
    options.show_error_context = options.pretty = False
    if Path(WORKSPACE, "src").is_dir():  # as if the project were installed
        options.mypy_path.append(f"{WORKSPACE}/src")
    return asked


def check(targets: list[str], send: Send) -> tuple[int, dict[str, Any]]:
    """Return mypy's exit status and what to report about it."""
    cache = FileSystemCache()
    said = io.StringIO()
    arguments = ["--no-site-packages", *targets]
    try:
        sources, options = process_options(arguments, stdout=said, stderr=said, fscache=cache)
    except SystemExit:
        print(said.getvalue())
        return 2, {"message": said.getvalue().strip()[-MAX_TEXT:]}
    asked = neutralise(options)
    send_files(send, [str(source.path) for source in sources])
    lines: list[str] = []
    blocked = False
    try:
        build(sources, options, None, lambda _file, new, _serious: lines.extend(new), cache)
    except CompileError as error:
        lines.extend(error.messages)
        blocked = True
    return verdict(lines, asked, blocked=blocked)


def verdict(lines: list[str], asked: list[str], *, blocked: bool) -> tuple[int, dict[str, Any]]:
    """Return the exit status that these messages come to, and what to report."""
    found: list[str] = []
    missing: dict[str, None] = {}
    said: list[str] = []
    for line in lines:
        finding = read(line)
        if finding is None:
            said.append(line)
        elif finding["severity"] == "error":
            path = str(finding["file"]).removeprefix(WORKSPACE + "/")
            found.append(f"{path}:{finding['line']} {finding['code'] or 'error'}"[:MAX_TEXT])
            said.append(f"{path}:{finding['line']}: {finding['message']}")
            if finding["code"] in MISSING_CODES:
                name = MISSING_MODULE.search(str(finding["message"]))
                missing[name.group(1) if name else str(finding["message"])[:MAX_TEXT]] = None
    print("\n".join(said[:MAX_LISTED]) or "mypy found nothing")
    status = 2 if blocked else 1 if found else 0
    return status, {
        "found": len(found),
        "findings": found[:MAX_LISTED],
        "missing": list(missing)[:MAX_LISTED],
        "neutralised": asked[:MAX_LISTED],
        "message": "; ".join(said)[:MAX_TEXT] if blocked else "",
    }


def read(line: str) -> dict[str, Any] | None:
    """Return one of mypy's messages, None for a line of another kind."""
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) and "severity" in value else None


def main() -> None:
    """Check what the arguments name, and end with mypy's status."""
    os.chdir(WORKSPACE)
    send = open_channel("mypy")
    status, found = check(sys.argv[1:], send)
    send("finished", status=status, **found)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


main()
