"""Settings and comments that leave a linter or type checker nothing to find."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping

from tmws.domain.claims import MypyCheck, RuffCheck
from tmws.domain.settings_files import Config, listed, read_config, table
from tmws.domain.snapshots import Snapshot, SnapshotFile

# What a type checker is for; a project that switches these off checks no types.
CORE_CODES = frozenset(
    """arg-type assignment attr-defined call-arg index name-defined operator return return-value
    union-attr""".split()
)
# So few are nobody's flood; with more, each needs four lines beside it.
MOST_SILENCED = 3
LEAST_LINES_EACH = 5


def ruff_flags(check: RuffCheck, snapshot: Snapshot) -> Iterator[str]:
    """Name what leaves ruff nothing to find, `file: what` each."""
    for file in snapshot.python_files(check.targets):
        for comment in _comments(file, _NOQA):
            if re.match(r"#\s*(ruff|flake8)\s*:\s*noqa", comment, re.IGNORECASE):
                yield f"{file.path}: a comment silences the whole file"
        yield from _flooded(file, _LINE_NOQA)
    for file in snapshot.files:
        name = file.path.rpartition("/")[2]
        if name in {"ruff.toml", ".ruff.toml", "pyproject.toml"}:
            config = read_config(snapshot, file.path)
            ruff = table(config, "tool", "ruff") if name == "pyproject.toml" else config
            lint = table(ruff, "lint")
            for section in (ruff, lint):
                yield from (f"{file.path}: {what}" for what in _blinding(section))
            if ruff.get("extend"):
                yield f"{file.path}: extends other settings, which are not read here"
            if listed(lint.get("exclude")):
                yield f"{file.path}: lint.exclude leaves out files"


def _blinding(section: Config) -> Iterator[str]:
    """Name the settings that leave ruff nothing to find."""
    for name in ("ignore", "extend-ignore"):
        for whole in sorted({"ALL", "E", "F"} & set(map(str, listed(section.get(name))))):
            yield f"{name} holds {whole}"
    chosen = section.get("select")
    if isinstance(chosen, list) and not any(str(code).startswith(("ALL", "F")) for code in chosen):
        yield "select leaves out the rules F"
    for name in ("per-file-ignores", "extend-per-file-ignores"):
        for pattern, codes in table(section, name).items():
            if "ALL" in listed(codes) or pattern in {"*", "**", "*.py", "**/*.py", "**/*"}:
                yield f"{name} silences {pattern}"


def ignored_types(files: Iterable[SnapshotFile]) -> int:
    """Return how many `type: ignore` comments these files hold."""
    return sum(len(_TYPE_IGNORE.findall(file.content)) for file in files)


def mypy_flags(check: MypyCheck, snapshot: Snapshot) -> Iterator[str]:
    """Name what leaves mypy nothing to find, `file: what` each."""
    for file in snapshot.python_files(check.targets):
        for comment in _comments(file, _MYPY):
            if re.match(r"#\s*mypy\s*:.*(ignore.errors|disable.error.code)", comment):
                yield f"{file.path}: a comment silences the whole file"
        if _ignores_from_the_top(file):
            yield f"{file.path}: a type: ignore at its top silences the whole file"
        yield from _flooded(file, _TYPE_IGNORE)
    for path in ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"):
        for name, section in _mypy_sections(read_config(snapshot, path)):
            if str(section.get("ignore_errors", "")).lower() in {"true", "1", "yes", "on"}:
                yield f"{path}: ignore_errors in {name}"
            if str(section.get("follow_imports", "")).lower() == "skip":
                yield f"{path}: follow_imports = skip in {name}"
            if section.get("plugins"):
                yield f"{path}: plugins are not loaded here"
            for code in sorted(CORE_CODES & _words(section.get("disable_error_code"))):
                yield f"{path}: disable_error_code holds {code} in {name}"


def _words(value: object) -> set[str]:
    words = value if isinstance(value, list) else str(value or "").replace(",", " ").split()
    return set(map(str, words))


def _flooded(file: SnapshotFile, comment: re.Pattern[bytes]) -> Iterator[str]:
    """Name a file in which comments silence so many lines that little is left."""
    silenced = len(comment.findall(file.content))
    written = sum(bool(line.strip()) for line in file.content.splitlines())
    if silenced >= MOST_SILENCED and silenced * LEAST_LINES_EACH > written:
        yield f"{file.path}: comments silence {silenced} of {written} lines"


def _mypy_sections(config: Config) -> Iterator[tuple[str, Config]]:
    for name, section in config.items():
        if isinstance(section, Mapping) and (name == "mypy" or name.startswith("mypy-")):
            yield (name, section)
    mypy = table(config, "tool", "mypy")
    yield ("tool.mypy", mypy)
    for override in listed(mypy.get("overrides")):
        if isinstance(override, Mapping):
            yield ("an override", override)


def _ignores_from_the_top(file: SnapshotFile) -> bool:
    for token in _tokens(file) if _TYPE_IGNORE.search(file.content) else ():
        if token.type == tokenize.COMMENT:
            if re.match(r"#\s*type\s*:\s*ignore", token.string):
                return True
        elif token.type not in {tokenize.ENCODING, tokenize.NL, tokenize.NEWLINE}:
            return False
    return False


_NOQA = re.compile(rb"(ruff|flake8)\s*:\s*noqa", re.IGNORECASE)
_MYPY = re.compile(rb"#\s*mypy\s*:")
_LINE_NOQA = re.compile(rb"#\s*noqa", re.IGNORECASE)
_TYPE_IGNORE = re.compile(rb"#\s*type\s*:\s*ignore")


def _comments(file: SnapshotFile, hint: re.Pattern[bytes]) -> Iterator[str]:
    """Return the comments of a file that may hold one like `hint`."""
    if hint.search(file.content):
        yield from (token.string for token in _tokens(file) if token.type == tokenize.COMMENT)


def _tokens(file: SnapshotFile) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.tokenize(io.BytesIO(file.content).readline)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return  # what cannot be read is the tool's finding, not ours
