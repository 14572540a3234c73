"""A slot's connection: whoever closes it waits for whoever uses it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from tmws.sandbox.engine import Attachment, ContainerConfig, Engine
from tmws.sandbox.frames import STILL_HERE
from tmws.sandbox.slots import Aborted, Slot

READY_ON_STDOUT = b"\1\0\0\0\0\0\0\1R"
MOMENT_SECONDS = 0.2


class OneContainer(Engine):
    """An engine whose only container becomes ready and says nothing more."""

    def __init__(self) -> None:
        self.ours, self.theirs = socket.socketpair()
        self.theirs.sendall(READY_ON_STDOUT)

    def create(self, config: ContainerConfig) -> str:
        return str(config["Image"])

    def attach(self, container: str) -> Attachment:  # noqa: ARG002  # there is one
        return Attachment(self.ours)

    def start(self, container: str) -> None:
        pass

    def remove(self, container: str) -> None:  # noqa: ARG002  # there is one
        self.theirs.close()


def test_a_waiting_slot_is_told_that_its_owner_lives() -> None:
    engine = OneContainer()
    slot = Slot(engine, {"Image": "any"})
    slot.boot()
    slot.keep()
    assert engine.theirs.recv(100) == STILL_HERE
    assert slot.is_ready()
    engine.theirs.close()
    slot.keep()
    assert not slot.is_ready()
    slot.destroy()


def test_a_connection_is_closed_after_the_call_that_uses_it() -> None:
    # Closed earlier, its number could go to the next connection, and a thread about to
    # wait for the old one would wait for that one.
    engine = OneContainer()
    slot = Slot(engine, {"Image": "any"})
    slot.boot()
    sending, go_on = threading.Event(), threading.Event()

    def request() -> Iterator[bytes]:
        sending.set()
        go_on.wait()
        yield b"files"

    def exchange() -> None:
        with pytest.raises(Aborted):
            slot.exchange(request(), seconds=60)

    user, closer = threading.Thread(target=exchange), threading.Thread(target=slot.destroy)
    user.start()
    sending.wait()
    closer.start()
    closer.join(MOMENT_SECONDS)  # long enough to close what nobody minds
    open_meanwhile = engine.ours.fileno() != -1
    go_on.set()
    user.join()
    closer.join()
    assert open_meanwhile
    assert engine.ours.fileno() == -1
