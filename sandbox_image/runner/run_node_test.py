"""Runs test files with Node's own test runner, each in a process of its own.

Started as `python -I run_node_test.py /workspace/... ...`, every argument a file. What
is reported comes from this process, whose memory and descriptors the tests cannot open;
what they send here carries a secret that the parent gave to our modules alone.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import secrets
import sys
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append("/opt/tmws")

from tmws_channel import MAX_LISTED, MAX_TEXT, OUR_FOLDER, WORKSPACE, Send, open_channel

NODE = "/opt/node/bin/node"
PR_SET_DUMPABLE = 4
TOKEN = 16
# One line a test and one for its announcement; more tests in one file are not believed.
MOST_LINES = 40_000
MOST_BYTES = 16 * 1024 * 1024
IDS_PER_LINE = 20
MISSING_CODES = {"ERR_MODULE_NOT_FOUND", "MODULE_NOT_FOUND"}
MISSING = re.compile(r"Cannot find (?:package|module) '([^'./][^']*)'")
# Nothing of ours: a project sees what Node sees anywhere.
ENVIRONMENT = {name: os.environ[name] for name in ("HOME", "LANG", "TZ") if name in os.environ}
# Says that a parent runs this file, so that `only` hides no other test; Node's own words
# ("child", "child-v8") would have it report another way.
ENVIRONMENT["NODE_TEST_CONTEXT"] = "process"
ENVIRONMENT["PATH"] = "/opt/node/bin:/usr/local/bin:/usr/bin:/bin"


@dataclass(slots=True)
class FileRun:
    """How the tests of one file ended.

    Attributes:
        tests: name, outcome, message and missing package of each.
        whole: the runner told of the end, and every test that was announced ended.
    """

    path: str
    status: int = 0
    tests: list[tuple[str, str, str, str | None]] = field(default_factory=list)
    announced: int = 0
    ended: int = 0
    canary: str = "unfinished"
    crash: tuple[str, str | None] | None = None
    patched: list[str] = field(default_factory=list)
    finished: bool = False

    @property
    def whole(self) -> bool:
        return self.finished and self.announced == self.ended


def run_file(path: str) -> FileRun:
    """Run one file to its end and read what it told."""
    secret = secrets.token_hex(TOKEN // 2 * MOST_LINES).encode()
    reader, writer = os.pipe2(os.O_CLOEXEC)
    pad = os.memfd_create("secret", os.MFD_CLOEXEC)
    os.write(pad, secret)
    os.lseek(pad, 0, os.SEEK_SET)
    child = os.fork()
    if child == 0:
        become_node(path, writer, pad)
    os.close(writer)
    os.close(pad)
    said = read_all(reader)
    _, ended = os.waitpid(child, 0)
    run = FileRun(path.removeprefix(WORKSPACE + "/"), os.waitstatus_to_exitcode(ended))
    tell(run, said, secret.decode())
    return run


def become_node(path: str, writer: int, pad: int) -> None:
    """In the child: turn into Node, the report at 3 and the secret at 4."""
    try:
        os.dup2(os.dup(writer), 3)
        os.dup2(os.dup(pad), 4)
        os.closerange(5, 4096)
        words = [
            NODE,
            # A signal would have anybody here look into the process.
            "--disable-sigusr1",
            f"--import={OUR_FOLDER}/tmws_node_start.mjs",
            f"--test-reporter={OUR_FOLDER}/tmws_node_reporter.mjs",
            "--test-reporter-destination=stdout",
            path,
        ]
        os.execve(NODE, words, ENVIRONMENT)  # noqa: S606  (an absolute program of the image)
    finally:
        os._exit(126)


def read_all(reader: int) -> bytes:
    """Return what comes until the last holder of the other end is gone, up to a bound."""
    parts = []
    size = 0
    with open(reader, "rb", buffering=0) as stream:
        while part := stream.read(65536):
            size += len(part)
            if size <= MOST_BYTES:
                parts.append(part)
    return b"".join(parts)


def tell(run: FileRun, said: bytes, secret: str) -> None:
    """Take the lines over, up to the first that does not carry the secret."""
    for number, line in enumerate(said.decode("utf-8", "replace").split("\n")[:-1]):
        token, _, body = line.partition(" ")
        expected = secret[number * TOKEN : (number + 1) * TOKEN]
        if not expected or not secrets.compare_digest(token.encode(), expected.encode()):
            run.patched.append(f"the report of {run.path}")
            run.finished = False
            return
        kind, *fields = json.loads(body)
        if run.finished:
            by = ", by process.exit" if kind == "left" else ""
            run.patched.append(f"the end of {run.path}{by}")
            return
        take(run, kind, fields)


def take(run: FileRun, kind: str, fields: list[str]) -> None:
    """Take one line over."""
    first, second, message, code = fields
    if kind == "enqueued":
        run.announced += 1
    elif kind in {"test", "suite"}:
        run.ended += 1
        if run.ended == 1:  # ours, which must fail
            run.canary = "failed" if second == "xfailed" and message else "passed"
        elif kind == "test":
            run.tests.append((first, second, message, missing(message, code)))
    elif kind == "crashed":
        run.crash = (first, missing(first, second))
    elif kind == "patched":
        run.patched.append(first)
    elif kind == "end":
        run.finished = True


def missing(message: str, code: str) -> str | None:
    """Return the package whose absence an error tells of, if it does."""
    named = MISSING.search(message)
    return named[1][:MAX_TEXT] if code in MISSING_CODES and named else None


def report(send: Send, runs: list[FileRun]) -> int:
    """Report all files as one run, and return its exit status."""
    for run in runs:
        lost = run.crash or (("ended before its tests did", None) if not run.whole else None)
        crashed = run.status != 0 and not any(test[1] == "failed" for test in run.tests)
        failed = run.crash is not None and crashed
        send(
            "module",
            path=run.path,
            outcome="failed" if failed else "passed",
            message=lost[0].partition("\n")[0][:MAX_TEXT] if failed and lost else "",
            missing=lost[1] if failed and lost else None,
        )
        send("canary", path=run.path, outcome=run.canary)
    tests = [(name, *rest) for run in runs for name, *rest in numbered(run)]
    ids = [test[0] for test in tests]
    for start in range(0, len(ids), IDS_PER_LINE):
        send("collected", ids=ids[start : start + IDS_PER_LINE])
    send("selected", indices=list(range(len(ids))), deselected=0, unruly=[])
    for index, (_, outcome, message, lacking) in enumerate(tests):
        send("test", index=index, outcome=outcome, message=message, missing=lacking)
    status = 0 if all(run.status == 0 for run in runs) else 1
    if all(run.whole or run.crash for run in runs):
        patched = [what[:MAX_TEXT] for run in runs for what in run.patched]
        send("finished", status=status, hooks=[], patched=patched[:MAX_LISTED])
    return status


def numbered(run: FileRun) -> list[tuple[str, str, str, str | None]]:
    """Return the tests under ids of their own: names may repeat."""
    seen: dict[str, int] = {}
    found = []
    for name, outcome, message, lacking in run.tests:
        seen[name] = seen.get(name, 0) + 1
        suffix = f" ({seen[name]})" if seen[name] > 1 else ""
        shown = f"{run.path}::{name}"[: MAX_TEXT - 20] + suffix
        found.append((shown, outcome, message.partition("\n")[0], lacking))
    return found


def main() -> None:
    """Run the files that are named, one after another."""
    os.chdir(WORKSPACE)
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        sys.exit("cannot become unreadable for the tests")
    send = open_channel("node_test")
    runs = [run_file(path) for path in sys.argv[1:] if Path(path).is_file()]
    os._exit(report(send, runs))


main()
