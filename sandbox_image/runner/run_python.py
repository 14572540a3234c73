"""Runs one script of the workspace in a child and reports how it ended.

Started as `python -I run_python.py [--output=/workspace/FILE] [/workspace/SCRIPT.py]`.
The report comes from the parent, whose memory and descriptors the child cannot open. A
file that is asked for has to be written by the script: one that was there before goes.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import runpy
import signal
import stat
import sys
from pathlib import Path

sys.path.append("/opt/tmws")

from tmws_channel import ENVIRONMENT, OUR_FOLDER, SPARE_FD, WORKSPACE, Send, open_channel

PR_SET_DUMPABLE = 4
LARGEST_OUTPUT = 64 * 1024
HEX_PER_LINE = 4000


def run_script(script: str, hint: int) -> None:
    """In the child: become the script; tell the parent when a module is not there."""
    paths = [path for path in (f"{WORKSPACE}/src", WORKSPACE) if Path(path).is_dir()]
    library = [entry for entry in sys.path if entry != OUR_FOLDER]
    sys.path[:] = [str(Path(script).parent), *library, *paths, ENVIRONMENT]
    os.environ["PYTHONPATH"] = os.pathsep.join([*paths, ENVIRONMENT])
    sys.argv = [script]
    try:
        runpy.run_path(script, run_name="__main__")
    except ModuleNotFoundError as error:
        top = str(error.name).partition(".")[0]
        found = [Path(root, name) for root in sys.path for name in (top, f"{top}.py")]
        if not any(path.exists() for path in found):
            os.write(hint, top[:200].encode("utf-8", "replace"))
        raise


def forget(path: str) -> None:
    """Take away what lies there, so that only what the script writes is found."""
    with contextlib.suppress(OSError):
        os.unlink(path)


def send_output(send: Send, path: str) -> None:
    """Report the content of a plain file of bounded size; nothing of any other."""
    with contextlib.suppress(OSError):
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        found = os.fstat(file)
        if stat.S_ISREG(found.st_mode) and 0 < found.st_size <= LARGEST_OUTPUT:
            content = os.read(file, LARGEST_OUTPUT).hex()
            for start in range(0, len(content), HEX_PER_LINE):
                send("output", hex=content[start : start + HEX_PER_LINE])


def main() -> None:
    """Run the script, and end as it ended."""
    options = argparse.ArgumentParser(allow_abbrev=False)
    options.add_argument("--output")
    options.add_argument("script", nargs="?")
    given = options.parse_args()
    os.chdir(WORKSPACE)
    set_dumpable = ctypes.CDLL(None).prctl
    if set_dumpable(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        sys.exit("cannot become unreadable for the script")
    send = open_channel("python")
    if given.script is None:
        send_output(send, given.output)
        send("finished", status=0, missing=None)
        return
    if given.output is not None:
        forget(given.output)
    reader, writer = os.pipe2(os.O_CLOEXEC)
    child = os.fork()
    if child == 0:
        os.closerange(SPARE_FD, 4096)  # the channel
        os.close(reader)
        set_dumpable(PR_SET_DUMPABLE, 1, 0, 0, 0)
        run_script(given.script, writer)
        return
    os.close(writer)
    _, ended = os.waitpid(child, 0)
    os.set_blocking(reader, False)
    try:
        missing = os.read(reader, 200).decode("utf-8", "replace") or None
    except BlockingIOError:
        missing = None
    if os.WIFSIGNALED(ended):
        signal.signal(os.WTERMSIG(ended), signal.SIG_DFL)
        os.kill(os.getpid(), os.WTERMSIG(ended))
    status = os.waitstatus_to_exitcode(ended)
    if given.output is not None:
        send_output(send, given.output)
    send("finished", status=status, missing=missing if status == 1 else None)
    os._exit(status)


main()
