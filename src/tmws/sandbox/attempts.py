"""Tries, from inside a sandbox, what a sandbox must deny.

Never imported by the server: its text is sent as a file of the workspace and run there,
with the standard library only. Arguments: bytes of memory and number of processes that
the run is allowed. Each finding goes to file descriptor 3 as one JSON line
`[name, held, observed]`; the last line's name is `end`.

`held` is strict: a packet that was sent and not answered has left the sandbox, and a
system call that complains about its arguments has reached the kernel.
"""

# The functions of `os` are used as they are: system calls are what this is about.
# ruff: noqa: PTH108, PTH110, PTH116, PTH123, PTH208

from __future__ import annotations

import ctypes
import errno
import json
import os
import signal
import socket
import stat
import sys
from collections.abc import Callable

Finding = tuple[bool, str]
Attempt = Callable[[], Finding]

REPORT_FD = 3
PATIENCE_SECONDS = 1.0
DENIED = frozenset({errno.EPERM, errno.EACCES, errno.ENOSYS, errno.EROFS})
MOST_WRITTEN = 256 << 20
UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
AF_ALG, AF_PACKET, AF_VSOCK = 38, 17, 40
VSOCK_HYPERVISOR = 2
WRITABLE_MOUNTS = frozenset({"/tmp", "/workspace"})  # noqa: S108  (of the sandbox)
# What the engine itself mounts; anything else came from the host.
ENGINE_MOUNTS = ("/proc", "/sys", "/dev", "/etc/hosts", "/etc/hostname", "/etc/resolv.conf")

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
    ("prlimit of PID 1", 302, (1, RLIMIT_NOFILE, 0, 0)),
    ("setpriority of PID 1", 141, (PRIO_PROCESS, 1, 19)),
)


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


def call(number: int, arguments: tuple[int, ...]) -> Finding:
    """Make one system call and say what the kernel answered."""
    result = libc.syscall(number, *[ctypes.c_long(value) for value in arguments])
    if result != -1:
        return False, "allowed"
    code = ctypes.get_errno()
    return code in DENIED, errno.errorcode.get(code, str(code))


def connect(
    family: int, kind: int, address: tuple[int | str, int], refused: frozenset[int]
) -> Finding:
    """Try to reach an address; only a refusal by this machine counts."""
    try:
        with socket.socket(family, kind) as door:
            door.settimeout(PATIENCE_SECONDS)
            door.connect(address)
    except TimeoutError:
        return False, "sent, no answer"
    except OSError as error:
        return error.errno in refused, words(error)
    return False, "connected"


def reach(host: str, port: int, *, kind: int = socket.SOCK_STREAM) -> Finding:
    """Try to reach a host by its address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return connect(family, kind, (host, port), UNREACHABLE | DENIED)


def open_socket(family: int, kind: int, protocol: int = 0) -> Finding:
    """Try to make a socket of a kind that goes around the network."""
    try:
        socket.socket(family, kind, protocol).close()
    except OSError as error:
        return error.errno in DENIED | {errno.EAFNOSUPPORT}, words(error)
    return False, "made"


def resolve() -> Finding:
    """Try to ask a name server."""
    try:
        socket.getaddrinfo("example.com", 443)
    except OSError as error:
        return True, str(error)
    return False, "resolved"


def talk_to_itself() -> Finding:
    """Use the loopback: tests with a local server must work."""
    try:
        with socket.create_server(("127.0.0.1", 0)) as server:
            socket.create_connection(server.getsockname(), PATIENCE_SECONDS).close()
    except OSError as error:
        return False, words(error)
    return True, "works"


def interfaces() -> Finding:
    """List the network interfaces."""
    with open("/proc/net/dev") as table:
        names = sorted(line.split(":")[0].strip() for line in table.readlines()[2:])
    return names == ["lo"], ", ".join(names)


def status_field(name: str) -> str:
    """Return one field of this process's status."""
    with open("/proc/self/status") as status:
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


def network() -> dict[str, Attempt]:
    """Return the ways out over the network."""
    return {
        "interfaces": interfaces,
        "TCP out": lambda: reach("1.1.1.1", 443),
        "UDP out": lambda: reach("8.8.8.8", 53, kind=socket.SOCK_DGRAM),
        "DNS": resolve,
        "metadata service": lambda: reach("169.254.169.254", 80),
        "engine's gateway": lambda: reach("172.17.0.1", 2375),
        "IPv6 out": lambda: reach("2606:4700:4700::1111", 443),
        "vsock": lambda: connect(
            AF_VSOCK, socket.SOCK_STREAM, (VSOCK_HYPERVISOR, 1), DENIED | {errno.EAFNOSUPPORT}
        ),
        "raw socket": lambda: open_socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP),
        "packet socket": lambda: open_socket(AF_PACKET, socket.SOCK_RAW),
        "kernel crypto socket": lambda: open_socket(AF_ALG, socket.SOCK_SEQPACKET),
        "loopback works": talk_to_itself,
    }


def kernel() -> dict[str, Attempt]:
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
    }


def files() -> dict[str, Attempt]:
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


def resources(memory_bytes: int, processes: int) -> dict[str, Attempt]:
    """Return the ways to take more than was given."""
    return {
        "processes": lambda: fill_processes(processes),
        "open files": fill_descriptors,
        "fill /tmp": fill_folder("/tmp"),  # noqa: S108
        "fill /workspace": fill_folder("/workspace"),
        "fill /dev/shm": fill_folder("/dev/shm"),  # noqa: S108
        "memory": lambda: fill_memory(memory_bytes),
    }


def report(name: str, held: bool, observed: str) -> None:
    """Tell one finding to whoever started this."""
    os.write(REPORT_FD, json.dumps([name, held, observed]).encode() + b"\n")


def main(memory_bytes: int, processes: int) -> None:
    """Make every attempt and report each; those that would change this process, in a child."""
    for group, attempts in (("network", network()), ("kernel", kernel()), ("files", files())):
        for name, attempt in attempts.items():
            report(f"{group}: {name}", *in_child(attempt))
    for name, attempt in resources(memory_bytes, processes).items():
        report(f"resources: {name}", *attempt())
    report("end", True, "")


main(int(sys.argv[1]), int(sys.argv[2]))
