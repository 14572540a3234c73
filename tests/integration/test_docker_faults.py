"""An engine that fails, a sandbox that was weakened, and owners that die: nothing stays or runs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from tests.integration.docker_sandboxes import TRUE, containers_of, eventually, opened, sandbox
from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import Limits
from tmws.sandbox.docker import DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.sandbox.hardening import STRICT, Hardening, SlotClass, container_config
from tmws.sandbox.image import default_name
from tmws.testing.sandbox_suite import LIMITS, program, silent

__all__ = ["sandbox"]


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
