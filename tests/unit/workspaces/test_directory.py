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

    contents: set[bytes] = set()
    read = directory._read

    def note(file: int, size: int) -> bytes:
        contents.add(content := read(file, size))
        return content

    monkeypatch.setattr(directory, "_reason_to_leave", swap_after_look)
    monkeypatch.setattr(directory, "_read", note)

    snapshot = await capture(root)

    assert contents == set()
    assert paths(snapshot) == []
    assert snapshot.left_out == (("src/app.py", "symbolic link"),)


async def test_a_file_that_turned_into_a_pipe_after_the_look_is_no_empty_file(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = root / "src" / "app.py"
    look = directory._reason_to_leave

    def swap_after_look(name: str, path: str, kind: os.stat_result) -> str | None:
        reason = look(name, path, kind)
        if path == "src/app.py" and target.is_file():
            target.unlink()
            os.mkfifo(target)
        return reason

    monkeypatch.setattr(directory, "_reason_to_leave", swap_after_look)

    assert (await capture(root)).left_out == (("src/app.py", "not a regular file"),)


async def test_a_folder_that_gets_a_file_while_it_is_read_is_read_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = directory._read

    def add_beside(file: int, size: int) -> bytes:
        beside = root / "src" / "aaa.py"
        if not beside.exists():
            beside.touch()
        return read(file, size)

    monkeypatch.setattr(directory, "_read", add_beside)

    assert paths(await capture(root)) == ["src/aaa.py", "src/app.py"]


async def test_a_file_that_keeps_growing_is_a_conflict_at_the_third_look(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = root / "src" / "app.py"
    read = directory._read
    looks = []

    def grow_then_read(file: int, size: int) -> bytes:
        looks.append(size)
        with target.open("a") as more:
            more.write("# more\n")
        return read(file, size)

    monkeypatch.setattr(directory, "_read", grow_then_read)

    with pytest.raises(Conflict, match=r"src/app\.py.* kept changing") as refusal:
        await capture(root)

    assert refusal.value.retryable
    assert looks == sorted(set(looks))
    assert len(looks) == 3


async def test_a_file_that_changed_once_is_read_again(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = root / "src" / "app.py"
    read = directory._read
    changes = iter(["ANSWER = 43\n"])

    def change_once(file: int, size: int) -> bytes:
        content = read(file, size)
        for text in changes:
            target.write_text(text)
        return content

    monkeypatch.setattr(directory, "_read", change_once)

    assert (await capture(root)).files[0].content == b"ANSWER = 43\n"


async def test_of_a_file_that_grows_no_more_is_read_than_shows_it(root: Path) -> None:
    file = os.open(root / "src" / "app.py", os.O_RDONLY)
    try:
        assert directory._read(file, len("ANS")) == b"ANSW"
    finally:
        os.close(file)


async def test_too_many_files_are_refused_with_the_limit(root: Path) -> None:
    for number in range(5):
        (root / f"{number}.txt").write_text("x")

    with pytest.raises(InvalidInput, match="more than 5 files"):
        await capture(root, max_files=5)


async def test_three_times_as_many_links_as_files_are_left_out_and_more_refused(
    root: Path,
) -> None:
    for number in range(14):  # beside a folder and a file
        (root / f"link{number}").symlink_to("nowhere")

    assert len((await capture(root, max_files=4)).left_out) == 14

    (root / "one-more").symlink_to("nowhere")
    with pytest.raises(InvalidInput, match="more than 4 files"):
        await capture(root, max_files=4)


async def test_a_workspace_may_hold_exactly_what_is_said(root: Path) -> None:
    for number in range(4):
        with (root / f"{number}.bin").open("wb") as large:
            large.truncate(8 * 1024 * 1024)
    (root / "src" / "app.py").write_bytes(b"")
    for number in range(4995):
        (root / f"{number}.txt").touch()

    snapshot = await capture(root)

    assert (len(snapshot.files), snapshot.left_out) == (5000, ())
    assert [len(file.content) for file in snapshot.files[:2]] == [8 * 1024 * 1024, 0]
    (root / "one-more.txt").touch()
    with pytest.raises(InvalidInput, match="more than 5000 files or 32 MiB"):
        await capture(root)
    (root / "one-more.txt").unlink()
    (root / "0.txt").write_text("x")
    with pytest.raises(InvalidInput, match="more than 5000 files or 32 MiB"):
        await capture(root)


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


async def test_folders_nested_deeper_than_64_are_refused(root: Path) -> None:
    deep = root.joinpath(*["d"] * 64)
    deep.mkdir(parents=True)
    (deep / "last.py").touch()
    assert len(paths(await capture(root))) == 2
    (deep / "d").mkdir()

    with pytest.raises(InvalidInput, match="deeper than 64"):
        await capture(root)


async def test_what_this_server_may_not_read_is_named() -> None:
    with (
        pytest.raises(InvalidInput, match=r"'src/app\.py' cannot be read by this server"),
        directory._changes_of("src/app.py"),
    ):
        raise PermissionError  # who runs these tests may be allowed to read everything


@pytest.mark.parametrize(
    "root_path", ["work", "./work", "", "/srv/../etc", "/srv/./shop", "/srv/shop/"]
)
async def test_a_root_that_is_not_a_plain_absolute_path_is_refused(root_path: str) -> None:
    with pytest.raises(InvalidInput, match=r"is not an absolute path without '\.\.'"):
        await DirectoryReader().capture(root_path)


async def test_a_root_that_does_not_exist_is_refused() -> None:
    with pytest.raises(InvalidInput, match="is not a folder that can be read"):
        await DirectoryReader().capture("/nowhere/at/all")


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
    ("name", "told", "why"),
    [
        ("new\nline.py", r"new\nline.py", "holds unprintable characters"),
        ("bidi\u202e.py", r"bidi\u202e.py", "holds unprintable characters"),
        ("\udcff.py", r"\udcff.py", "holds unprintable characters"),
        ("no\u00a0break.py", r"no\xa0break.py", "holds unprintable characters"),
        ("a:b.py", "a:b.py", "holds a backslash or a colon"),
        ("back\\slash.py", r"back\\slash.py", "holds a backslash or a colon"),
        ("e\u0301.py", r"e\u0301.py", "is not NFC"),
    ],
)
async def test_a_name_that_no_claim_could_give_is_left_out(
    root: Path, name: str, told: str, why: str
) -> None:
    (root / name).write_text("")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == ((told, f"its name {why}"),)


async def test_names_with_spaces_and_letters_of_any_script_are_as_good_as_others(
    root: Path,
) -> None:
    for name in ("mit Leerzeichen.py", "größe.py", "число.py"):
        (root / name).touch()
    (root / "größe.pem").touch()

    snapshot = await capture(root)

    assert paths(snapshot) == ["größe.py", "mit Leerzeichen.py", "src/app.py", "число.py"]
    assert snapshot.left_out == (("größe.pem", "may hold secrets"),)


async def test_an_edit_after_the_capture_does_not_reach_the_snapshot(root: Path) -> None:
    snapshot = await capture(root)
    (root / "src" / "app.py").write_text("ANSWER = 0\n")

    assert snapshot.files[0].content == b"ANSWER = 42\n"


@pytest.mark.parametrize(
    "name",
    [".env", ".env.local", ".ENV", ".git-credentials", ".htpasswd", ".netrc", ".npmrc", ".pypirc",
     "id_dsa", "id_ecdsa_work", "id_ed25519.pub", "id_rsa", "store.jks", "all.kdbx", "tls.key",
     "app.keystore", "store.p12", "server.pem", "site.pfx", "putty.ppk"],
)  # fmt: skip
async def test_files_that_may_hold_secrets_are_left_out(root: Path, name: str) -> None:
    (root / "src" / name).write_text("secret")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == ((f"src/{name}", "may hold secrets"),)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        *((name, "version control") for name in (".git", ".hg", ".svn")),
        *((name, "may hold secrets") for name in (".aws", ".azure", ".gnupg", ".kube", ".ssh")),
        *((name, "virtual environment") for name in (".nox", ".tox", ".venv", "venv")),
        *((name, "installed packages") for name in ("node_modules", ".eggs", "site-packages")),
        *(
            (name, "cache")
            for name in (
                *("__pycache__", ".hypothesis", ".mypy_cache"),
                *(".pytest_cache", ".ruff_cache"),
            )
        ),
    ],
)
async def test_folders_of_the_machine_are_left_out(root: Path, name: str, reason: str) -> None:
    (root / name).mkdir()
    (root / name / "inside.py").write_text("")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == ((name, reason),)


@pytest.mark.parametrize(
    ("name", "reason"),
    [(".git", "version control"), ("app.pyc", "cache"), ("app.PYO", "cache")],
)
async def test_files_that_tell_nothing_of_the_work_are_left_out(
    root: Path, name: str, reason: str
) -> None:
    (root / name).touch()

    assert (await capture(root)).left_out == ((name, reason),)


async def test_a_workspace_that_is_a_virtual_environment_itself_is_read(root: Path) -> None:
    (root / "pyvenv.cfg").touch()

    assert paths(await capture(root)) == ["pyvenv.cfg", "src/app.py"]


async def test_a_virtual_environment_is_known_by_its_mark_whatever_its_name(root: Path) -> None:
    (root / "linux").mkdir()
    (root / "linux" / "pyvenv.cfg").write_text("")
    (root / "linux" / "lib.py").write_text("")

    snapshot = await capture(root)

    assert paths(snapshot) == ["src/app.py"]
    assert snapshot.left_out == (("linux", "virtual environment"),)


async def test_no_descriptor_is_left_open(root: Path) -> None:
    before = open_descriptors()
    await capture(root)
    with pytest.raises(InvalidInput):
        await capture(root / "absent")

    assert open_descriptors() == before
