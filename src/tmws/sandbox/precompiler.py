"""Have the base image's own Python compile what the image is going to hold."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from tmws.domain.errors import SandboxUnavailable
from tmws.domain.execution import MEBIBYTE
from tmws.sandbox import tarballs
from tmws.sandbox.assets import image_folder
from tmws.sandbox.engine import Attachment, Engine
from tmws.sandbox.frames import STDOUT, Demultiplexer
from tmws.sandbox.hardening import STRICT, SlotClass, container_config
from tmws.sandbox.tarballs import Entry

_CLASS = SlotClass(memory_bytes=1024 * MEBIBYTE, processes=16, cpus=2.0)
_SECONDS_TO_COMPILE = 120
_CHUNK = 256 * 1024


def precompile(
    engine: Engine, base: str, interpreter: str, sources: dict[str, Entry]
) -> dict[str, Entry]:
    """Return the `.pyc` files of the sources, by their place in the image.

    The compiler sees public wheels only, and still runs behind every protection.

    Raises:
        SandboxUnavailable: the base has no Python 3.11 at that place, or it failed.
    """
    with _container(engine, base, interpreter) as attachment:
        stream = attachment.socket
        stream.settimeout(_SECONDS_TO_COMPILE)
        stream.sendall(tarballs.packed(sources))
        stream.shutdown(socket.SHUT_WR)
        output, errors = _drained(stream)
    if not output:
        raise SandboxUnavailable(
            f"The base image {base} could not compile the tools: {errors[-200:]!r}", retryable=False
        )
    return tarballs.unpacked(output)


@contextlib.contextmanager
def _container(engine: Engine, base: str, interpreter: str) -> Iterator[Attachment]:
    program = (image_folder() / "precompile.py").read_text()
    config = container_config(base, _CLASS, STRICT, labels={})
    config["Cmd"] = [interpreter, "-I", "-S", "-c", program]
    container = engine.create(config)
    try:
        with contextlib.closing(engine.attach(container)) as attachment:
            engine.start(container)
            yield attachment
    finally:
        engine.remove(container)


def _drained(stream: socket.socket) -> tuple[bytes, bytes]:
    """Return all that comes on standard output and on standard error."""
    demultiplexer = Demultiplexer()
    output, errors = bytearray(), bytearray()
    while data := stream.recv(_CHUNK):
        for number, payload in demultiplexer.feed(data):
            (output if number == STDOUT else errors).extend(payload)
    return bytes(output), bytes(errors)
