"""The sandbox on a real Docker engine: its contract, its faults, and what it leaves."""

from __future__ import annotations

import asyncio
import contextlib
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tests.patience import ENOUGH_SECONDS
from tmws.domain.errors import LimitExceeded, SandboxUnavailable
from tmws.domain.execution import MEBIBYTE, ExecutionRequest, Limits, Outcome
from tmws.sandbox.assets import image_folder
from tmws.sandbox.docker import MAX_WAITING, DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.sandbox.frames import encode_request
from tmws.sandbox.hardening import STRICT, Hardening, SlotClass, container_config
from tmws.sandbox.image import default_name
from tmws.sandbox.owners import PRODUCT, PRODUCT_LABEL, Owner
from tmws.sandbox.slots import Slot
from tmws.testing.sandbox_suite import (
    LIMITS,
    SHORT,
    SUITE,
    Check,
    binary_file,
    program,
    run,
    silent,
    text_file,
)

pytestmark = pytest.mark.anyio

TRUE = ExecutionRequest(argv=("/bin/true",), files=(), limits=LIMITS)


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    """A sandbox whose self-test has passed."""
    async with opened() as sandbox:
        yield sandbox


@asynccontextmanager
async def opened(**arguments: object) -> AsyncIterator[DockerSandbox]:
    """A sandbox that is closed again, with a name of its own among the containers."""
    sandbox = DockerSandbox(owner=f"test-{time.monotonic_ns()}", **arguments)  # type: ignore[arg-type]
    try:
        yield sandbox
    finally:
        await sandbox.aclose()


def containers_of(sandbox: DockerSandbox) -> list[str]:
    """The containers of this sandbox that the engine still knows."""
    engine = Engine()
    try:
        found = engine.containers(f"{PRODUCT_LABEL}={PRODUCT}")
        return [one.id for one in found if one.labels["tmws.owner"] == sandbox.owner.id]
    finally:
        engine.close()


async def eventually(holds: Callable[[], bool]) -> bool:
    """Whether it becomes so before patience ends."""
    deadline = time.monotonic() + ENOUGH_SECONDS
    while not await asyncio.to_thread(holds):
        if time.monotonic() > deadline:
            return False
    return True


@pytest.mark.parametrize("check", SUITE, ids=lambda check: check.__name__)
async def test_the_contract_holds(check: Check, sandbox: DockerSandbox) -> None:
    await check(sandbox)


@pytest.mark.parametrize("check", SUITE[:4], ids=lambda check: check.__name__)
async def test_the_contract_holds_in_warm_slots(check: Check) -> None:
    async with opened(pool_size=2) as warm:
        await warm.warm(LIMITS)
        assert len(containers_of(warm)) == 2
        await check(warm)


async def test_a_hang_leaves_no_container(sandbox: DockerSandbox) -> None:
    result = await run(sandbox, "import time; time.sleep(600)", limits=SHORT)
    assert result.outcome is Outcome.TIMED_OUT
    assert await eventually(lambda: not containers_of(sandbox))


async def test_cancelling_removes_the_container_before_it_returns(sandbox: DockerSandbox) -> None:
    assert await eventually(lambda: not containers_of(sandbox))
    started = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            started.set()

    request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    task = asyncio.create_task(sandbox.run(request, progress=progress))
    await started.wait()
    assert containers_of(sandbox)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not containers_of(sandbox)


async def test_closing_ends_what_still_runs() -> None:
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    async with opened() as closing:
        request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
        task = asyncio.create_task(closing.run(request, progress=progress))
        await running.wait()
    with pytest.raises(SandboxUnavailable, match="closed"):
        await task
    assert not containers_of(closing)


async def test_cancelling_while_the_container_is_made_leaves_none(sandbox: DockerSandbox) -> None:
    starting = asyncio.Event()

    async def progress(words: str) -> None:
        if "starting" in words:
            starting.set()

    task = asyncio.create_task(sandbox.run(TRUE, progress=progress))
    await starting.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await eventually(lambda: not containers_of(sandbox))


