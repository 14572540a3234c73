"""The one create call: every protection is on, and nothing of a request is in it."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.execution import MEBIBYTE, Limits
from tmws.sandbox.hardening import STRICT, SlotClass, container_config, seccomp_profile

CLASS = SlotClass.of(Limits())


def test_every_protection_is_on() -> None:
    config = container_config("sha256:1", CLASS, STRICT, {"a": "b"})
    host = config["HostConfig"]
    assert config["NetworkDisabled"]
    assert config["User"] == "10001:10001"
    assert config["StdinOnce"]
    assert host["NetworkMode"] == "none"
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert "no-new-privileges" in host["SecurityOpt"]
    assert host["Binds"] == []
    assert host["AutoRemove"]
    assert host["LogConfig"]["Type"] == "none"
    assert len(host["Tmpfs"]) == 2
    assert all("noexec" in options and "size=64m" in options for options in host["Tmpfs"].values())


@given(
    memory=st.integers(64 * MEBIBYTE, 8192 * MEBIBYTE),
    processes=st.integers(1, 4096),
    cpus=st.floats(1.0, 64.0),
)
def test_limits_become_the_engines_and_swap_adds_nothing(
    memory: int, processes: int, cpus: float
) -> None:
    limits = Limits(memory_bytes=memory, processes=processes, cpus=cpus)
    host = container_config("i", SlotClass.of(limits), STRICT, {})["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == memory
    assert host["PidsLimit"] == processes + 1
    assert abs(host["NanoCpus"] / 1e9 - cpus) < 1e-6


def test_a_wall_time_needs_no_container_of_its_own() -> None:
    assert SlotClass.of(Limits(wall_seconds=1.0)) == SlotClass.of(Limits(wall_seconds=99.0))


def test_the_profile_denies_what_it_does_not_name() -> None:
    profile = json.loads(seccomp_profile())
    named = {name for rule in profile["syscalls"] for name in rule["names"]}
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    assert not named & {
        "bpf", "io_uring_setup", "keyctl", "mount", "pidfd_getfd", "process_vm_readv",
        "process_vm_writev", "ptrace", "setns", "umount2", "unshare", "userfaultfd",
    }  # fmt: skip


def test_calls_that_could_reach_another_process_are_bound_to_the_own_one() -> None:
    profile = json.loads(seccomp_profile())
    bound = {name: rule.get("args") for rule in profile["syscalls"] for name in rule["names"]}
    assert [(arg["index"], arg["value"]) for arg in bound["prlimit64"]] == [(0, 0)]
    assert [(arg["index"], arg["value"]) for arg in bound["setpriority"]] == [(0, 0), (1, 0)]


def test_no_file_can_be_read_without_a_trace() -> None:
    rules = json.loads(seccomp_profile())["syscalls"]
    bound = {
        name: [(each["index"], each["value"], each["op"]) for each in rule.get("args", [])]
        for rule in rules
        for name in rule["names"]
        if name in {"open", "openat", "fcntl"}
    }
    masked = "SCMP_CMP_MASKED_EQ"
    assert bound == {
        "open": [(1, os.O_NOATIME, masked)],
        "openat": [(2, os.O_NOATIME, masked)],
        "fcntl": [(1, fcntl.F_SETFL, "SCMP_CMP_EQ"), (2, os.O_NOATIME, masked)],
    }


def test_a_weakened_value_changes_the_call() -> None:
    strict = container_config("i", CLASS, STRICT, {})
    for weaker in (
        replace(STRICT, network_mode="host"),
        replace(STRICT, read_only_root=False),
        replace(STRICT, dropped_capabilities=()),
        replace(STRICT, seccomp="unconfined"),
        replace(STRICT, no_new_privileges=False),
        replace(STRICT, limits_memory=False),
        replace(STRICT, limits_processes=False),
    ):
        assert container_config("i", CLASS, weaker, {}) != strict
