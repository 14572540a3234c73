"""Commits of repositories that their owner turned against whoever reads them."""

from __future__ import annotations

import hashlib
import os
import subprocess
import zlib
from pathlib import Path

import pytest

from tmws.domain.errors import InvalidInput, NotFound
from tmws.domain.snapshots import Snapshot
from tmws.workspaces import git_objects, git_packs
from tmws.workspaces.git_objects import GitReader

pytestmark = pytest.mark.anyio

WHO = ("-c", "user.name=t", "-c", "user.email=t@t", "-c", "commit.gpgsign=false")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", *WHO, *words],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"},
    )
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str]) -> str:
    for path, text in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-qm", "x")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "shop"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    return folder


def stored(folder: Path, kind: str, content: bytes, name: str | None = None) -> str:
    """Write a loose object, under another name if one is given."""
    raw = f"{kind} {len(content)}\0".encode() + content
    digest = name or hashlib.sha1(raw, usedforsecurity=False).hexdigest()
    path = folder / ".git" / "objects" / digest[:2] / digest[2:]
    path.parent.mkdir(exist_ok=True)
    path.unlink(missing_ok=True)
    path.write_bytes(zlib.compress(raw))
    return digest


def texts(of: Snapshot) -> dict[str, str]:
    return {file.path: file.content.decode() for file in of.files}


FILES = {"src/app.py": "x = 1\n", "tests/test_app.py": "y = 2\n", "run.sh": "#!/bin/sh\n"}


async def test_the_files_of_a_commit_are_read_whatever_lies_there_now(repository: Path) -> None:
    (repository / "run.sh").touch(mode=0o755)
    (repository / "run.sh").chmod(0o755)
    first = commit(repository, FILES)
    commit(repository, {"src/app.py": "changed\n"})
    (repository / "src" / "app.py").write_text("dirty\n")
    found, tree = await GitReader().tree(str(repository), first)
    assert (found, texts(tree)) == (first, FILES)
    assert [file.path for file in tree.files if file.executable] == ["run.sh"]


async def test_packed_objects_and_references_are_read_too(repository: Path) -> None:
    long = "".join(f"line {number}\n" for number in range(3000))
    head = ""
    for number in range(20):
        files = {"big.txt": f"{number}\n{long}", f"f{number}.txt": str(number)}
        head = commit(repository, files)
    git(repository, "tag", "-a", "v1", "-m", "told")
    expected = (await GitReader().tree(str(repository), "HEAD"))[1]
    git(repository, "gc", "-q", "--aggressive", "--prune=now")
    git(repository, "pack-refs", "--all")
    assert not list((repository / ".git" / "refs" / "heads").iterdir())
    for ref in ("HEAD", "main", "refs/heads/main", "v1", head):
        assert await GitReader().tree(str(repository), ref) == (head, expected)
    assert len(expected.files) == 21


async def test_what_a_snapshot_leaves_out_is_left_out_here_too(repository: Path) -> None:
    (repository / "link").symlink_to("/etc/passwd")
    head = commit(repository, {".env": "secret", "a.py": "", "id_rsa": "secret"})
    _, tree = await GitReader().tree(str(repository), head)
    assert set(texts(tree)) == {"a.py"}
    assert dict(tree.left_out) == {
        ".env": "may hold secrets",
        "id_rsa": "may hold secrets",
        "link": "symbolic link",
    }


async def test_nothing_that_the_repository_names_is_run(repository: Path, tmp_path: Path) -> None:
    head = commit(repository, {"a.py": "x = 1\n", ".gitattributes": "*.py filter=e diff=e\n"})
    ran = tmp_path / "ran"
    evil = repository / ".git" / "evil.sh"
    evil.write_text(f"#!/bin/sh\ntouch {ran}\ncat\n")
    evil.chmod(0o755)
    config = repository / ".git" / "config"
    config.write_text(
        f"{config.read_text()}[core]\n\tfsmonitor = {evil}\n\thooksPath = {evil.parent}\n"
        f'\tsshCommand = {evil}\n\tpager = {evil}\n[filter "e"]\n\tsmudge = {evil}\n'
        f'\tclean = {evil}\n\trequired = true\n[diff "e"]\n\ttextconv = {evil}\n'
        f"[include]\n\tpath = /etc/passwd\n"
    )
    for hook in ("post-checkout", "reference-transaction", "fsmonitor-watchman"):
        target = repository / ".git" / "hooks" / hook
        target.parent.mkdir(exist_ok=True)
        target.write_text(evil.read_text())
        target.chmod(0o755)
    _, tree = await GitReader().tree(str(repository), head)
    assert texts(tree)["a.py"] == "x = 1\n"
    assert not ran.exists()


async def test_an_object_that_is_not_what_its_id_says_is_refused(repository: Path) -> None:
    head = commit(repository, {"a.py": "true tests\n"})
    blob = git(repository, "rev-parse", "HEAD:a.py")
    stored(repository, "blob", b"forged tests\n", name=blob)
    with pytest.raises(InvalidInput, match="not what its id says"):
        await GitReader().tree(str(repository), head)


