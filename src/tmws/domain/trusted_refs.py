"""Tests and settings from whom the claimant cannot reach, and what they replace.

A trusted ref is a copy by content, made when an administrator registers it. At level
`pinned` its files take the place of the workspace's: every test, every set-up file and
every setting, and whatever else the ref was told to hold.
"""

from __future__ import annotations

import ast
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tmws.domain.canonical import canonical_bytes
from tmws.domain.claims import Check, CoverageCheck, MypyCheck, PytestCheck, RuffCheck
from tmws.domain.errors import InvalidInput
from tmws.domain.flags import syntax_tree
from tmws.domain.grammar import shown
from tmws.domain.reading import is_test_file
from tmws.domain.snapshots import Snapshot, SnapshotFile, manifest

DEFAULT_PATHS = ("tests/", "test/")
MOST_PATHS = 50
LONGEST_PATTERN = 200
MEDIA_TYPE = "application/vnd.tmws.trusted-ref+json"
FILE_MEDIA_TYPE = "application/octet-stream"

# Read by the tools wherever they lie, so they are the ref's or nobody's.
SETTINGS = frozenset(
    {
        ".coveragerc",
        ".mypy.ini",
        ".pytest.ini",
        ".pytest.toml",
        ".ruff.toml",
        "mypy.ini",
        "pyproject.toml",
        "pytest.ini",
        "pytest.toml",
        "ruff.toml",
        "setup.cfg",
        "tox.ini",
    }
)
# Read by Python itself before any test, or taken for an installed plugin.
_STARTED_UNASKED = re.compile(
    r"(^|/)((site|user)customize(\.py|/)|[^/]*\.pth$|[^/]+\.(dist|egg)-info(/|$))"
)
_SILENCERS = re.compile(rb"#\s*(?:noqa|type\s*:\s*ignore|(?:ruff|flake8)\s*:\s*noqa)", re.I)


@dataclass(frozen=True, slots=True)
class TrustedRef:
    """What is trusted of a workspace, as it was when it was registered.

    Attributes:
        source: where it was taken from, in words.
        digest: SHA-256 (hex) of the document that names its paths and files.
        paths: patterns of what it holds beside all tests and settings.
        silenced: comments that silence a linter, in all the Python of the source.
    """

    name: str
    workspace: str
    source: str
    digest: str
    paths: tuple[str, ...]
    files: tuple[SnapshotFile, ...]
    silenced: int

    def covers(self, path: str) -> bool:
        """Tell whether this path is the ref's, even if the ref has no such file."""
        return is_trusted(path, self.paths)

    def serves(self, check: Check) -> bool:
        """Tell whether a check can rest on this ref."""
        if isinstance(check, PytestCheck | CoverageCheck):
            return any(map(is_test_module, self.file_paths))
        return isinstance(check, RuffCheck | MypyCheck)

    @property
    def file_paths(self) -> frozenset[str]:
        return frozenset(file.path for file in self.files)


def is_trusted(path: str, patterns: Iterable[str]) -> bool:
    """Tell whether a ref of these patterns answers for a path."""
    name = path.rpartition("/")[2]
    return is_test_file(path) or name in SETTINGS or any(_matches(path, each) for each in patterns)


def is_test_module(path: str) -> bool:
    """Tell whether pytest takes this file for tests, not only for their set-up."""
    return is_test_file(path) and path.rpartition("/")[2] != "conftest.py"


