"""Whose containers may be swept: those of processes that are surely gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tmws.sandbox.owners import Owner


def test_the_living_keep_their_containers() -> None:
    owner = Owner.this_process("a")
    assert not Owner.this_process("b").may_sweep(owner.labels())


def test_the_dead_leave_theirs() -> None:
    owner = Owner.this_process("a")
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        gone = replace(owner, process=f"{process.pid}-1")
    assert owner.may_sweep(gone.labels())


def test_a_process_that_nobody_waited_for_is_dead() -> None:
    owner = Owner.this_process("a")
    with subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        started = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[19]
        process.stdout.read()  # it closes this as it ends
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        ended = replace(owner, process=f"{process.pid}-{started}")
        assert owner.may_sweep(ended.labels())


def test_a_process_that_took_over_the_number_is_somebody_else() -> None:
    owner = Owner.this_process("a")
    pid, _, _ = owner.process.partition("-")
    assert owner.may_sweep(replace(owner, process=f"{pid}-1").labels())


def test_other_machines_keep_theirs() -> None:
    owner = Owner.this_process("a")
    elsewhere = replace(owner, machine="elsewhere", process="999999999-1")
    assert not owner.may_sweep(elsewhere.labels())
    assert not owner.may_sweep({})
