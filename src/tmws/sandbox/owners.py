"""Who made a container, and whether that process still lives."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PRODUCT_LABEL = "tmws.product"
PRODUCT = "sandbox"
SLOT_LABEL = "tmws.slot"
_OWNER = "tmws.owner"
_MACHINE = "tmws.owner.machine"
_PROCESS = "tmws.owner.process"
# Fields 3 and 22 of /proc/PID/stat; counted after the name in brackets, which may hold spaces.
_STATE_FIELD = 0
_START_TIME_FIELD = 19
# Ended, and not yet waited for by its parent.
_DEAD_STATES = ("Z", "X")


@dataclass(frozen=True, slots=True)
class Owner:
    """One process that makes containers.

    Attributes:
        id: chosen by whoever starts it; for people.
        machine: changes with the boot and with the process namespace, so that a
            process id means something.
        process: process id and start time, which no later process shares.
    """

    id: str
    machine: str
    process: str

    @classmethod
    def this_process(cls, id_: str) -> Owner:
        """Return the owner that this process is."""
        return cls(id_, _machine(), _process(os.getpid()) or str(os.getpid()))

    def labels(self) -> dict[str, str]:
        """Return what marks a container as made by this owner."""
        return {
            PRODUCT_LABEL: PRODUCT,
            _OWNER: self.id,
            _MACHINE: self.machine,
            _PROCESS: self.process,
        }

    def may_sweep(self, labels: Mapping[str, str]) -> bool:
        """Whether this container's owner ran beside us and is dead.

        Of an owner on another machine, or before a restart of this one, nothing is
        known here, so its containers are left to it; they end by themselves as soon
        as their owner is gone.
        """
        if labels.get(_MACHINE) != self.machine:
            return False
        pid, _, _ = labels.get(_PROCESS, "").partition("-")
        return not pid.isdecimal() or _process(int(pid)) != labels.get(_PROCESS)


def process_of(labels: Mapping[str, str]) -> str:
    """Return who made the container with these labels, for people: name and process id."""
    pid, _, _ = labels.get(_PROCESS, "").partition("-")
    return f"{labels.get(_OWNER, 'unknown')} {pid or 'unknown'}"


def _machine() -> str:
    boot = Path("/proc/sys/kernel/random/boot_id")
    if not boot.is_file():
        return os.uname().nodename
    return f"{boot.read_text().strip()}-{Path('/proc/self/ns/pid').readlink()}"


def _process(pid: int) -> str | None:
    """Return process id and start time, None if there is no such process or it has ended."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if fields[_STATE_FIELD] in _DEAD_STATES else f"{pid}-{fields[_START_TIME_FIELD]}"
