"""Nothing gets out of a run over a network, seen from inside and from outside.

Cases N1 to N10: TCP, UDP, names, metadata service, gateway, IPv6, the hypervisor's
socket, raw sockets, kernel crypto; the run's own loopback works.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from tests.integration.docker_sandboxes import attempts, opened
from tmws.ports import Probe
from tmws.sandbox.docker import DockerSandbox
from tmws.testing.sandbox_suite import run

pytestmark = pytest.mark.anyio

NAMES = (
    "interfaces", "TCP out", "UDP out", "DNS", "metadata service", "engine's gateway", "IPv6 out",
    "vsock", "raw socket", "packet socket", "kernel crypto socket", "loopback works",
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
    probe = found[f"network: {name}"]
    assert probe.held, probe.observed


async def test_every_attempt_has_its_test(found: dict[str, Probe]) -> None:
    assert {name for name in found if name.startswith("network: ")} == {
        f"network: {name}" for name in NAMES
    }


def own_addresses() -> set[str]:
    """Return where this machine can be reached: loopback, and where packets leave from."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:
        with contextlib.suppress(OSError):  # no way out is no way in
            outward.connect(("192.0.2.1", 9))  # an address for examples; nothing is sent
        return {"127.0.0.1", outward.getsockname()[0]} - {"0.0.0.0"}  # noqa: S104


async def test_a_server_on_the_host_hears_nothing(sandbox: DockerSandbox) -> None:
    heard: list[object] = []

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(writer.get_extra_info("peername"))
        writer.close()

    server = await asyncio.start_server(answer, "0.0.0.0", 0)  # noqa: S104  (to be reachable)
    port = server.sockets[0].getsockname()[1]
    addresses = own_addresses()
    async with server:
        result = await run(
            sandbox,
            """
            import socket, sys
            for address in sys.argv[2:]:
                try: socket.create_connection((address, int(sys.argv[1])), 1)
                except OSError as error: print(error.errno)
                else: print("connected")
            """,
            str(port),
            *addresses,
        )
    assert b"connected" not in result.stdout
    assert len(result.stdout.split()) == len(addresses)
    assert not heard


async def test_an_abstract_socket_of_the_host_is_not_there(sandbox: DockerSandbox) -> None:
    name = "\0tmws-test"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(name)
        server.listen()
        result = await run(
            sandbox,
            r"""
            import socket
            with socket.socket(socket.AF_UNIX) as door:
                try: door.connect("\0tmws-test")
                except OSError as error: print(error.errno)
            """,
        )
    assert result.stdout == b"111\n"
