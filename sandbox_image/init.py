"""PID 1 of the sandbox: one request in, one child, one answer out, the end.

Standard library only, started as `python -I -S init.py`. It says `R` when it is
ready, reads one request from standard input, lays the files out below
`/workspace`, runs one child in its own session, and writes one answer to standard
output. The tested program has pipes of its own and never this process's channel. The
child is there before the request, as an interpreter that waits (see `starter.py`): so
no check waits for one, and what is told to the child is the command alone.

The owner says every now and then that he is still there, by 4 zero bytes before the
request; one who is silent for a minute, or takes nothing for so long, is gone.

Request: 4 bytes (big-endian) length of the header, the header, the contents of the
files one after another. Header, JSON: `argv`, `files` ([path, bytes, executable]),
`wall_seconds`, `output_bytes`, `kept_bytes`, `report_bytes`.
Answer: 4 bytes length of the header, the header, then what was kept of standard
output, of standard error, and of the report channel (file descriptor 3 of the child).
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import select
import signal
import sys
import time
from typing import Any, NoReturn

WORKSPACE = "/workspace"
STARTER = ["/opt/tmws/python", "-I", "/opt/tmws/starter.py"]
MAX_HEADER_BYTES = 8 * 1024 * 1024
CHUNK = 64 * 1024
HEARD = b"\0"
"""What the waiting interpreter answers to its words; one that was killed cannot."""
MAX_WORDS = 1000
# A killed engine may forget this container and leave its end of the channel open.
PATIENCE_SECONDS = 60.0
PR_SET_DUMPABLE = 4
# Numbers below this are given out by hand in the child: 0, 1, 2, 3 for the report, and
# 4 and 5 to the starter alone.
FIRST_SPARE_FD = 10
MOST_FILES_OPEN = 4096
# A hostile program at full speed must not starve the process that has to end it.
CHILD_NICENESS = 10

# Nothing is inherited: the same program sees the same environment on every machine.
ENVIRONMENT = {
    "HOME": "/tmp",  # noqa: S108  (a fresh tmpfs of this run alone)
    "LANG": "C.UTF-8",
    "MYPY_CACHE_DIR": "/dev/null",
    "PATH": "/opt/tools/bin:/usr/local/bin:/usr/bin:/bin",
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
    "RUFF_NO_CACHE": "true",
    "TZ": "UTC",
}

Header = dict[str, Any]

libc = ctypes.CDLL(None)


class Refused(Exception):
    """The request cannot be carried out; the host gets the words."""


class Owner:
    """The host's end of the channel, on standard input and output."""

    def read(self, size: int) -> bytes:
        """Return exactly `size` bytes; an early end means that nobody waits any more."""
        parts = []
        while size:
            part = self._heard(min(size, CHUNK))
            if not part:
                sys.exit(0)
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def read_size(self) -> int:
        """Return the length of the request's header, however long it takes to come."""
        while not (size := int.from_bytes(self.read(4), "big")):
            pass
        return size

    def write(self, data: bytes) -> None:
        os.set_blocking(1, False)
        view = memoryview(data)
        while view:
            self._await(1, select.POLLOUT)
            with contextlib.suppress(BlockingIOError):
                view = view[os.write(1, view) :]

    def answer(self, header: dict[str, Any], *bodies: bytes) -> None:
        encoded = json.dumps(header).encode()
        self.write(len(encoded).to_bytes(4, "big") + encoded)
        for body in bodies:
            self.write(body)

    def wait(self) -> None:
        """Read until the owner hangs up: an engine stalls on what nobody reads any more."""
        while self._heard(CHUNK):
            pass

    def _heard(self, size: int) -> bytes:
        self._await(0, select.POLLIN)
        return os.read(0, size)

    @staticmethod
    def _await(fd: int, event: int) -> None:
        """Return when the owner has done his part; one who never does is gone."""
        poll = select.poll()
        poll.register(fd, event)
        if not poll.poll(PATIENCE_SECONDS * 1000):
            sys.exit(0)


