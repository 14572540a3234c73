"""One container's life: made, started, given one request, heard once, removed.

Everything here blocks and is called in threads; `abort` may be called from another
one at any time and makes the blocked call end at once.
"""

from __future__ import annotations

import contextlib
import select
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from socket import socket

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox.engine import Attachment, ContainerConfig, Engine
from tmws.sandbox.frames import (
    READY,
    STDERR,
    STILL_HERE,
    Answer,
    AnswerReader,
    BrokenFrame,
    Demultiplexer,
    Refusal,
)

BOOT_SECONDS = 30.0
SEND_SECONDS = 30.0
# How soon a sender notices that the other side has stopped to listen.
MOMENT_SECONDS = 0.2
# How long the engine may take to tell how a container ended.
PATIENCE_SECONDS = 5.0
_CHUNK = 64 * 1024
_KEPT_WORDS = 4096


class Aborted(Exception):
    """Somebody called `abort`; the slot can only be destroyed now."""


class DeadlinePassed(Exception):
    """No answer came in time, not even that the time is over."""


class EndedByMemory(Exception):
    """The kernel took PID 1 itself to get under the memory limit."""


class Slot:
    """A hardened container that takes one request and is never used again."""

    def __init__(self, engine: Engine, config: ContainerConfig, *, name: str = "") -> None:
        self._engine = engine
        self._config = config
        self._container: str | None = None
        self._attachment: Attachment | None = None
        self._aborted = threading.Event()
        self._used = False
        self._talking = threading.Lock()
        self._streams = Demultiplexer()
        self._words = bytearray()
        self._payloads: deque[bytes] = deque()
        self.image = str(config["Image"])
        self.name = name
        self.made_at = time.monotonic()

    def boot(self) -> None:
        """Make and start the container, and wait until its PID 1 is ready.

        Raises:
            SandboxUnavailable: the engine or the image did not do it.
            Aborted: `abort` was called.
        """
        with self._talking:
            self._go_on()
            self._container = self._engine.create(self._config)
            self._go_on()
            self._attachment = self._engine.attach(self._container)
            self._go_on()
            self._engine.start(self._container)
            for payload in self._received(time.monotonic() + BOOT_SECONDS):
                if payload != READY:
                    raise self._lost(f"said {payload[:20]!r} instead of being ready")
                return
            raise self._lost("ended before it was ready")

    def is_ready(self) -> bool:
        """Whether it still waits for its only request: silent, and not closed."""
        if self._attachment is None or self._used or self._aborted.is_set():
            return False
        readable, _, _ = select.select([self._attachment.socket], [], [], 0)
        return not readable

    def keep(self) -> None:
        """Tell PID 1 that its owner is still there; one that cannot be told is given up.

        PID 1 ends after a minute without a word (see `init.py`).
        """
        if self._attachment is None or not self._talking.acquire(blocking=False):
            return
        try:
            if not self._used and self._attachment.socket.send(STILL_HERE) < len(STILL_HERE):
                self.abort()
        except OSError:
            self.abort()
        finally:
            self._talking.release()

    def exchange(self, request: Iterable[bytes], *, seconds: float) -> Answer:
        """Send the request and return the answer.

        Raises:
            SandboxUnavailable: the answer was lost, or the request refused or not taken.
            DeadlinePassed: no answer within `seconds` of the request.
            EndedByMemory: PID 1 fell to the memory limit.
            Aborted: `abort` was called.
        """
        with self._talking:
            return self._exchanged(request, seconds)

    def _exchanged(self, request: Iterable[bytes], seconds: float) -> Answer:
        if self._used:
            raise self._lost("was used before")
        self._used = True
        began = time.time()
        self._send(request)
        reader = AnswerReader()
        for payload in self._received(time.monotonic() + seconds):
            answer = self._understood(reader, payload)
            if isinstance(answer, Refusal):
                raise SandboxUnavailable(
                    f"The sandbox could not carry the request out: {answer.words[:200]}",
                    retryable=False,
                )
            if answer is not None:
                return answer
        raise self._ended_early(since=began)

    def abort(self) -> None:
        """End whatever call is blocked; safe from any thread, at any time."""
        self._aborted.set()
        if self._attachment is not None:
            self._attachment.hang_up()

    def destroy(self) -> None:
        """Kill and remove the container; doing it twice is harmless.

        The connection is closed first: an engine whose stream nobody reads can
        hang for half a minute in `kill` (moby/moby#41827).
        """
        self.abort()
        # Closed only once nobody listens: the number of a closed descriptor is given to the
        # next connection, and a thread about to listen would wait for that one's words.
        with self._talking:
            if self._attachment is not None:
                self._attachment.close()
        if self._container is not None:
            self._engine.remove(self._container)

    def _go_on(self) -> None:
        if self._aborted.is_set():
            raise Aborted

    def _send(self, request: Iterable[bytes]) -> None:
        """Send until all is sent, or PID 1 says something: then it takes no more."""
        connection = self._connection()
        deadline = time.monotonic() + SEND_SECONDS
        try:
            for piece in request:
                rest = memoryview(piece)
                while rest:
                    readable, _, _ = select.select([connection], [], [], 0)
                    if readable:
                        return
                    rest = rest[_sent(connection, rest, deadline) :]
        except ConnectionError:
            # It ended; what it said before is still to be read.
            return
        except OSError as error:
            self._go_on()
            raise self._lost("did not take its files") from error

    def _received(self, deadline: float) -> Iterator[bytes]:
        """Yield what PID 1 says, until it ends; keep its error output for the log."""
        while True:
            while self._payloads:
                yield self._payloads.popleft()
            data = self._receive(deadline)
            if not data:
                return
            for number, payload in self._demultiplexed(data):
                if number == STDERR:
                    self._words = (self._words + payload)[-_KEPT_WORDS:]
                elif payload:
                    self._payloads.append(payload)

    def _receive(self, deadline: float) -> bytes:
        connection = self._connection()
        try:
            connection.settimeout(_left(deadline))
            data = connection.recv(_CHUNK)
        except TimeoutError:
            raise DeadlinePassed from None
        except OSError as error:
            self._go_on()
            raise self._lost("lost its connection") from error
        self._go_on()
        return data

    def _connection(self) -> socket:
        self._go_on()
        if self._attachment is None:
            raise self._lost("was never started")
        return self._attachment.socket

    def _demultiplexed(self, data: bytes) -> list[tuple[int, bytes]]:
        try:
            return self._streams.feed(data)
        except BrokenFrame as error:
            raise self._lost(str(error)) from error

    def _understood(self, reader: AnswerReader, payload: bytes) -> Answer | Refusal | None:
        try:
            return reader.feed(payload)
        except BrokenFrame as error:
            raise self._lost(str(error)) from error

    def _ended_early(self, *, since: float) -> Exception:
        """Return why there is no answer."""
        if self._container is not None and self._engine.died_of_memory(
            self._container, since=since, patience=PATIENCE_SECONDS
        ):
            return EndedByMemory()
        return self._lost("ended without an answer")

    def _lost(self, what: str) -> SandboxUnavailable:
        words = self._words.decode(errors="replace").strip().splitlines()
        last = f" ({words[-1][:120]})" if words else ""
        return SandboxUnavailable(
            f"The sandbox {what}{last}. Nothing was judged; try again, and run "
            "'tmws sandbox check' if it stays so."
        )


def _sent(connection: socket, data: memoryview, deadline: float) -> int:
    """Send what fits within a moment; return how much that was."""
    connection.settimeout(min(_left(deadline), MOMENT_SECONDS))
    with contextlib.suppress(TimeoutError):
        return connection.send(data)
    return 0


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
