"""Capturing a workspace: S1 to S9 and what honest workspaces need."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import weakref
from pathlib import Path

import pytest

from tests.patience import ENOUGH_SECONDS
from tmws.domain.errors import Conflict, InvalidInput
from tmws.domain.snapshots import Snapshot
from tmws.workspaces import directory
from tmws.workspaces.directory import DirectoryReader

pytestmark = pytest.mark.anyio


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "work"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "app.py").write_text("ANSWER = 42\n")
    return folder


async def capture(root: Path, **limits: int) -> Snapshot:
    return await DirectoryReader(**limits).capture(str(root))


def paths(snapshot: Snapshot) -> list[str]:
    return [file.path for file in snapshot.files]


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def copy_of(root: Path) -> Path:
    return Path(shutil.copytree(root, root.parent / "copy"))


async def test_regular_files_come_with_content_and_executable_bit(root: Path) -> None:
    script = root / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)

    snapshot = await capture(root)

    assert paths(snapshot) == ["run.sh", "src/app.py"]
    assert snapshot.files[0].executable
    assert not snapshot.files[1].executable
    assert snapshot.files[1].content == b"ANSWER = 42\n"
    assert snapshot.left_out == ()


async def test_what_two_snapshots_have_in_common_is_held_once_and_no_longer(root: Path) -> None:
    reader = DirectoryReader()
    first = await reader.capture(str(root))
    (root / "src" / "more.py").write_text("MORE = 1\n")
    second = await reader.capture(str(root))
    (root / "src" / "app.py").chmod(0o755)
    third = await reader.capture(str(root))
    snapshots = [first, second, third]
    assert len({snapshot.digest for snapshot in snapshots}) == 3
    same = [snapshot.files[0] is first.files[0] for snapshot in snapshots]
    loop, let_go = asyncio.get_running_loop(), asyncio.Event()
    held = weakref.ref(first.files[0], lambda _: loop.call_soon_threadsafe(let_go.set))
    del first, second, third, snapshots
    assert same == [True, True, False]
    async with asyncio.timeout(ENOUGH_SECONDS):
        await let_go.wait()  # a thread may be handing over its result still
    assert held() is None


async def test_the_same_content_elsewhere_has_the_same_digest(root: Path) -> None:
    assert (await capture(root)).digest == (await capture(copy_of(root))).digest


async def test_a_changed_byte_or_mode_changes_the_digest(root: Path) -> None:
    before = (await capture(root)).digest
    (root / "src" / "app.py").chmod(0o755)
    after_mode = (await capture(root)).digest
    (root / "src" / "app.py").write_text("ANSWER = 43\n")

    assert len({before, after_mode, (await capture(root)).digest}) == 3


async def test_a_link_to_a_file_is_left_out_and_named(root: Path) -> None:
    (root / "shadow").symlink_to("/etc/shadow")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == (("shadow", "symbolic link"),)


async def test_a_link_to_a_folder_is_not_followed(root: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.py").write_text("")
    (root / "lib").symlink_to(tmp_path / "outside")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == (("lib", "symbolic link"),)


async def test_pipes_and_sockets_are_left_out_without_waiting(root: Path) -> None:
    os.mkfifo(root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "sock"))
        snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == (("pipe", "not a regular file"), ("sock", "not a regular file"))


async def test_a_file_that_turned_into_a_link_after_the_look_is_never_read(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The swap that races between looking at a name and opening it."""
    target = root / "src" / "app.py"
    look = directory._reason_to_leave

    def swap_after_look(name: str, path: str, kind: os.stat_result) -> str | None:
        reason = look(name, path, kind)
        if path == "src/app.py" and not target.is_symlink():
            target.unlink()
            target.symlink_to("/etc/passwd")
        return reason

    monkeypatch.setattr(directory, "_reason_to_leave", swap_after_look)

    snapshot = await capture(root)

    assert paths(snapshot) == []
    assert snapshot.left_out == (("src/app.py", "symbolic link"),)


