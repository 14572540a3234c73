"""The ways out over a network, and one that has to work."""

from __future__ import annotations

import errno
import socket
from pathlib import Path

from tmws.sandbox.inside.findings import DENIED, Attempt, Finding, words

PATIENCE_SECONDS = 1.0
UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
AF_ALG, AF_PACKET, AF_VSOCK = 38, 17, 40
VSOCK_HYPERVISOR = 2


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
    with Path("/proc/net/dev").open() as table:
        names = sorted(line.split(":")[0].strip() for line in table.readlines()[2:])
    return names == ["lo"], ", ".join(names)


def attempts() -> dict[str, Attempt]:
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
