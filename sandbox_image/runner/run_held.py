"""Asks the workspace's code questions, each in a process of its own, and reports the answers.

Started as `python -I run_held.py /workspace/.questions-TOKEN.json`. This process knows the
questions only: what the answers should be never comes here. Its memory and descriptors
cannot be opened by the children, and nothing of theirs outlives the question.
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from typing import Any

sys.path.append("/opt/tmws")

from tmws_channel import OUR_FOLDER, WORKSPACE, open_channel

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
MAX_ANSWER_BYTES = 8192
# No bytecode: what one process writes is not for the next.
ANSWER = ("/opt/tmws/python", "-I", "-B", f"{OUR_FOLDER}/tmws_answer.py")


def command(question: dict[str, Any]) -> tuple[list[str], bytes]:
    """Return what is started for a question, and its standard input."""
    if "call" in question:
        words = [*ANSWER, "call", question["call"]]
        return words, json.dumps([question["arguments"], question["keywords"]]).encode()
    words = [*ANSWER, "script", question["script"], *question["words"]]
    return words, question["stdin"].encode()


def asked(question: dict[str, Any], seconds: float) -> dict[str, Any]:
    """Start a process for the question and return how it answered."""
    words, stdin = command(question)
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        child = subprocess.Popen(  # noqa: S603  our own program, words of the administrator
            words,
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=WORKSPACE,
            start_new_session=True,
        )
    assert child.stdout is not None
    with child.stdout as pipe:
        said, ended = read(pipe.fileno(), child.pid, time.monotonic() + seconds)
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        status = child.wait()
        end_everything()
    return {
        "status": status if ended and status >= 0 else None,
        "timed_out": not ended and len(said) <= MAX_ANSWER_BYTES,
        "cut": len(said) > MAX_ANSWER_BYTES,
        "stdout": base64.b64encode(said[:MAX_ANSWER_BYTES]).decode(),
    }


def read(pipe: int, pid: int, deadline: float) -> tuple[bytes, bool]:
    """Return what was said until the process ended, and whether it did by itself."""
    os.set_blocking(pipe, False)
    ended = os.pidfd_open(pid)
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(ended, select.POLLIN)
    said = b""
    try:
        while len(said) <= MAX_ANSWER_BYTES and (left := deadline - time.monotonic()) > 0:
            ready = [fd for fd, _ in poll.poll(left * 1000)]
            part = taken(pipe)
            said += part
            if ended in ready and not part:
                return said, True
            if not part and pipe in ready:  # closed, while the process goes on
                poll.unregister(pipe)
        return said, False
    finally:
        os.close(ended)


def taken(pipe: int) -> bytes:
    """Return what is in the pipe now."""
    try:
        return os.read(pipe, MAX_ANSWER_BYTES + 1)
    except BlockingIOError:
        return b""


def end_everything() -> None:
    """Kill and reap every process but this one and its parent."""
    while True:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def main() -> None:
    """Ask everything, and report each answer at once."""
    prctl = ctypes.CDLL(None).prctl
    if prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) or prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        sys.exit("cannot keep apart from what is asked")
    with open(sys.argv[1], encoding="utf-8") as file:
        held = json.load(file)
    os.unlink(sys.argv[1])
    os.chdir(WORKSPACE)
    send = open_channel("held")
    for question in held["questions"]:
        send("answer", **asked(question, held["seconds"]))
    send("finished", status=0)
    os._exit(0)


main()
