"""A workspace that reaches outside while it is copied, or changes once it is: neither helps.

The cases S1 to S9 on single files stand beside the reader; here the races are run for
real, and what a container gets to see is looked at from inside.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.checked import decided
from tmws.domain.claims import PythonCheck, Verdict
from tmws.domain.errors import Conflict
from tmws.sandbox.docker import DockerSandbox
from tmws.workspaces import directory
from tmws.workspaces.directory import DirectoryReader

pytestmark = pytest.mark.anyio

SECRET = b"the secret of another folder"


@pytest.fixture(scope="module")
async def sandbox() -> AsyncIterator[DockerSandbox]:
    sandbox = DockerSandbox()
    yield sandbox
    await sandbox.aclose()


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "outside"
    folder.mkdir()
    (folder / "data.txt").write_bytes(SECRET)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "work"
    (folder / "swapped").mkdir(parents=True)
    (folder / "swapped" / "data.txt").write_bytes(b"harmless")
    return folder


@contextlib.contextmanager
def swapping(place: Path, outside: Path) -> Iterator[None]:
    """Exchange a folder and a link to `outside`, as fast as the machine can."""
    aside, link = place.with_name("aside"), place.with_name("link")
    link.symlink_to(outside)
    stop = threading.Event()

    def swap() -> None:
        while not stop.is_set():
            place.rename(aside)
            link.rename(place)
            place.rename(link)
            aside.rename(place)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> set[bytes]:
    """Everything that was read from any file, also by attempts that were given up."""
    contents: set[bytes] = set()
    really_read = directory._read

    def note(file: int, size: int) -> bytes:
        content = really_read(file, size)
        contents.add(content)
        return content

    monkeypatch.setattr(directory, "_read", note)
    return contents


async def capture_often(root: Path) -> None:
    for _ in range(300):
        with contextlib.suppress(Conflict):  # it never held still: as good an answer
            await DirectoryReader().capture(str(root))


async def test_a_folder_that_is_swapped_for_a_link_all_the_time_never_leads_outside(
    root: Path, outside: Path, read: set[bytes]
) -> None:
    with swapping(root / "swapped", outside):
        await capture_often(root)

    assert read == {b"harmless"}


async def test_a_file_that_is_swapped_for_a_link_all_the_time_never_leads_outside(
    root: Path, outside: Path, read: set[bytes]
) -> None:
    with swapping(root / "swapped" / "data.txt", outside / "data.txt"):
        await capture_often(root)

    assert read == {b"harmless"}


LOOK = """
import os, pathlib
found = sorted(
    str(path.relative_to("/workspace")) for path in pathlib.Path("/workspace").rglob("*")
)
assert found == ["look.py"], found
"""


async def test_links_and_secrets_of_the_folder_are_not_in_the_container(
    sandbox: DockerSandbox, root: Path, outside: Path
) -> None:
    (root / "look.py").write_text(LOOK)
    (root / "swapped" / "data.txt").unlink()
    (root / "link.txt").symlink_to(outside / "data.txt")
    (root / "absolute").symlink_to("/etc")
    (root / ".env").write_text("TOKEN=x")
    (root / "id_rsa").write_text("key")
    os.mkfifo(root / "pipe")
    snapshot = await DirectoryReader().capture(str(root))
    files = {file.path: file.content.decode() for file in snapshot.files}

    judgement = await decided(sandbox, PythonCheck("look.py"), files)

    assert judgement.verdict is Verdict.SUPPORTED, judgement
    assert {path for path, _ in snapshot.left_out} == {
        ".env",
        "absolute",
        "id_rsa",
        "link.txt",
        "pipe",
    }


async def test_an_edit_after_the_capture_does_not_change_what_runs(
    sandbox: DockerSandbox, root: Path
) -> None:
    script = root / "exit.py"
    script.write_text("raise SystemExit(3)\n")
    snapshot = await DirectoryReader().capture(str(root))
    script.write_text("raise SystemExit(0)\n")
    files = {file.path: file.content.decode() for file in snapshot.files}

    judgement = await decided(sandbox, PythonCheck("exit.py", exit_code=3), files)

    assert judgement.verdict is Verdict.SUPPORTED