async def test_a_gibibyte_of_output_does_not_fill_this_process(sandbox: DockerSandbox) -> None:
    flood = """
        import os
        for _ in range(1024): os.write(1, bytes(2**20))
    """
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    generous = replace(LIMITS, output_bytes=2**31)
    result = await run(sandbox, flood, limits=generous)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert result.stdout_bytes == 2**30
    assert len(result.stdout) == 64 * 1024
    assert grown * 1024 < 32 * MEBIBYTE


async def test_a_large_workspace_arrives_whole(sandbox: DockerSandbox) -> None:
    files = tuple(binary_file(f"d{n % 50}/f{n}.bin", bytes([n % 256]) * 6000) for n in range(5000))
    result = await run(
        sandbox,
        """
        import os
        sizes = [os.path.getsize(os.path.join(folder, name))
                 for folder, _, names in os.walk("/workspace/") for name in names]
        print(len(sizes), sum(size for size in sizes if size == 6000))
        """,
        files=files,
        limits=Limits(),
    )
    assert result.stdout == b"5001 30000000\n"


async def test_a_workspace_that_does_not_fit_is_no_result(sandbox: DockerSandbox) -> None:
    files = tuple(binary_file(f"f{n}.bin", bytes(16 * MEBIBYTE)) for n in range(5))
    with pytest.raises(SandboxUnavailable, match="No space left"):
        await run(sandbox, "pass", files=files, limits=Limits())


async def test_a_killed_container_is_no_result_and_the_next_run_works(
    sandbox: DockerSandbox,
) -> None:
    assert await eventually(lambda: not containers_of(sandbox))
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    task = asyncio.create_task(sandbox.run(request, progress=progress))
    await running.wait()
    engine = Engine()
    engine.remove(containers_of(sandbox)[0])
    engine.close()
    with pytest.raises(SandboxUnavailable, match="Nothing was judged"):
        await task
    assert (await sandbox.run(TRUE, progress=silent)).exit_code == 0


async def test_progress_is_told_in_a_few_words(sandbox: DockerSandbox) -> None:
    told: list[str] = []

    async def progress(words: str) -> None:
        told.append(words)

    await sandbox.run(TRUE, progress=progress)
    assert told == ["starting a fresh container", "running the check"]


async def test_a_full_line_is_told_when_to_come_back() -> None:
    async with opened(max_concurrent=1) as narrow:
        await narrow.run(TRUE, progress=silent)
        hang = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
        tasks = [
            asyncio.create_task(narrow.run(hang, progress=silent)) for _ in range(MAX_WAITING + 3)
        ]
        refused, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        with pytest.raises(LimitExceeded, match=r"busy.*Retry after \d+ s"):
            await refused.pop()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert await eventually(lambda: not containers_of(narrow))


async def test_a_warm_slot_is_used_once_and_replaced() -> None:
    async with opened(pool_size=1) as warm:
        seen: set[str] = set()
        for _ in range(3):
            await warm.warm(LIMITS)
            assert await eventually(lambda: len(containers_of(warm)) == 1)
            seen.update(containers_of(warm))
            told: list[str] = []

            async def progress(words: str, told: list[str] = told) -> None:
                told.append(words)

            assert (await warm.run(TRUE, progress=progress)).exit_code == 0
            assert told == ["running the check"]
        assert len(seen) == 3
    assert not containers_of(warm)


async def test_a_slot_that_is_told_of_its_owner_still_takes_its_request() -> None:
    engine = Engine()
    labels = Owner.this_process("test").labels()
    slot_class = SlotClass.of(LIMITS)
    slot = Slot(engine, container_config(default_name(), slot_class, STRICT, labels))
    try:
        await asyncio.to_thread(slot.boot)
        for _ in range(3):
            slot.keep()
        answer = await asyncio.to_thread(
            slot.exchange, encode_request(TRUE), seconds=ENOUGH_SECONDS
        )
        assert answer.exit_code == 0
    finally:
        await asyncio.to_thread(slot.destroy)
        engine.close()


def test_pid_1_ends_when_its_owner_falls_silent() -> None:
    code = (image_folder() / "init.py").read_text()
    hasty = re.sub(r"(?m)^PATIENCE_SECONDS = .*", "PATIENCE_SECONDS = 0.2", code)
    assert hasty != code
    words = (sys.executable, "-I", "-S", "-c", hasty)
    # Its channel stays open, as one does that an engine left behind.
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.wait(ENOUGH_SECONDS) == 0
        assert process.stdout is not None
        assert process.stdout.read() == b"R"


