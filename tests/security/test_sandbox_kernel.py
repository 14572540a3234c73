"""Nothing gets out of a run through the kernel or the file system.

Cases K1 to K10: writes outside the workspace, the host through /proc, name spaces,
other processes, kernel interfaces, devices, setuid, capabilities; also from outside.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.docker_sandboxes import attempts, containers_of, opened
from tmws.domain.execution import Limits
from tmws.ports import Probe
from tmws.sandbox.docker import DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.testing.sandbox_suite import program, run

pytestmark = pytest.mark.anyio

NAMES = (
    "kernel: mount", "kernel: umount", "kernel: unshare(user)", "kernel: unshare(mount)",
    "kernel: setns", "kernel: chroot", "kernel: pivot_root", "kernel: ptrace",
    "kernel: process_vm_readv", "kernel: process_vm_writev", "kernel: io_uring_setup",
    "kernel: bpf", "kernel: userfaultfd", "kernel: keyctl", "kernel: add_key",
    "kernel: perf_event_open", "kernel: kexec_load", "kernel: init_module",
    "kernel: finit_module", "kernel: open_by_handle_at", "kernel: pidfd_getfd",
    "kernel: personality(no ASLR)", "kernel: sethostname", "kernel: settimeofday",
    "kernel: syslog", "kernel: swapon", "kernel: iopl", "kernel: clone3", "kernel: openat2",
    "kernel: shmget", "kernel: mq_open", "kernel: prlimit of PID 1",
    "kernel: setpriority of PID 1", "kernel: user id", "kernel: capabilities",
    "kernel: no new privileges", "kernel: system call filter", "kernel: become root",
    "kernel: make a device", "kernel: read unseen",
    "files: write to /", "files: write to /usr", "files: write to /etc",
    "files: write to /opt/tmws", "files: write to /opt/tools", "files: write to /var/tmp",
    "files: write core_pattern", "files: write sysrq", "files: write cgroup",
    "files: read shadow", "files: read PID 1's memory", "files: read PID 1's environment",
    "files: host through PID 1", "files: PID 1's descriptors", "files: signals to PID 1",
    "files: engine's sockets", "files: block devices", "files: foreign mounts",
    "files: setuid files",
)  # fmt: skip


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with opened() as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
async def found(sandbox: DockerSandbox) -> dict[str, Probe]:
    return await attempts(sandbox)


@pytest.mark.parametrize("name", NAMES)
async def test_from_inside(name: str, found: dict[str, Probe]) -> None:
    assert found[name].held, found[name].observed


async def test_every_attempt_has_its_test(found: dict[str, Probe]) -> None:
    tried = {name for name in found if name.startswith(("kernel: ", "files: "))}
    assert tried == set(NAMES)


@pytest.fixture
async def described(sandbox: DockerSandbox) -> AsyncIterator[dict[str, Any]]:
    """What the engine says of a container while its program runs."""
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    task = asyncio.create_task(sandbox.run(request, progress=progress))
    await running.wait()
    engine = Engine()
    description: dict[str, Any] = engine.api.inspect_container(containers_of(sandbox)[-1])
    engine.close()
    yield description
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_from_outside(described: dict[str, Any]) -> None:
    """What the engine was told, and what the host's kernel made of it."""
    assert_walled_in(described)


def assert_walled_in(described: dict[str, Any]) -> None:
    pid = described["State"]["Pid"]
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    status = {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}
    assert status["Uid"].split() == ["10001"] * 4
    assert status["Seccomp"] == "2"
    assert status["NoNewPrivs"] == "1"
    assert {int(status[f"Cap{name}"], 16) for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} == {0}
    for space in ("net", "pid", "mnt", "ipc", "uts"):
        inside = Path(f"/proc/{pid}/ns/{space}").readlink()
        assert inside != Path(f"/proc/{os.getpid()}/ns/{space}").readlink()
    assert described["Mounts"] == []
    assert described["HostConfig"]["Privileged"] is False
    assert described["HostConfig"]["ReadonlyRootfs"] is True
    assert described["NetworkSettings"]["Networks"].keys() <= {"none"}


async def test_a_native_program_from_memory_meets_the_same_walls(sandbox: DockerSandbox) -> None:
    """`noexec` does not stop a memory file; the filter does not care where code comes from."""
    result = await run(
        sandbox,
        """
        import os
        native = os.memfd_create("x")
        os.write(native, open("/usr/bin/id", "rb").read() if os.path.exists("/usr/bin/id")
                 else open("/bin/true", "rb").read())
        os.execve(native, ["id", "-u"], {})
        """,
    )
    assert result.stdout.strip() == b"10001"


async def test_the_tools_cannot_be_replaced_by_the_run(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        """
        import os, sys
        for path in ("/opt/tmws/init.py", "/opt/tmws/python", "/opt/tools/pytest/__init__.py",
                     sys.executable, "/usr/lib/python3.11/os.py"):
            for deed in (lambda: os.rename(path, path + ".old"), lambda: os.unlink(path),
                         lambda: open(path, "r+b"), lambda: os.chmod(path, 0o777)):
                try: deed()
                except OSError: continue
                print(path)
        """,
    )
    assert result.exit_code == 0
    assert result.stdout == b""
