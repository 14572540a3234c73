"""The ways to take more than was given."""

# The functions of `os` are used as they are: system calls are what this is about.
# ruff: noqa: PTH108, PTH123, PTH208

from __future__ import annotations

import errno
import os
import signal

from tmws.sandbox.inside.findings import Attempt, Finding, words

MOST_WRITTEN = 256 << 20


def fill_memory(allowed: int) -> Finding:
    """Take twice the memory in a child: the kernel has to end it."""
    child = os.fork()
    if child == 0:
        hoard = [b"x" * (1 << 20) for _ in range(2 * allowed >> 20)]
        os._exit(len(hoard) == 0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return True, "killed"
    return False, f"took {2 * allowed} bytes"


def fill_processes(allowed: int) -> Finding:
    """Start four times the processes: the kernel has to refuse."""
    gate, key = os.pipe()
    children: list[int] = []
    observed = "no limit"
    try:
        for _ in range(4 * allowed):
            child = os.fork()
            if child == 0:
                os.close(key)
                os.read(gate, 1)
                os._exit(0)
            children.append(child)
    except OSError as error:
        observed = f"{words(error)} after {len(children)}"
    os.close(key)
    for child in children:
        os.waitpid(child, 0)
    return observed != "no limit" and len(children) < allowed, observed


def fill_folder(folder: str) -> Attempt:
    """Write files until the folder is full, each well below the largest size of one."""

    def attempt() -> Finding:
        written = 0
        try:
            while written < MOST_WRITTEN:
                with open(f"{folder}/fill-{written >> 24}", "ab", buffering=0) as file:
                    written += file.write(bytes(1 << 20))
        except OSError as error:
            return error.errno == errno.ENOSPC, f"{words(error)} at {written >> 20} MiB"
        finally:
            for name in os.listdir(folder):
                if name.startswith("fill-"):
                    os.unlink(f"{folder}/{name}")
        return False, f"took {written} bytes"

    return attempt


def fill_descriptors() -> Finding:
    """Open files until the kernel refuses."""
    opened: list[int] = []
    try:
        while len(opened) < 10_000:
            opened.append(os.open("/dev/null", os.O_RDONLY))
    except OSError as error:
        return error.errno == errno.EMFILE, f"{words(error)} after {len(opened)}"
    finally:
        for descriptor in opened:
            os.close(descriptor)
    return False, "no limit"


def attempts(memory_bytes: int, processes: int) -> dict[str, Attempt]:
    """Return the ways to take more than was given."""
    return {
        "processes": lambda: fill_processes(processes),
        "open files": fill_descriptors,
        "fill /tmp": fill_folder("/tmp"),  # noqa: S108
        "fill /workspace": fill_folder("/workspace"),
        "fill /dev/shm": fill_folder("/dev/shm"),  # noqa: S108
        "memory": lambda: fill_memory(memory_bytes),
    }