async def test_a_slot_that_died_while_it_waited_is_not_used() -> None:
    async with opened(pool_size=1) as warm:
        await warm.warm(LIMITS)
        engine = Engine()
        engine.remove(containers_of(warm)[0])
        engine.close()
        assert (await warm.run(TRUE, progress=silent)).exit_code == 0


async def test_no_engine_is_said_with_the_way_out(tmp_path: Path) -> None:
    async with opened(docker_host=f"unix://{tmp_path}/absent.sock") as lost:
        for attempt in (lost.run(TRUE, progress=silent), lost.check(), lost.sweep()):
            with pytest.raises(SandboxUnavailable, match=r"make sandbox.*tmws doctor"):
                await attempt


async def test_an_engine_that_keeps_failing_is_left_alone_for_a_while(tmp_path: Path) -> None:
    async with opened(docker_host=f"unix://{tmp_path}/absent.sock") as lost:
        for _ in range(5):
            with pytest.raises(SandboxUnavailable, match="No Docker engine"):
                await lost.run(TRUE, progress=silent)
        with pytest.raises(SandboxUnavailable, match="retry after"):
            await lost.run(TRUE, progress=silent)


async def test_a_missing_image_is_never_pulled() -> None:
    async with opened(image="tmws-sandbox:absent") as imageless:
        with pytest.raises(SandboxUnavailable, match="tmws sandbox build"):
            await imageless.run(TRUE, progress=silent)


WEAKENED: dict[str, tuple[Hardening, str]] = {
    "host network": (replace(STRICT, network_mode="host"), "network: interfaces"),
    "no seccomp": (replace(STRICT, seccomp="unconfined"), "network: vsock"),
    "no memory limit": (replace(STRICT, limits_memory=False), "resources: memory"),
    "no process limit": (replace(STRICT, limits_processes=False), "resources: processes"),
    "writable root": (replace(STRICT, read_only_root=False), "files: write to /var/tmp"),
    "capabilities": (replace(STRICT, dropped_capabilities=()), "kernel: capabilities"),
    "host folder": (replace(STRICT, binds=("/usr:/mnt:ro",)), "files: foreign mounts"),
    "engine's socket": (
        replace(STRICT, binds=("/var/run/docker.sock:/var/run/docker.sock",)),
        "files: engine's sockets",
    ),
    "large memory disk": (replace(STRICT, tmpfs_mebibytes=1024), "self-test"),
}


@pytest.mark.parametrize("weakness", WEAKENED)
async def test_a_weakened_sandbox_runs_nothing_and_says_why(weakness: str) -> None:
    hardening, probe = WEAKENED[weakness]
    async with opened(hardening=hardening) as weak:
        with pytest.raises(SandboxUnavailable, match="does not isolate") as refused:
            await weak.run(TRUE, progress=silent)
        assert probe in refused.value.message


async def test_the_table_of_a_weakened_sandbox_is_red() -> None:
    async with opened(hardening=replace(STRICT, seccomp="unconfined")) as weak:
        broken = {found.name for found in await weak.check() if not found.held}
    assert {"kernel: system call filter", "kernel: ptrace", "network: vsock"} <= broken


@pytest.mark.parametrize(
    "hardening",
    [replace(STRICT, no_new_privileges=False), replace(STRICT, user="0:0")],
    ids=["new privileges", "root user"],
)
async def test_some_weaknesses_cannot_even_start(hardening: Hardening) -> None:
    async with opened(hardening=hardening) as weak:
        with pytest.raises(SandboxUnavailable):
            await weak.run(TRUE, progress=silent)


