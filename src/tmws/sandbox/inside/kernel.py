"""The ways out through the kernel: system calls, identities, devices."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from pathlib import Path

from tmws.sandbox.inside.findings import DENIED, Attempt, Finding, words

libc = ctypes.CDLL(None, use_errno=True)

# Numbers of x86-64, with arguments that the kernel would accept if it were asked.
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
RLIMIT_NOFILE, PRIO_PROCESS = 7, 0
SYSTEM_CALLS: tuple[tuple[str, int, tuple[int, ...]], ...] = (
    ("mount", 165, (0, 0, 0, 0, 0)),
    ("umount", 166, (0, 0)),
    ("unshare(user)", 272, (CLONE_NEWUSER,)),
    ("unshare(mount)", 272, (CLONE_NEWNS,)),
    ("setns", 308, (0, 0)),
    ("chroot", 161, (0,)),
    ("pivot_root", 155, (0, 0)),
    ("ptrace", 101, (0, 0, 0, 0)),
    ("process_vm_readv", 310, (1, 0, 0, 0, 0, 0)),
    ("process_vm_writev", 311, (1, 0, 0, 0, 0, 0)),
    ("io_uring_setup", 425, (1, 0)),
    ("bpf", 321, (0, 0, 0)),
    ("userfaultfd", 323, (0,)),
    ("keyctl", 250, (0, -3, 0)),
    ("add_key", 248, (0, 0, 0, 0, -3)),
    ("perf_event_open", 298, (0, 0, -1, -1, 0)),
    ("kexec_load", 246, (0, 0, 0, 0)),
    ("init_module", 175, (0, 0, 0)),
    ("finit_module", 313, (-1, 0, 0)),
    ("open_by_handle_at", 304, (-1, 0, 0)),
    ("pidfd_getfd", 438, (0, 0, 0)),
    ("personality(no ASLR)", 135, (0x0040000,)),
    ("sethostname", 170, (0, 0)),
    ("settimeofday", 164, (0, 0)),
    ("syslog", 103, (3, 0, 0)),
    ("swapon", 167, (0, 0)),
    ("iopl", 172, (3,)),
    ("clone3", 435, (0, 0)),
    ("openat2", 437, (-100, 0, 0, 0)),
    ("shmget", 29, (0, 4096, 0o1600)),
    ("mq_open", 240, (0, 0, 0, 0)),
    ("prlimit of PID 1", 302, (1, RLIMIT_NOFILE, 0, 0)),
    ("setpriority of PID 1", 141, (PRIO_PROCESS, 1, 19)),
)


def call(number: int, arguments: tuple[int, ...]) -> Finding:
    """Make one system call and say what the kernel answered."""
    result = libc.syscall(number, *[ctypes.c_long(value) for value in arguments])
    if result != -1:
        return False, "allowed"
    code = ctypes.get_errno()
    return code in DENIED, errno.errorcode.get(code, str(code))


def status_field(name: str) -> str:
    """Return one field of this process's status."""
    with Path("/proc/self/status").open() as status:
        for line in status:
            key, _, value = line.partition(":")
            if key == name:
                return value.strip()
    return "absent"


def status_is(name: str, expected: str) -> Attempt:
    """Compare one field of this process's status."""
    return lambda: ((found := status_field(name)).split()[:1] == [expected], found)


def no_capabilities() -> Finding:
    """Read all five sets of capabilities."""
    sets = {name: status_field(f"Cap{name}") for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")}
    return all(int(value, 16) == 0 for value in sets.values()), f"bounding {sets['Bnd']}"


def become_root() -> Finding:
    """Try to change the user."""
    try:
        os.setuid(0)
    except OSError as error:
        return error.errno in DENIED, words(error)
    return False, "became root"


def make_device() -> Finding:
    """Try to make a device file for the first disk."""
    try:
        os.mknod("/workspace/disk", stat.S_IFBLK | 0o600, os.makedev(254, 0))
    except OSError as error:
        return error.errno in DENIED, words(error)
    return False, "made"


def read_unseen() -> Finding:
    """Try to open something so that reading it leaves no trace in its time of reading."""
    try:
        os.close(os.open("/workspace", os.O_RDONLY | os.O_NOATIME))
    except OSError as error:
        return error.errno in DENIED, words(error)
    return False, "opened"


def attempts() -> dict[str, Attempt]:
    """Return the ways out through the kernel."""
    calls: dict[str, Attempt] = {
        name: lambda number=number, arguments=arguments: call(number, arguments)  # type: ignore[misc]
        for name, number, arguments in SYSTEM_CALLS
    }
    return calls | {
        "user id": status_is("Uid", "10001"),
        "capabilities": no_capabilities,
        "no new privileges": status_is("NoNewPrivs", "1"),
        "system call filter": status_is("Seccomp", "2"),
        "become root": become_root,
        "make a device": make_device,
        "read unseen": read_unseen,
    }
