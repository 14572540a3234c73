"""The ways to files and processes that are not the run's own."""

# The functions of `os` are used as they are: system calls are what this is about.
# ruff: noqa: PTH110, PTH116, PTH123, PTH208

from __future__ import annotations

import errno
import os
import signal
import stat

from tmws.sandbox.inside.findings import DENIED, Attempt, Finding, words

WRITABLE_MOUNTS = frozenset({"/tmp", "/workspace"})  # noqa: S108  (of the sandbox)
# What the engine itself mounts; anything else came from the host.
ENGINE_MOUNTS = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")


def write_to(path: str) -> Attempt:
    """Try to write a file."""

    def attempt() -> Finding:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))
        except OSError as error:
            return error.errno in DENIED | {errno.ENOENT}, words(error)
        return False, "writable"

    return attempt


def unreadable(path: str) -> Attempt:
    """Try to read what belongs to PID 1 or to the host."""

    def attempt() -> Finding:
        try:
            os.close(os.open(path, os.O_RDONLY))
        except OSError as error:
            return error.errno in DENIED | {errno.ENOENT}, words(error)
        return False, "readable"

    return attempt


def pid_1_descriptors() -> Finding:
    """Try to list, and so to open, what PID 1 has open."""
    try:
        return False, f"listed {len(os.listdir('/proc/1/fd'))}"
    except OSError as error:
        return error.errno in DENIED, words(error)


def engine_sockets() -> Finding:
    """Look for a way to talk to the engine."""
    places = ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock")
    found = [place for place in places if os.path.exists(place)]
    return not found, ", ".join(found) or "absent"


def block_devices() -> Finding:
    """Look for the host's disks."""
    with os.scandir("/dev") as entries:
        modes = {entry.name: entry.stat(follow_symlinks=False).st_mode for entry in entries}
    found = [name for name, mode in modes.items() if stat.S_ISBLK(mode)]
    return not found, ", ".join(found) or "none"


def foreign_mounts() -> Finding:
    """Look for folders of the host, and for others that can be written."""
    with open("/proc/self/mountinfo") as table:
        points = [line.split()[4] for line in table]
    expected = WRITABLE_MOUNTS | {"/"}
    found = [
        point
        for point in points
        if point not in expected
        and not any(point == place or point.startswith(f"{place}/") for place in ENGINE_MOUNTS)
    ]
    return not found, ", ".join(found) or "none"


def setuid_files() -> Finding:
    """Look for programs that would run as somebody else."""
    device = os.stat("/").st_dev
    found = 0
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.lstat(f"{folder}/{name}").st_dev == device]
        for name in files:
            mode = os.lstat(f"{folder}/{name}").st_mode
            found += bool(stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID))
    return found == 0, f"{found} files"


def signal_pid_1() -> Finding:
    """Send PID 1 every signal; this process being alive afterwards is the answer."""
    for number in signal.valid_signals():
        try:
            os.kill(1, number)
        except OSError as error:
            return False, f"signal {number}: {words(error)}"
    return True, "no effect"


def attempts() -> dict[str, Attempt]:
    """Return the ways to files that are not the run's own."""
    folders = ("/", "/usr", "/etc", "/opt/tmws", "/opt/tools", "/var/tmp")  # noqa: S108
    return {
        **{f"write to {folder}": write_to(f"{folder.rstrip('/')}/probe") for folder in folders},
        "write core_pattern": write_to("/proc/sys/kernel/core_pattern"),
        "write sysrq": write_to("/proc/sysrq-trigger"),
        "write cgroup": write_to("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
        "read shadow": unreadable("/etc/shadow"),
        "read PID 1's memory": unreadable("/proc/1/mem"),
        "read PID 1's environment": unreadable("/proc/1/environ"),
        "host through PID 1": unreadable("/proc/1/root/etc/shadow"),
        "PID 1's descriptors": pid_1_descriptors,
        "signals to PID 1": signal_pid_1,
        "engine's sockets": engine_sockets,
        "block devices": block_devices,
        "foreign mounts": foreign_mounts,
        "setuid files": setuid_files,
    }