async def test_a_lost_connection_to_the_engine_is_no_result(tmp_path: Path) -> None:
    """The engine goes away in the middle of a run, and comes back."""
    address = str(tmp_path / "engine.sock")
    relay = await Relay.to_engine(address)
    running = asyncio.Event()

    async def progress(words: str) -> None:
        if "running" in words:
            running.set()

    async with opened(docker_host=f"unix://{address}") as sandbox:
        request = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
        task = asyncio.create_task(sandbox.run(request, progress=progress))
        await running.wait()
        await relay.cut()
        with pytest.raises(SandboxUnavailable, match="Nothing was judged"):
            await task
        assert await eventually(lambda: not containers_of(sandbox))
        relay = await Relay.to_engine(address)
        assert (await sandbox.run(TRUE, progress=silent)).exit_code == 0
        await relay.cut()


class Relay:
    """A socket that leads to the engine until it is cut."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._ends: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server

    @classmethod
    async def to_engine(cls, path: str) -> Relay:
        relay = cls(path)
        await anyio.Path(path).unlink(missing_ok=True)
        relay._server = await asyncio.start_unix_server(relay._lead, path)
        return relay

    async def _lead(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        engine_reader, engine_writer = await asyncio.open_unix_connection("/var/run/docker.sock")
        self._ends += [writer, engine_writer]
        for source, target in ((reader, engine_writer), (engine_reader, writer)):
            task = asyncio.create_task(self._copy(source, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @staticmethod
    async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                target.write(data)
                await target.drain()
            target.write_eof()

    async def cut(self) -> None:
        self._server.close()
        for end in self._ends:
            end.transport.abort()
        if self._tasks:
            await asyncio.wait(self._tasks)


OWNER_THAT_HANGS = """
import asyncio
from tmws.sandbox.docker import DockerSandbox
from tmws.testing.sandbox_suite import program
from tmws.domain.execution import Limits

async def progress(words):
    if "running" in words:
        print("running", flush=True)

async def main():
    sandbox = DockerSandbox(owner="test-killed", pool_size=1)
    hang = program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0))
    await sandbox.run(hang, progress=progress)

asyncio.run(main())
"""


@pytest.mark.usefixtures("sandbox")
async def test_a_killed_server_leaves_no_container_behind() -> None:
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWNER_THAT_HANGS, stdout=asyncio.subprocess.PIPE
    )
    assert server.stdout is not None
    async with asyncio.timeout(60):
        assert await server.stdout.readline() == b"running\n"
    server.send_signal(signal.SIGKILL)
    await server.wait()
    engine = Engine()

    def left() -> list[str]:
        found = engine.containers("tmws.owner=test-killed")
        return [one.id for one in found]

    assert await eventually(lambda: not left())
    engine.close()


async def test_a_container_that_the_engine_made_for_nobody_is_swept_before_the_next_run(
    sandbox: DockerSandbox,
) -> None:
    engine = Engine()
    image = (await sandbox.run(TRUE, progress=silent)).image_digest
    labels = sandbox.owner.labels() | {"tmws.slot": f"{id(sandbox):x}-forgotten"}
    config = container_config(image, SlotClass.of(TRUE.limits), STRICT, labels)
    forgotten = await asyncio.to_thread(engine.create, config)
    assert await sandbox.sweep() >= 1  # others' dead may lie there too
    assert forgotten not in [one.id for one in engine.containers("tmws.product=sandbox")]
    engine.close()


async def test_sweeping_spares_the_living_and_takes_the_dead(sandbox: DockerSandbox) -> None:
    async with opened(pool_size=1) as living:
        await living.warm(LIMITS)
        engine = Engine()
        image = engine.image(default_name())
        assert image is not None
        labels = sandbox.owner.labels() | {
            "tmws.owner": "test-dead",
            "tmws.owner.process": "999999999-1",
        }
        engine.create({"Image": image.id, "Labels": labels})
        assert await sandbox.sweep() == 1
        assert not engine.containers("tmws.owner=test-dead")
        assert len(containers_of(living)) == 1
        engine.close()


async def test_files_of_text_with_any_name_arrive(sandbox: DockerSandbox) -> None:
    names = ("-p", "@args", "a b", "ünïcode", "x" * 200, "new\nline")
    result = await run(
        sandbox,
        "import os, json; print(json.dumps(sorted(os.listdir('/workspace'))))",
        files=tuple(text_file(name, "x") for name in names),
    )
    assert result.exit_code == 0
    assert result.stdout.count(b",") == len(names)