def validated_paths(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return the patterns in order, each once.

    Raises:
        InvalidInput: one is not a plain relative pattern, or there are too many.
    """
    given = tuple(dict.fromkeys(patterns))
    if len(given) > MOST_PATHS:
        raise InvalidInput(f"{len(given)} paths; the limit is {MOST_PATHS}. Name folders.")
    for pattern in given:
        parts = pattern.removesuffix("/").split("/")
        if (
            len(pattern) > LONGEST_PATTERN
            or not pattern.isprintable()
            or any(part in {"", ".", ".."} for part in parts)
        ):
            raise InvalidInput(
                f"The path {shown(pattern)} is refused: give a folder such as tests/, a file such "
                "as Makefile, or a pattern such as data/*.json, relative to the workspace."
            )
    return given


def trusted_files(source: Snapshot, patterns: Iterable[str]) -> tuple[SnapshotFile, ...]:
    """Return what a ref of these patterns holds of the source.

    Raises:
        InvalidInput: nothing in the source is a test or a setting, or matches.
    """
    given = tuple(patterns)
    files = tuple(file for file in source.files if is_trusted(file.path, given))
    if not files:
        raise InvalidInput(
            "Nothing there is a test, a setting or matches the paths. Name what is to be trusted "
            "with --paths."
        )
    return files


def document(paths: tuple[str, ...], files: Iterable[SnapshotFile], silenced: int) -> bytes:
    """Return the bytes that name a ref; `read_document` reads them back."""
    return canonical_bytes(
        {"v": 1, "paths": list(paths), "files": manifest(files), "silenced": silenced}
    )


def digests_in(stored: bytes) -> list[str]:
    """Return the digests of the files that a document names."""
    return [each["sha256"] for each in json.loads(stored)["files"]]


def read_document(
    stored: bytes, contents: Mapping[str, bytes]
) -> tuple[tuple[str, ...], tuple[SnapshotFile, ...], int]:
    """Return paths, files and the count of silencing comments that a document names.

    Args:
        contents: the files' bytes by digest.
    """
    told = json.loads(stored)
    files = tuple(
        SnapshotFile.of(each["path"], contents[each["sha256"]], executable=each["executable"])
        for each in told["files"]
    )
    return tuple(told["paths"]), files, told["silenced"]


def silencing_comments(files: Iterable[SnapshotFile]) -> int:
    """Return how many comments of these files silence a linter or type checker."""
    return sum(len(_SILENCERS.findall(file.content)) for file in files)


def pinned(workspace: Snapshot, ref: TrustedRef) -> Snapshot:
    """Return the workspace with the ref's tests and settings in the place of its own."""
    trusted = ref.file_paths
    folders = {above for path in trusted for above in _folders_above(path)}
    taken = _import_names(trusted)
    kept, left_out = [], list(workspace.left_out)
    for file in workspace.files:
        reason = None
        if file.path in trusted:
            reason = f"replaced by the trusted ref {ref.name}"
        elif ref.covers(file.path):
            reason = f"not in the trusted ref {ref.name}"
        elif _STARTED_UNASKED.search(file.path):
            reason = "read by Python before any test"
        elif file.path in folders or not trusted.isdisjoint(_folders_above(file.path)):
            reason = f"in the way of the trusted ref {ref.name}"
        elif not taken.isdisjoint(_module_names(file.path)):
            reason = f"named like a module of the trusted ref {ref.name}"
        if reason is None:
            kept.append(file)
        elif file.path not in trusted:
            left_out.append((file.path, reason))
    return Snapshot.of((*kept, *ref.files), left_out)


def modules_tested_by(files: Iterable[SnapshotFile]) -> tuple[str, ...]:
    """Return the top-level modules that these files import and do not hold themselves."""
    given = tuple(files)
    own = _import_names({file.path for file in given}) | {"pytest", "_pytest"}
    found = {
        name.partition(".")[0]
        for file in given
        if file.path.endswith(".py") and (tree := syntax_tree(file)) is not None
        for name in imported_modules(tree)
    }
    return tuple(sorted(found - own - sys.stdlib_module_names))


def imported_modules(tree: ast.Module) -> Iterator[str]:
    """Return the dotted names of what a module imports from elsewhere."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _matches(path: str, pattern: str) -> bool:
    folder = pattern if pattern.endswith("/") else f"{pattern}/"
    return path.startswith(folder) or fnmatchcase(path, pattern)


def _folders_above(path: str) -> Iterator[str]:
    parts = path.split("/")
    yield from ("/".join(parts[:depth]) for depth in range(1, len(parts)))


def _import_names(paths: Iterable[str]) -> frozenset[str]:
    """Return the top-level names by which the Python files among these are imported."""
    found = (path.partition("/")[0] for path in paths if path.endswith(".py"))
    return frozenset(name.removesuffix(".py") for name in found) - {"src"}


def _module_names(path: str) -> Iterator[str]:
    """Return the names under which a file outside of the ref could be imported first."""
    head, _, rest = path.partition("/")
    if head == "src":
        yield rest.partition("/")[0].removesuffix(".py")
    elif path.endswith(".py") and not rest:
        yield head.removesuffix(".py")
