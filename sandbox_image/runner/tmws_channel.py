"""The runners' way out: sealed lines on the report channel.

Standard library only. What this module needs is taken hold of here, before any code
of the workspace is imported, so that replacing `json.dumps` later changes nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterable
from hashlib import blake2b
from typing import Any

OUR_FOLDER = "/opt/tmws"
TOOLS = "/opt/tools"
# Packages that an administrator added for a project; not there without any.
ENVIRONMENT = "/opt/environment"
WORKSPACE = "/workspace"
# Our parser refuses a report with longer parts.
MAX_TEXT = 1000
MAX_LISTED = 50

REPORT_FD = 3
SPARE_FD = 64
SEAL_BYTES = 16
PATHS_PER_LINE = 50

Send = Callable[..., None]


def open_channel(tool: str) -> Send:
    """Move the channel out of reach of children, say what starts, return the sender.

    `send(kind, **fields)` writes one line: `<seal> <json>`, the seal being BLAKE2b over
    the line's number and text under a key that only the first line tells.
    """
    channel = fcntl.fcntl(REPORT_FD, fcntl.F_DUPFD_CLOEXEC, SPARE_FD)
    os.close(REPORT_FD)
    key = os.urandom(32)
    keyed = blake2b(key=key, digest_size=SEAL_BYTES)
    encode = json.JSONEncoder(ensure_ascii=True, separators=(",", ":")).encode
    write, process, owner = os.write, os.getpid, os.getpid()
    number = 0

    def put(line: bytes) -> None:
        while line:
            line = line[write(channel, line) :]

    def send(kind: str, **record: Any) -> None:
        nonlocal number
        if process() != owner:  # a test forked and its child came back through us
            return
        number += 1
        body = encode({"kind": kind, **record}).encode()
        seal = keyed.copy()
        seal.update(number.to_bytes(8, "big") + body)
        put(seal.hexdigest().encode() + b" " + body + b"\n")

    first = {"kind": "started", "tool": tool, "key": key.hex()}
    put(b"- " + encode(first).encode() + b"\n")
    return send


def send_files(send: Send, paths: Iterable[str], kind: str = "files") -> None:
    """Report which files were looked at, relative to the workspace."""
    known = [path.removeprefix(WORKSPACE + "/")[:MAX_TEXT] for path in paths]
    for start in range(0, len(known), PATHS_PER_LINE):
        send(kind, paths=known[start : start + PATHS_PER_LINE])