class Meters:
    """Counters of this container's control group, version 1 or 2.

    Opened before a program runs: it could lower the number of files that this process
    may open, but not take back what is open.
    """

    def __init__(self) -> None:
        group = "/sys/fs/cgroup"
        if os.path.exists(group + "/memory.events"):
            self._events = self._open(group + "/memory.events")
            self._peak = self._open(group + "/memory.peak")
        else:
            self._events = self._open(group + "/memory/memory.oom_control")
            self._peak = self._open(group + "/memory/memory.max_usage_in_bytes")

    @staticmethod
    def _open(path: str) -> int | None:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None

    def oom_kills(self) -> int | None:
        """Return how many processes the kernel killed for memory, None if unknown."""
        if self._events is None:
            return None
        for line in os.pread(self._events, 4096, 0).decode().splitlines():
            name, _, count = line.partition(" ")
            if name == "oom_kill":
                return int(count)
        return None

    def peak_bytes(self) -> int:
        return 0 if self._peak is None else int(os.pread(self._peak, 64, 0))


class Stream:
    """One pipe from the child: keeps the beginning, counts everything."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self.reader, False)
        self.limit = self.room = self.total = 0
        self.kept: list[bytes] = []
        self.open = True

    def bound(self, limit: int, kept: int) -> None:
        """Say how much may come, and how much of it is kept."""
        self.limit, self.room = limit, kept

    def drain(self) -> bool:
        """Read what is there, at most one chunk; return whether there may be more."""
        try:
            data = os.read(self.reader, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.open = False
            return False
        self.total += len(data)
        part = data[: self.room]
        self.room -= len(part)
        if part:
            self.kept.append(part)
        return True

    @property
    def exceeded(self) -> bool:
        return self.total > self.limit


def harden() -> None:
    """Make this process unreadable and unkillable for its own child.

    A process that is not dumpable belongs to root in /proc, so the child, who has
    the same user id, cannot open its memory or its descriptors. The kernel drops
    signals without a handler for PID 1 when they come from inside: Python's own
    handler for SIGINT has to go.
    """
    if libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        sys.exit("cannot become non-dumpable")
    os.closerange(3, MOST_FILES_OPEN)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def checked_segments(path: str) -> list[str]:
    """Return the parts of a path that stays below the workspace."""
    segments = path.split("/")
    if path.startswith("/") or any(part in ("", ".", "..") or "\0" in part for part in segments):
        raise Refused(f"path {path!r} does not stay below the workspace")
    return segments


def unpack(owner: Owner, files: list[tuple[str, int, bool]]) -> None:
    """Lay the files out as they arrive; none of them is held in memory."""
    known: set[str] = set()
    for path, size, executable in files:
        folder = WORKSPACE
        for segment in checked_segments(path)[:-1]:
            folder += "/" + segment
            if folder not in known:
                os.mkdir(folder, 0o755)
                known.add(folder)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        target = os.open(f"{WORKSPACE}/{path}", flags, 0o755 if executable else 0o644)
        try:
            for start in range(0, size, CHUNK):
                part = owner.read(min(size - start, CHUNK))
                while part:
                    part = part[os.write(target, part) :]
        finally:
            os.close(target)


def fall_first() -> None:
    """In the child: be the one that the kernel ends when memory is short.

    The file belongs to root while the process is not dumpable; there is no secret in
    this copy of PID 1, and in a moment it is another program.
    """
    libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0)
    with open("/proc/self/oom_score_adj", "w") as score:
        score.write("1000")


def become(argv: list[str], ends: list[int]) -> NoReturn:
    """In the child: turn into the program with these descriptors, or say on the last why not."""
    failure = ends[-1]
    try:
        os.setsid()
        os.chdir(WORKSPACE)
        os.nice(CHILD_NICENESS)
        fall_first()
        for number in (signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        parked = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, FIRST_SPARE_FD) for end in ends]
        failure = parked[-1]
        for place, end in enumerate(parked):
            os.dup2(end, place)
        os.execve(argv[0], argv, ENVIRONMENT)  # noqa: S606  (what this is for)
    except BaseException as error:
        os.write(failure, f"{argv[0]}: {error}".encode(errors="replace")[:MAX_WORDS])
    finally:
        os._exit(127)


class Child:
    """The one process that is run: an interpreter that waits, then the program."""

    def __init__(self) -> None:
        self.streams = [Stream(), Stream(), Stream()]
        words, self._words = os.pipe2(os.O_CLOEXEC)
        self._failed, failure = os.pipe2(os.O_CLOEXEC)
        nothing = os.open("/dev/null", os.O_RDONLY | os.O_CLOEXEC)
        ends = [nothing, *(stream.writer for stream in self.streams), words, failure]
        self.pid = os.fork()
        if self.pid == 0:
            become(STARTER, ends)
        for end in ends:
            os.close(end)

    def start(self, argv: list[str]) -> None:
        """Tell it the command, and return once it has become that."""
        if any("\0" in word for word in argv):
            raise Refused("a command cannot hold NUL")
        words = os.fsencode("\0".join(argv))
        with contextlib.suppress(BrokenPipeError):
            while words:
                words = words[os.write(self._words, words) :]
        os.close(self._words)
        told = b"".join(iter(lambda: os.read(self._failed, MAX_WORDS), b""))
        os.close(self._failed)
        if not told.startswith(HEARD):
            # Killed perhaps where the machine was short of memory: not this request's fault.
            sys.exit(told.decode() or "the waiting interpreter is gone")
        if reason := told.removeprefix(HEARD):
            raise Refused(f"cannot execute {reason.decode(errors='replace')}")


def relay(child: int, streams: list[Stream], deadline: float) -> str | None:
    """Drain the pipes until the child ends or a limit does; return which one."""
    poll = select.poll()
    ended = os.pidfd_open(child)
    for fd in (0, ended, *(stream.reader for stream in streams)):
        poll.register(fd, select.POLLIN)
    by_reader = {stream.reader: stream for stream in streams}
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        for fd, _ in poll.poll(left * 1000 + 1):
            if fd == ended:
                return None
            if fd == 0:
                if not os.read(0, CHUNK):
                    sys.exit(0)
                continue
            stream = by_reader[fd]
            stream.drain()
            if stream.exceeded:
                return "output"
            if not stream.open:
                poll.unregister(fd)


def end_everything(child: int) -> int:
    """Kill and reap until this process is alone; return the child's wait status."""
    status = 0
    while True:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGKILL)
        try:
            pid, result = os.wait()
        except ChildProcessError:
            return status
        if pid == child:
            status = result


