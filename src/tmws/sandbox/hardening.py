"""What a container may not do, as the body of one create call.

Pure: the same values give the same body, so a reader sees all of it here and a test
can weaken one value and watch the self-test refuse.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tmws.domain.execution import MEBIBYTE, Limits
from tmws.sandbox.assets import image_folder

NANO = 1_000_000_000
USER_ID = 10001
# PID 1 of ours lives in the container too.
OWN_PROCESSES = 1
OPEN_FILES = 256
LARGEST_FILE_BYTES = 64 * MEBIBYTE
# The child raises its own score to 1000, so that the kernel ends it before PID 1.
OOM_SCORE_ADJUSTMENT = 500
INIT = ("/opt/tmws/python", "-I", "-S", "/opt/tmws/init.py")


@functools.cache
def seccomp_profile() -> str:
    """Return the system calls that are allowed, as the JSON that Docker takes."""
    profile = json.loads((image_folder() / "seccomp.json").read_text())
    return json.dumps(profile, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class SlotClass:
    """What is fixed when a container is made: its image and limits; equal ones are exchangeable.

    Attributes:
        image: the image's name.
    """

    memory_bytes: int
    processes: int
    cpus: float
    image: str = ""

    @classmethod
    def of(cls, limits: Limits, image: str = "") -> SlotClass:
        """Return the class that a run with these limits in this image needs."""
        return cls(limits.memory_bytes, limits.processes, limits.cpus, image)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardening:
    """Every protection, on. Weaken one only to see that the self-test notices.

    Attributes:
        seccomp: the profile as JSON, `unconfined`, or None for the shipped one.
        binds: folders of the host to mount, as `host:container`; ours are none.
    """

    user: str = f"{USER_ID}:{USER_ID}"
    network_mode: str = "none"
    read_only_root: bool = True
    dropped_capabilities: tuple[str, ...] = ("ALL",)
    no_new_privileges: bool = True
    seccomp: str | None = None
    limits_memory: bool = True
    limits_processes: bool = True
    tmpfs_mebibytes: int = 64
    binds: tuple[str, ...] = ()

    def security_options(self) -> list[str]:
        """Return Docker's `SecurityOpt`."""
        options = [f"seccomp={self.seccomp or seccomp_profile()}"]
        return ["no-new-privileges", *options] if self.no_new_privileges else options

    def tmpfs(self) -> str:
        """Return the mount options of `/workspace` and `/tmp`."""
        owner = f"uid={USER_ID},gid={USER_ID},mode=0700"
        size = f"size={self.tmpfs_mebibytes}m,nr_inodes=16384"
        return f"rw,nosuid,nodev,noexec,{size},{owner}"


STRICT = Hardening()


def container_config(
    image: str, slot_class: SlotClass, hardening: Hardening, labels: Mapping[str, str]
) -> dict[str, Any]:
    """Return the create call for one slot, spelled as the Engine API does.

    No user's string is in it: what a request brings goes through standard input.
    """
    network_off = hardening.network_mode == "none"
    return {
        "Image": image,
        "Cmd": list(INIT),
        "User": hardening.user,
        "Hostname": "sandbox",
        "WorkingDir": "/",
        "Labels": dict(labels),
        # Skips Docker's network set-up altogether: an own namespace with `lo`, 75 ms sooner.
        "NetworkDisabled": network_off,
        "OpenStdin": True,
        # The container ends by itself when its owner dies.
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        "StopSignal": "SIGKILL",
        "HostConfig": _host_config(slot_class, hardening),
    }


def _host_config(slot_class: SlotClass, hardening: Hardening) -> dict[str, Any]:
    memory = slot_class.memory_bytes if hardening.limits_memory else 0
    processes = slot_class.processes + OWN_PROCESSES if hardening.limits_processes else -1
    return {
        "NetworkMode": hardening.network_mode,
        "ReadonlyRootfs": hardening.read_only_root,
        "CapDrop": list(hardening.dropped_capabilities),
        "SecurityOpt": hardening.security_options(),
        "Memory": memory,
        # Equal to the memory: no swap.
        "MemorySwap": memory,
        "NanoCpus": int(slot_class.cpus * NANO),
        "PidsLimit": processes,
        "OomScoreAdj": OOM_SCORE_ADJUSTMENT,
        "IpcMode": "private",
        "ShmSize": 16 * MEBIBYTE,
        "Tmpfs": {"/tmp": hardening.tmpfs(), "/workspace": hardening.tmpfs()},  # noqa: S108  (in the container)
        "Binds": list(hardening.binds),
        "Ulimits": [
            _ulimit("nofile", OPEN_FILES),
            _ulimit("core", 0),
            _ulimit("fsize", LARGEST_FILE_BYTES),
        ],
        # Docker's default log keeps all output on the host's disk, without a bound.
        "LogConfig": {"Type": "none", "Config": {}},
        "AutoRemove": True,
        "Init": False,
    }


def _ulimit(name: str, value: int) -> dict[str, Any]:
    return {"Name": name, "Soft": value, "Hard": value}