async def test_a_file_that_keeps_growing_is_a_conflict(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = root / "src" / "app.py"
    read = directory._read

    def grow_then_read(file: int, size: int) -> bytes:
        with target.open("a") as more:
            more.write("# more\n")
        return read(file, size)

    monkeypatch.setattr(directory, "_read", grow_then_read)

    with pytest.raises(Conflict, match="kept changing") as refusal:
        await capture(root)

    assert refusal.value.retryable


async def test_a_file_that_changed_once_is_read_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = root / "src" / "app.py"
    read = directory._read
    changes = iter(["ANSWER = 43\n"])

    def change_once(file: int, size: int) -> bytes:
        for text in changes:
            target.write_text(text)
        return read(file, size)

    monkeypatch.setattr(directory, "_read", change_once)

    assert (await capture(root)).files[0].content == b"ANSWER = 43\n"


async def test_too_many_files_are_refused_with_the_limit(root: Path) -> None:
    for number in range(5):
        (root / f"{number}.txt").write_text("x")

    with pytest.raises(InvalidInput, match="more than 5 files"):
        await capture(root, max_files=5)


async def test_too_many_links_are_refused_as_well(root: Path) -> None:
    for number in range(20):
        (root / f"link{number}").symlink_to("nowhere")

    with pytest.raises(InvalidInput, match="more than 4 files"):
        await capture(root, max_files=4)


async def test_too_many_bytes_are_refused_with_the_limit(root: Path) -> None:
    (root / "a.bin").write_bytes(bytes(700_000))
    (root / "b.bin").write_bytes(bytes(700_000))

    with pytest.raises(InvalidInput, match="1 MiB"):
        await capture(root, max_total_bytes=1024 * 1024)


async def test_a_sparse_giant_is_left_out_without_being_read(root: Path) -> None:
    with (root / "disk.img").open("wb") as disk:
        disk.truncate(2**40)

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == (("disk.img", "larger than 8 MiB"),)


async def test_folders_nested_without_end_are_refused(root: Path) -> None:
    deep = root
    for _ in range(directory.MAX_DEPTH + 2):
        deep = deep / "d"
    deep.mkdir(parents=True)

    with pytest.raises(InvalidInput, match="deeper"):
        await capture(root)


@pytest.mark.parametrize("root_path", ["work", "./work", "", "/srv/../etc", "/nowhere/at/all"])
async def test_a_root_that_is_not_a_plain_absolute_folder_is_refused(root_path: str) -> None:
    with pytest.raises(InvalidInput):
        await DirectoryReader().capture(root_path)


async def test_a_root_with_a_nul_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await DirectoryReader().capture("/tmp\0/x")  # noqa: S108  a name, never opened


async def test_a_root_that_is_a_link_is_refused(root: Path) -> None:
    link = root.parent / "link"
    link.symlink_to(root)

    with pytest.raises(InvalidInput, match="link"):
        await capture(link)
    with pytest.raises(InvalidInput, match="link"):
        await capture(link / "src")


async def test_a_root_that_is_a_file_is_refused(root: Path) -> None:
    with pytest.raises(InvalidInput, match="not a folder"):
        await capture(root / "src" / "app.py")


@pytest.mark.parametrize(
    "name", ["new\nline.py", "a:b.py", "back\\slash.py", "bidi\u202e.py", "e\u0301.py", "\udcff.py"]
)
async def test_a_name_that_no_claim_could_give_is_left_out(root: Path, name: str) -> None:
    (root / name).write_text("")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    ((recorded, reason),) = snapshot.left_out
    assert recorded.isascii()
    assert recorded.isprintable()
    assert reason.startswith("its name")


async def test_an_edit_after_the_capture_does_not_reach_the_snapshot(root: Path) -> None:
    snapshot = await capture(root)
    (root / "src" / "app.py").write_text("ANSWER = 0\n")

    assert snapshot.files[0].content == b"ANSWER = 42\n"


@pytest.mark.parametrize(
    "name",
    [".env", ".env.local", ".ENV", "id_rsa", "id_ed25519.pub", "server.pem", "tls.key", ".netrc",
     ".npmrc", ".pypirc", ".git-credentials", "store.p12"],
)  # fmt: skip
async def test_files_that_may_hold_secrets_are_left_out(root: Path, name: str) -> None:
    (root / "src" / name).write_text("secret")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == ((f"src/{name}", "may hold secrets"),)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        (".git", "version control"),
        (".ssh", "may hold secrets"),
        (".venv", "virtual environment"),
        ("node_modules", "installed packages"),
        ("__pycache__", "cache"),
        (".mypy_cache", "cache"),
    ],
)
async def test_folders_of_the_machine_are_left_out(root: Path, name: str, reason: str) -> None:
    (root / name).mkdir()
    (root / name / "inside.py").write_text("")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == ((name, reason),)


async def test_a_virtual_environment_is_known_by_its_mark_whatever_its_name(root: Path) -> None:
    (root / "py311").mkdir()
    (root / "py311" / "pyvenv.cfg").write_text("")
    (root / "py311" / "lib.py").write_text("")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == (("py311", "virtual environment"),)


async def test_no_descriptor_is_left_open(root: Path) -> None:
    before = open_descriptors()
    await capture(root)
    with pytest.raises(InvalidInput):
        await capture(root / "absent")

    assert open_descriptors() == before