def drain_rest(streams: list[Stream]) -> None:
    """Take what the dead left in the pipes: no more than a pipe holds."""
    for stream in streams:
        while not stream.exceeded and stream.drain():
            pass


def run(child: Child, request: dict[str, Any], meters: Meters) -> tuple[Header, list[bytes]]:
    """Run the program and return the answer's header and bodies."""
    output, report, streams = request["output_bytes"], request["report_bytes"], child.streams
    for stream in streams[:-1]:
        stream.bound(output, request["kept_bytes"])
    streams[-1].bound(report, report)
    killed_before = meters.oom_kills()
    began = time.monotonic()
    child.start(request["argv"])
    ended_by = relay(child.pid, streams, began + request["wall_seconds"])
    wall = time.monotonic() - began
    status = end_everything(child.pid)
    drain_rest(streams)
    if ended_by is None and any(stream.exceeded for stream in streams):
        ended_by = "output"
    killed = meters.oom_kills()
    if killed is None or killed_before is None:
        raise Refused("the memory controller cannot be read, so a memory end cannot be seen")
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    bodies = [b"".join(stream.kept) for stream in streams]
    header = {
        "ended_by": ended_by,
        "exit_code": os.WEXITSTATUS(status) if os.WIFEXITED(status) else None,
        "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else None,
        "oom_kills": killed - killed_before,
        "wall_seconds": wall,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_memory_bytes": meters.peak_bytes(),
        "totals": [stream.total for stream in streams],
        "kept": [len(body) for body in bodies],
    }
    return header, bodies


def main() -> None:
    """Serve the one request."""
    harden()
    owner = Owner()
    meters = Meters()
    child = Child()
    owner.write(b"R")
    size = owner.read_size()
    if size > MAX_HEADER_BYTES:
        sys.exit("the request's header is too long")
    request = json.loads(owner.read(size))
    try:
        unpack(owner, request["files"])
        header, bodies = run(child, request, meters)
    except (Refused, OSError) as error:
        owner.answer({"refused": str(error)[:MAX_WORDS]})
        owner.wait()
    else:
        owner.answer(header, *bodies)


main()
