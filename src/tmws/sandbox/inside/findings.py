"""What an attempt is, and how its finding gets out."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable

Finding = tuple[bool, str]
Attempt = Callable[[], Finding]

REPORT_FD = 3
DENIED = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EROFS})


def words(error: OSError) -> str:
    """Return the error as the kernel names it."""
    return errno.errorcode.get(error.errno or 0, str(error))


def in_child(attempt: Attempt) -> Finding:
    """Run an attempt that would change this process in a child of its own."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, json.dumps(attempt()).encode())
        os._exit(0)
    os.close(writer)
    _, status = os.waitpid(child, 0)
    answer = os.read(reader, 4096)
    os.close(reader)
    if not answer:
        return False, f"ended with status {status}"
    held, observed = json.loads(answer)
    return bool(held), str(observed)


def report(name: str, held: bool, observed: str) -> None:
    """Tell one finding to whoever started this."""
    os.write(REPORT_FD, json.dumps([name, held, observed]).encode() + b"\n")
