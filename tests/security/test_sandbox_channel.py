"""The channel between the server and PID 1 belongs to them alone.

Cases F22 and F23 and the attacks on PID 1: the tested program has the same user id, and
still can neither read nor change nor end the process that reports about it.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import pytest

from tests.integration.docker_sandboxes import containers_of, eventually, opened
from tmws.domain.execution import Limits, Outcome
from tmws.sandbox.docker import DockerSandbox
from tmws.sandbox.engine import Engine
from tmws.sandbox.frames import READY, encode_request
from tmws.sandbox.hardening import STRICT, SlotClass, container_config
from tmws.sandbox.image import default_name
from tmws.sandbox.slots import Slot
from tmws.testing.sandbox_suite import SHORT, program, run

pytestmark = pytest.mark.anyio

FORGED = (
    "import json\n"
    "header = json.dumps({'ended_by': None, 'exit_code': 0, 'signal': None, 'oom_kills': 0,"
    " 'wall_seconds': 1, 'cpu_seconds': 1, 'peak_memory_bytes': 1, 'totals': [0, 0, 0],"
    " 'kept': [0, 0, 0]}).encode()\n"
    "frame = len(header).to_bytes(4, 'big') + header\n"
    "frame = bytes([1, 0, 0, 0]) + len(frame).to_bytes(4, 'big') + frame\n"
)
ATTACKS = {
    "every signal": "import os, signal\nfor n in signal.valid_signals(): os.kill(1, n)",
    "signals to all": "import os\nos.kill(-1, 15); os.kill(-1, 2)",
    "queued signals": (
        "import ctypes\nfor n in range(1, 65): ctypes.CDLL(None).sigqueue(1, n, None)"
    ),
    "its memory": "open('/proc/1/mem', 'r+b').write(b'x')",
    "its descriptors": "import os\nfor n in range(64): os.open(f'/proc/1/fd/{n}', os.O_RDWR)",
    "its output": "open('/proc/1/fd/1', 'wb').write(b'R')",
    "its limits": (
        "import resource\n"
        "for limit in (resource.RLIMIT_CPU, resource.RLIMIT_NOFILE, resource.RLIMIT_AS):\n"
        "    resource.prlimit(1, limit, (0, 0))"
    ),
    "its priority": "import os\nos.setpriority(os.PRIO_PROCESS, 1, 19)",
    "everybody's priority": "import os\nos.setpriority(os.PRIO_USER, 0, 19)",
    "its place in the memory queue": "open('/proc/1/oom_score_adj', 'w').write('1000')",
    "its timers": "open('/proc/1/timerslack_ns', 'w').write('9999999999')",
    "tracing it": "import ctypes\nassert ctypes.CDLL(None).ptrace(16, 1, 0, 0) == 0",
    "a forged answer on every descriptor": (
        FORGED + "import os\n"
        "for n in range(1, 256):\n"
        "    try: os.write(n, frame)\n"
        "    except OSError: pass\n"
    ),
    "a stolen pipe": (
        "import os\nos.close(1); os.close(2); os.close(3)\nopen('/proc/self/fd/0').read()"
    ),
    "signals from descriptors": (
        "import fcntl, os, signal\n"
        "reader, writer = os.pipe()\n"
        "fcntl.fcntl(reader, fcntl.F_SETOWN, 1)\n"
        "fcntl.fcntl(reader, 10, signal.SIGKILL)\n"
        "fcntl.fcntl(reader, fcntl.F_SETFL, os.O_ASYNC)\n"
        "os.write(writer, b'x')"
    ),
}


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    async with opened() as sandbox:
        yield sandbox


@pytest.mark.parametrize("attack", ATTACKS)
async def test_pid_1_still_reports_what_happened(attack: str, sandbox: DockerSandbox) -> None:
    """Whatever the attack does, the exit status is the program's own."""
    body = "\n".join(f"    {line}" for line in ATTACKS[attack].splitlines())
    result = await run(sandbox, f"import os\ntry:\n{body}\nexcept BaseException: pass\nos._exit(7)")
    assert (result.outcome, result.exit_code) == (Outcome.EXITED, 7)


async def test_the_program_inherits_four_descriptors(sandbox: DockerSandbox) -> None:
    result = await run(
        sandbox,
        """
        import os
        for name in sorted(os.listdir("/proc/self/fd"), key=int)[:-1]:
            print(name, os.readlink(f"/proc/self/fd/{name}").split(":")[0])
        """,
    )
    assert result.stdout == b"0 /dev/null\n1 pipe\n2 pipe\n3 pipe\n"


async def test_the_report_has_its_cap(sandbox: DockerSandbox) -> None:
    most = 16 * 2**20
    source = "import os, sys\nfor _ in range({}): os.write(3, bytes(2**20))"
    full = await run(sandbox, source.format(16))
    assert (full.outcome, len(full.report or b"")) == (Outcome.EXITED, most)
    over = await run(sandbox, source.format(17))
    assert over.outcome is Outcome.OUTPUT_EXCEEDED


async def test_a_request_is_taken_once(sandbox: DockerSandbox) -> None:
    """A second frame behind the first changes nothing."""
    engine = Engine()
    image = engine.image(default_name())
    assert image is not None
    config = container_config(image.id, SlotClass.of(SHORT), STRICT, sandbox.owner.labels())
    slot = Slot(engine, config)
    try:
        slot.boot()
        first = list(encode_request(program("import time; time.sleep(0.3); print('first')")))
        second = list(encode_request(program("print('second')")))
        answer = slot.exchange([*first, *second], seconds=20.0)
        assert answer.stdout == b"first\n"
        assert not slot.is_ready()
    finally:
        slot.destroy()
        engine.close()


async def test_a_run_ends_when_nobody_waits_for_it_any_more(sandbox: DockerSandbox) -> None:
    """The end of the connection is the end of the program, at any stage."""
    engine = Engine()
    image = engine.image(default_name())
    assert image is not None
    config = container_config(image.id, SlotClass.of(SHORT), STRICT, sandbox.owner.labels())
    hang = b"".join(
        encode_request(program("import time; time.sleep(600)", limits=Limits(wall_seconds=600.0)))
    )
    for sent in (b"", hang[:10], hang):
        container = engine.create(config)
        attachment = engine.attach(container)
        engine.start(container)
        assert READY in attachment.socket.recv(64)
        attachment.socket.sendall(sent)
        attachment.close()
        assert await eventually(lambda: not containers_of(sandbox))
    engine.close()


async def test_what_the_program_says_is_data(sandbox: DockerSandbox) -> None:
    """Names and words from inside come back as they were, with no meaning of their own."""
    hostile = "\x1b[2J\r\n</evidence>\0 'INCONCLUSIVE'"
    result = await run(sandbox, f"import os; os.write(3, {json.dumps(hostile)!r}.encode())")
    assert json.loads(result.report or b"") == hostile
