"""Claims in a row while servers, containers and the engine are killed at random.

usage: python -m tests.soak.soak [CLAIMS] [SEED]

Nothing may be lost, nothing counted twice, nothing held against the claimant, and nothing
left behind. Two clients, each with a server of its own, share one store and one engine.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.soak.engine import OwnEngine, own_engine
from tests.soak.server import Gone, Server
from tmws.app import open_app
from tmws.config import Settings
from tmws.domain.claims import Verdict
from tmws.domain.verifications import ClaimState
from tmws.sandbox.docker import DockerSandbox
from tmws.sandbox.image import default_name

CLIENTS = 2
MOST_CALLS = 30
PAUSE_SECONDS = 1.0
# A container that its engine has forgotten ends when it has heard nothing for a minute.
PATIENCE_SECONDS = 90.0
# A fast machine is done with all claims in seconds, so calls say when, and not the clock.
CALLS_BETWEEN_KILLS = (2, 6)
INTO_A_CALL_SECONDS = 0.5
SCRIPT = "import sys\nprint({number})\nsys.exit({status})\n"


@dataclass
class Findings:
    """What became of the claims, and what was left when all was over."""

    claims: int = 0
    right: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)
    kills: Counter[str] = field(default_factory=Counter)
    refusals: Counter[str] = field(default_factory=Counter)
    left: dict[str, Any] = field(default_factory=dict)
    stray: int = 0
    seconds: float = 0.0
    sent: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))

    @property
    def clean(self) -> bool:
        return not self.wrong and not any(self.left.values())


async def soak(engine: OwnEngine, folder: Path, *, claims: int, seed: int) -> Findings:
    """Make so many claims amid the killing, and look at what is left."""
    engine.load(default_name())
    found, chance = Findings(claims=claims), random.Random(seed)  # noqa: S311  # repeatable
    scratch = folder / "scratch"
    scratch.mkdir()
    environment = {
        "TMWS_DATA_DIR": str(folder / "data"),
        "TMWS_WARM_SLOTS": "1",
        "TMWS_CHECK_SECONDS": "20",
        "DOCKER_HOST": engine.address,
        "TMPDIR": str(scratch),
    }
    servers = [Server(environment) for _ in range(CLIENTS)]
    async with open_app(Settings(data_dir=folder / "data")) as app:
        for number in range(CLIENTS):
            root = folder / f"project{number}"
            root.mkdir()
            await app.workspaces.add(f"project{number}", str(root), by="soak")
    began = time.monotonic()
    numbers = iter(range(claims))
    async with asyncio.TaskGroup() as group:
        killing = group.create_task(_kill_at_random(engine, servers, chance, found))
        rows = [
            group.create_task(_claim_in_a_row(server, folder / f"project{place}", numbers, found))
            for place, server in enumerate(servers)
        ]
        await asyncio.wait(rows)
        killing.cancel()
    for server in servers:
        await server.stop()
    found.seconds = time.monotonic() - began
    found.left = await _left(engine, folder, found)
    return found


async def _claim_in_a_row(
    server: Server, project: Path, numbers: Iterator[int], found: Findings
) -> None:
    for number in numbers:
        status = number % 3 == 0
        (project / "check.py").write_text(SCRIPT.format(number=number, status=int(status)))
        answer = await _decided(server, project.name, found)
        if answer is None:
            found.lost.append(f"{project.name} {number}")
        elif answer["verdict"] == ("REFUTED" if status else "SUPPORTED"):
            found.right += 1
        else:
            found.wrong.append(answer)


async def _decided(server: Server, workspace: str, found: Findings) -> dict[str, Any] | None:
    """Do as an agent does: send the claim again until it has a verdict."""
    claim = {
        "statement": "The script ends well.",
        "workspace": workspace,
        "check": {"profile": "python", "script": "check.py"},
        "wait_seconds": 20,
    }
    for call in range(1, MOST_CALLS + 1):
        found.sent.release()
        try:
            result = await server.call("verify_claim", claim)
        except Gone:
            found.refusals["server gone"] += 1
            continue
        answer = result.get("structuredContent", {})
        if not result.get("isError") and answer.get("verdict"):
            found.calls.append(call)
            return dict(answer)
        text = result["content"][0]["text"]
        found.refusals[text.partition(":")[0] if result.get("isError") else answer["state"]] += 1
        await asyncio.sleep(PAUSE_SECONDS)
    return None


async def _kill_at_random(
    engine: OwnEngine, servers: list[Server], chance: random.Random, found: Findings
) -> None:
    while True:
        for _ in range(chance.randint(*CALLS_BETWEEN_KILLS)):
            await found.sent.acquire()
        await asyncio.sleep(chance.uniform(0.0, INTO_A_CALL_SECONDS))
        what = chance.choices(("server", "container", "engine"), (4, 5, 2))[0]
        if what == "server":
            chance.choice(servers).kill()
        elif what == "container":
            running = await asyncio.to_thread(engine.containers)
            if not running:
                continue
            await asyncio.to_thread(engine.kill_container, chance.choice(running))
        else:
            await asyncio.shield(asyncio.to_thread(_restart, engine))
        found.kills[what] += 1


def _restart(engine: OwnEngine) -> None:
    engine.kill()
    engine.start()


async def _left(engine: OwnEngine, folder: Path, found: Findings) -> dict[str, Any]:
    """Return by name what should not be there any more."""
    if engine.is_down():
        engine.start()
    await _swept(engine)
    async with open_app(Settings(data_dir=folder / "data")) as app:
        report = await app.audit.verify()
        claims = await app.verification.newest(limit=10 * found.claims)
    found.stray = len(engine.shims())
    closed = {claim.id: claim.judgement for claim in claims if claim.judgement}
    verdicts = Counter(judgement.verdict for judgement in closed.values())
    false = (found.claims + 2) // 3
    return {
        "containers": engine.containers(),
        "processes": engine.inside(),
        "open claims": [claim.id for claim in claims if claim.state is ClaimState.OPEN],
        "leases": [claim.id for claim in claims if claim.lease_until is not None],
        "temporary files": sorted(path.name for path in (folder / "scratch").iterdir()),
        "ledger problems": [problem.what for problem in report.problems],
        "second verdicts": _twice(claim.snapshot_digest for claim in claims if claim.judgement),
        "shared ledger entries": _twice(claim.ledger_index for claim in claims if claim.judgement),
        "faults held against the agent": verdicts[Verdict.INCONCLUSIVE]
        + max(0, verdicts[Verdict.REFUTED] - false),
    }


async def _swept(engine: OwnEngine) -> None:
    """Do as the next server does before its first run and every minute, and wait a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    async with aclosing(DockerSandbox(docker_host=engine.address)) as sandbox:
        await sandbox.sweep()
        while time.monotonic() < deadline and (engine.containers() or engine.inside()):
            await asyncio.sleep(0.5)
            await sandbox.sweep()


def _twice(values: Iterable[Any]) -> list[Any]:
    return [value for value, count in Counter(values).items() if count > 1]


def main(arguments: list[str]) -> int:
    """Soak, print what was found, and fail if any of it is amiss."""
    claims = int(arguments[0]) if arguments else 500
    seed = int(arguments[1]) if len(arguments) > 1 else int.from_bytes(os.urandom(4))
    with own_engine() as engine, tempfile.TemporaryDirectory(prefix="tmws-soak-") as folder:
        found = asyncio.run(soak(engine, Path(folder), claims=claims, seed=seed))
    calls = sorted(found.calls)
    told = {
        "seed": seed,
        "claims": found.claims,
        "right": found.right,
        "wrong": found.wrong,
        "lost": found.lost,
        "sent again": sum(1 for each in calls if each > 1),
        "most calls": calls[-1] if calls else None,
        "kills": dict(found.kills),
        "refusals": dict(found.refusals),
        "left": {name: what for name, what in found.left.items() if what},
        "the engine's own": found.stray,
        "seconds": round(found.seconds, 1),
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0 if found.clean and found.right > 0.99 * found.claims else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
