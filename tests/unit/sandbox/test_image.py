"""What the image is made from: archives that depend on content alone, and a stage."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tmws.domain.errors import SandboxUnavailable
from tmws.sandbox import stage
from tmws.sandbox.bases import BaseKind, DebianBase, PublicBase, choose
from tmws.sandbox.image import content_hash
from tmws.sandbox.probes import findings, require_held
from tmws.sandbox.tarballs import Entry, files_below, packed, unpacked

names = st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8}){0,3}\.x", fullmatch=True)
entries = st.dictionaries(names, st.builds(Entry, st.binary(max_size=50), st.booleans()))


@given(entries=entries)
def test_an_archive_gives_back_what_went_in(entries: dict[str, Entry]) -> None:
    assert unpacked(packed(entries)) == entries


@given(entries=entries)
def test_equal_content_in_any_order_is_an_equal_archive(entries: dict[str, Entry]) -> None:
    assert packed(entries) == packed(dict(reversed(entries.items())))


def test_an_archive_belongs_to_root_and_only_root_may_write() -> None:
    entries = {"a/tool": Entry(b"x", executable=True), "a/data": Entry(b"y")}
    with tarfile.open(fileobj=io.BytesIO(packed(entries, folders=["empty"]))) as archive:
        members = {member.name: member for member in archive}
    assert {name: member.mode for name, member in members.items()} == {
        "a": 0o755,
        "a/data": 0o644,
        "a/tool": 0o755,
        "empty": 0o755,
    }
    assert {(member.uid, member.gid) for member in members.values()} == {(0, 0)}


def test_links_in_a_folder_are_not_packed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert set(files_below(tmp_path, at="opt")) == {"opt/file"}


def test_our_programs_lie_beside_the_link_to_the_interpreter() -> None:
    found = stage.programs("/usr/bin/python3.11")
    assert found["opt/tmws/python"].link == "/usr/bin/python3.11"
    assert b"PID 1" in found["opt/tmws/init.py"].content


def test_the_hash_changes_with_the_base(tmp_path: Path) -> None:
    debian, public = DebianBase(tmp_path), PublicBase("python@sha256:1")
    assert len({content_hash(debian), content_hash(public)}) == 2
    assert content_hash(debian) == content_hash(DebianBase(tmp_path / "elsewhere"))


def test_a_named_public_image_is_taken_as_it_is(tmp_path: Path) -> None:
    chosen = choose(BaseKind.AUTO, cache=tmp_path, reference="python@sha256:1")
    assert chosen == PublicBase("python@sha256:1")


def test_findings_must_reach_their_end() -> None:
    whole = b'["a", true, "EPERM"]\n["end", true, ""]\n'
    assert [probe.held for probe in findings(whole)] == [True]
    for cut in (b"", b'["a", true, "EPERM"]\n', b'["a", tr', b"nonsense", b'["a", true]\n'):
        with pytest.raises(SandboxUnavailable, match="self-test"):
            require_held(findings(cut))


@given(report=st.binary(max_size=200))
def test_no_report_holds_by_chance(report: bytes) -> None:
    with pytest.raises(SandboxUnavailable):
        require_held(findings(report))


def test_only_a_plain_true_counts_as_held() -> None:
    for held in (b"1", b'"yes"', b"null", b"[1]", b"false"):
        with pytest.raises(SandboxUnavailable):
            require_held(findings(b'["a", ' + held + b', ""]\n["end", true, ""]\n'))
