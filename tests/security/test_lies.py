"""Workspaces that lie, run for real: none of them gets a verdict it does not deserve.

Each file in `lies/` is one lie, laid over a project whose `add` is wrong: the claim it
is made for, what it does, and its files. A lie may end REFUTED or INCONCLUSIVE.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.checked import decided
from tmws.domain.claims import (
    Check,
    NodeTestCheck,
    NpmTestCheck,
    PytestCheck,
    Reason,
    Verdict,
)
from tmws.domain.execution import Limits
from tmws.domain.notation import parse
from tmws.sandbox.docker import DockerSandbox

pytestmark = pytest.mark.anyio

LIES = Path(__file__).parent / "lies"

# Code that shares a process with the test runner can decide what the runner sees. At
# the level `reproduced` these are believed; only a check from another process
# (`independent`) would find them out.
BELIEVED = {
    "knows_the_tests_and_itself": "code that knows what it is asked answers by heart",
}


@dataclass(frozen=True, slots=True)
class Lie:
    says: str
    check: Check
    files: dict[str, str]


def told(name: str) -> Lie:
    """Read one lie, laid over the project that all of them share."""
    head, *parts = re.split(r"^=== ", (LIES / f"{name}.txt").read_text(), flags=re.MULTILINE)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    files = {} if name == "_base" else dict(told("_base").files)
    for part in parts:
        path, _, text = part.partition("\n")
        files[path.strip()] = text
    return Lie(fields["says"], claimed(fields["claim"]), files)


def claimed(notation: str) -> Check:
    command, _, count = notation.partition(" passed=")
    check = parse(command)
    if isinstance(check, PytestCheck | NodeTestCheck | NpmTestCheck) and count:
        return dataclasses.replace(check, passed=int(count))
    return check


NAMES = sorted(path.stem for path in LIES.glob("*.txt") if path.stem != "_base")


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    await sandbox.aclose()


@pytest.mark.parametrize("name", NAMES)
async def test_a_lie_is_not_believed(sandbox: DockerSandbox, name: str) -> None:
    lie = told(name)
    limits = dataclasses.replace(Limits(), wall_seconds=20.0)

    judgement = await decided(sandbox, lie.check, lie.files, limits)

    believed = judgement.verdict is Verdict.SUPPORTED
    assert believed == (name in BELIEVED), f"{lie.says}: {judgement}"


async def test_the_project_without_a_lie_is_refuted(sandbox: DockerSandbox) -> None:
    truth = told("_base")

    judgement = await decided(sandbox, truth.check, truth.files)

    assert (judgement.verdict, judgement.reason) == (Verdict.REFUTED, Reason.CHECK_FAILED)
    assert judgement.items == ("tests/test_app.py::test_add",)
    assert judgement.flags == ()


def test_there_are_at_least_forty_lies_and_the_believed_ones_are_named() -> None:
    assert len(NAMES) >= 40
    assert set(BELIEVED) < set(NAMES)
