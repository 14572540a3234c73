"""Times many runs of one script from outside of it.

Started as `python -I run_timing.py --runs=N --empty-runs=N --seconds=S /workspace/SCRIPT.py`.
Each run is a process of its own; wall time is taken around it, CPU time from the kernel,
whichever process used it. Empty runs come first, before any code of the workspace could
disturb them. After each run whatever it left running is killed, and files that it left are
noticed, so that no later run can take them away again.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import signal
import sys
import time
from typing import NamedTuple

sys.path.append("/opt/tmws")

from tmws_channel import SPARE_FD, WORKSPACE, open_channel

PR_SET_DUMPABLE = 4
PR_SET_CHILD_SUBREAPER = 36
WARM_UP_RUNS = 2
WATCHED = (WORKSPACE, "/tmp", "/dev/shm")  # noqa: S108  (what a run could keep something in)
PYTHON = "/opt/tmws/python"
CHILD = "/opt/tmws/timed_script.py"

# CPU time that the whole container has used, in control groups of version 1 and 2. What the
# kernel says of a child leaves out its own children if the child does not wait for them.
CPU_NANOSECONDS = "/sys/fs/cgroup/cpuacct/cpuacct.usage"
CPU_STATISTICS = "/sys/fs/cgroup/cpu.stat"

Tree = dict[str, tuple[int, int, int]]


class Run(NamedTuple):
    """One run: its wait status, wall and CPU time in nanoseconds, what was not there."""

    status: int
    wall: int
    cpu: int
    missing: str | None


def run(script: str | None) -> Run:
    """Run it once. Its hint is a pipe of this run alone: a pipe can keep things, too."""
    reader, hint = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    words = [PYTHON, "-I", CHILD, str(hint), *([script] if script else [])]
    used_before = used_by_all()
    began = time.monotonic_ns()
    child = os.fork()
    if child == 0:
        try:
            # The channel lies above; the hint is all that is handed on.
            os.closerange(SPARE_FD, 4096)
            os.set_inheritable(hint, True)
            os.execv(PYTHON, words)  # noqa: S606  (what this is for)
        finally:
            os._exit(127)
    _, status, used = os.wait4(child, 0)
    wall = time.monotonic_ns() - began
    seen = round((used.ru_utime + used.ru_stime) * 1e9)
    cpu = max(seen, used_by_all() - used_before)
    try:
        missing = os.read(reader, 200).decode("utf-8", "replace") or None
    except BlockingIOError:
        missing = None
    os.close(reader)
    os.close(hint)
    return Run(status, wall, cpu, missing)


def used_by_all() -> int:
    """Return the CPU time that all processes here have used, in nanoseconds; 0 if unknown."""
    with contextlib.suppress(OSError), open(CPU_NANOSECONDS) as file:
        return int(file.read())
    with contextlib.suppress(OSError), open(CPU_STATISTICS) as file:
        return 1000 * int(file.readline().removeprefix("usage_usec "))
    return 0


def end_the_rest() -> int:
    """Kill and reap whatever a run left; return how many that were."""
    ended = 0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return ended
        ended += 1


def tree() -> Tree:
    """Return what lies in the places that a run may write to; a change time can't be set."""
    found: Tree = {}
    for place in WATCHED:
        for folder, folders, files in os.walk(place):
            for name in (*folders, *files):
                path = f"{folder}/{name}"
                about = os.lstat(path)
                found[path] = (about.st_ino, about.st_size, about.st_ctime_ns)
    return found


def own_state() -> tuple[int, frozenset[int]]:
    """Return what a child could change of this process to bend its clock."""
    return os.getpriority(os.PRIO_PROCESS, 0), frozenset(os.sched_getaffinity(0))


def main() -> None:
    """Time the runs and report each."""
    options = argparse.ArgumentParser(allow_abbrev=False)
    options.add_argument("--runs", type=int)
    options.add_argument("--empty-runs", type=int)
    options.add_argument("--seconds", type=float)
    options.add_argument("script")
    given = options.parse_args()
    end = time.monotonic() + given.seconds
    os.chdir(WORKSPACE)
    control = ctypes.CDLL(None).prctl
    if control(PR_SET_DUMPABLE, 0, 0, 0, 0) or control(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0):
        sys.exit("cannot become unreadable for the script and heir of its children")
    send = open_channel("timing")
    before, state = tree(), own_state()
    left, left_files, ended = 0, False, Run(0, 0, 0, None)
    empty = [run(None) for _ in range(given.empty_runs + 1)][1:]
    timed: list[Run] = []
    for number in range(given.runs + WARM_UP_RUNS):
        if time.monotonic() > end:
            break
        ended = run(given.script)
        left += end_the_rest()
        left_files = left_files or tree() != before
        if ended.status:
            break
        if number >= WARM_UP_RUNS:
            timed.append(ended)
    for kind, runs in (("empty", empty), ("timed", timed)):
        send(kind, wall=[each.wall for each in runs], cpu=[each.cpu for each in runs])
    status = os.waitstatus_to_exitcode(ended.status)
    status = status & 0x7F if status < 0 else status
    send(
        "finished",
        status=status,
        missing=ended.missing if status == 1 else None,
        left_processes=left,
        left_files=left_files,
        disturbed=own_state() != state,
    )
    os._exit(status)


main()