async def test_objects_of_another_repository_are_not_fetched_through_alternates(
    repository: Path,
) -> None:
    secret = repository.parent / "secret"
    secret.mkdir()
    git(secret, "init", "-q")
    head = commit(secret, {"secret.py": "key\n"})
    info = repository / ".git" / "objects" / "info"
    info.mkdir(exist_ok=True)
    (info / "alternates").write_text(f"{secret}/.git/objects\n")
    with pytest.raises(NotFound, match=r"kept elsewhere.*--folder"):
        await GitReader().tree(str(repository), head)


@pytest.mark.parametrize("part", [".git", "objects", "refs", "packed-refs"])
async def test_links_in_the_repository_are_not_followed(
    repository: Path, tmp_path: Path, part: str
) -> None:
    commit(repository, {"a.py": "x"})
    if part == "packed-refs":
        git(repository, "pack-refs", "--all")
    inside = repository / ".git"
    moved = inside if part == ".git" else inside / part
    away = tmp_path / "away"
    moved.rename(away)
    moved.symlink_to(away)
    with pytest.raises((InvalidInput, NotFound)):
        await GitReader().tree(str(repository), "main")


async def test_a_worktree_whose_repository_is_elsewhere_is_refused(repository: Path) -> None:
    commit(repository, {"a.py": "x"})
    beside = repository.parent / "beside"
    git(repository, "worktree", "add", "-q", str(beside), "-b", "other")
    with pytest.raises(InvalidInput, match=r"no \.git folder of its own.*--folder"):
        await GitReader().tree(str(beside), "HEAD")


async def test_a_bomb_is_not_unpacked(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(git_packs, "MAX_OBJECT_BYTES", 10_000)
    head = commit(repository, {"a.py": "x", "bomb": "0" * 1_000_000})
    _, tree = await GitReader().tree(str(repository), head)
    assert set(texts(tree)) == {"a.py"}
    assert "larger than" in dict(tree.left_out)["bomb"]
    git(repository, "gc", "-q", "--prune=now")
    assert texts((await GitReader().tree(str(repository), head))[1]) == {"a.py": "x"}


async def test_a_commit_beyond_the_limits_is_refused(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    head = commit(repository, {f"f{number}": str(number) for number in range(5)})
    with monkeypatch.context() as small:
        small.setattr(git_objects, "MAX_FILES", 4)
        with pytest.raises(InvalidInput, match="more than 4 files"):
            await GitReader().tree(str(repository), head)
    assert len((await GitReader().tree(str(repository), head))[1].files) == 5


@pytest.mark.parametrize(
    "name", ["..", ".", "a/b", ".git"], ids=["up", "here", "separator", "repository"]
)
async def test_a_tree_whose_names_lead_elsewhere_is_refused_or_left_out(
    repository: Path, name: str
) -> None:
    commit(repository, {"a.py": "x"})
    blob = stored(repository, "blob", b"evil")
    entry = b"100644 " + name.encode() + b"\0" + bytes.fromhex(blob)
    tree = stored(repository, "tree", entry)
    head = stored(repository, "commit", f"tree {tree}\n\nx".encode())
    try:
        _, found = await GitReader().tree(str(repository), head)
    except InvalidInput:
        return
    assert found.files == ()


async def test_a_tree_that_nests_too_deep_ends(repository: Path) -> None:
    commit(repository, {"a.py": "x"})
    tree = stored(repository, "tree", b"")
    for _ in range(80):
        tree = stored(repository, "tree", b"40000 d\0" + bytes.fromhex(tree))
    head = stored(repository, "commit", f"tree {tree}\n\nx".encode())
    with pytest.raises(InvalidInput, match="deeper than 64"):
        await GitReader().tree(str(repository), head)


@pytest.mark.parametrize(
    "content",
    [b"", b"ref: refs/heads/loop", b"ref: ../../../etc/passwd", b"junk", b"\xff" * 40],
    ids=["empty", "itself", "outside", "junk", "bytes"],
)
async def test_a_reference_that_leads_nowhere_is_said_to(repository: Path, content: bytes) -> None:
    commit(repository, {"a.py": "x"})
    (repository / ".git" / "refs" / "heads" / "loop").write_bytes(content)
    with pytest.raises(NotFound, match="no ref 'loop'"):
        await GitReader().tree(str(repository), "loop")


@pytest.mark.parametrize("ref", ["", "-x", "a..b", "a b", "HEAD~1", "x.lock", "a" * 300, "@{u}"])
async def test_only_plain_names_are_looked_up(repository: Path, ref: str) -> None:
    commit(repository, {"a.py": "x"})
    with pytest.raises((InvalidInput, NotFound)):
        await GitReader().tree(str(repository), ref)


async def test_a_damaged_pack_is_refused(repository: Path) -> None:
    head = commit(repository, {"a.txt": "".join(map(str, range(5000)))})
    git(repository, "gc", "-q", "--prune=now")
    [pack] = (repository / ".git" / "objects" / "pack").glob("*.pack")
    content = bytearray(pack.read_bytes())
    pack.chmod(0o644)
    for at in range(12, len(content) - 20, 7):
        content[at] ^= 0xFF
    pack.write_bytes(content)
    with pytest.raises((InvalidInput, NotFound)):
        await GitReader().tree(str(repository), head)
