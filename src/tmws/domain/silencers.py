"""Settings and comments that leave a linter or type checker nothing to find."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator, Mapping

from tmws.domain.claims import MypyCheck, RuffCheck
from tmws.domain.settings_files import Config, is_unreadable, listed, read_config, table
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
        if any(_WHOLE_FILE.match(comment) for _, comment in _comments(file, _NOQA)):
            yield f"{file.path}: a comment silences the whole file"
        yield from _flooded(file, _LINE_NOQA, ranges=_silenced_by_ranges(file))
    for file in snapshot.files:
        name = file.path.rpartition("/")[2]
        if name in {"ruff.toml", ".ruff.toml", "pyproject.toml"}:
            if is_unreadable(snapshot, file.path):
                yield f"{file.path}: cannot be read here as ruff may read it"
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
    if isinstance(chosen, list) and not any(_MISTAKES.fullmatch(str(code)) for code in chosen):
        yield "select leaves out the rules F"
    for name in ("per-file-ignores", "extend-per-file-ignores"):
        for pattern, codes in table(section, name).items():
            families = {"ALL", "E", "F"} & set(map(str, listed(codes)))
            if families or pattern in {"*", "**", "*.py", "**/*.py", "**/*"}:
                yield f"{name} silences {pattern}"


def ignored_types(files: Iterable[SnapshotFile]) -> int:
    """Return how many `type: ignore` comments these files hold."""
    return sum(len(_TYPE_IGNORE.findall(file.content)) for file in files)


def mypy_flags(check: MypyCheck, snapshot: Snapshot) -> Iterator[str]:
    """Name what leaves mypy nothing to find, `file: what` each."""
    for file in snapshot.python_files(check.targets):
        for _, comment in _comments(file, _MYPY):
            if re.match(r"#\s*mypy\s*:.*(ignore.errors|disable.error.code|always)", comment):
                yield f"{file.path}: a comment silences the whole file"
        if _ignores_from_the_top(file):
            yield f"{file.path}: a type: ignore at its top silences the whole file"
        yield from _flooded(file, _TYPE_IGNORE)
    for path in ("mypy.ini", ".mypy.ini", "pyproject.toml", "setup.cfg"):
        if is_unreadable(snapshot, path):
            yield f"{path}: cannot be read here as mypy may read it"
        for name, section in _mypy_sections(read_config(snapshot, path)):
            yield from (f"{path}: {what} in {name}" for what in _hiding(section))


def _hiding(section: Config) -> Iterator[str]:
    """Name the settings of one section that leave mypy nothing to find."""
    if _is_on(section, "ignore_errors") or _is_on(section, "no_ignore_errors", of="false"):
        yield "ignore_errors"
    for option in ("always_true", "always_false", "plugins"):
        if section.get(option):
            yield option
    if str(section.get("follow_imports", "")).lower() == "skip":
        yield "follow_imports = skip"
    for code in sorted(CORE_CODES & _words(section.get("disable_error_code"))):
        yield f"disable_error_code holds {code}"


def _is_on(section: Config, option: str, *, of: str = "true") -> bool:
    """Tell whether an option is given and says so, in any of the words that mypy knows."""
    words = {"true": {"true", "1", "yes", "on"}, "false": {"false", "0", "no", "off"}}
    return str(section.get(option, "")).lower() in words[of]


def _words(value: object) -> set[str]:
    words = value if isinstance(value, list) else str(value or "").replace(",", " ").split()
    return set(map(str, words))


def _silenced_by_ranges(file: SnapshotFile) -> int:
    """Return how many lines lie behind comments that disable rules until others enable them."""
    lines, since = 0, None
    for line, comment in _comments(file, _RANGE):
        if re.match(r"#\s*ruff\s*:\s*disable", comment, re.IGNORECASE):
            since = line if since is None else since
        elif since is not None and re.match(r"#\s*ruff\s*:\s*enable", comment, re.IGNORECASE):
            lines, since = lines + line - since, None
    return lines if since is None else lines + file.content.count(b"\n") + 1 - since


def _flooded(file: SnapshotFile, comment: re.Pattern[bytes], *, ranges: int = 0) -> Iterator[str]:
    """Name a file in which comments silence so many lines that little is left."""
    silenced = len(comment.findall(file.content)) + ranges
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


# Rules that find mistakes: all of F, or a part of it such as F82, not those of FLY or FBT.
_MISTAKES = re.compile(r"ALL|F\d{0,2}")
_WHOLE_FILE = re.compile(r"#\s*((ruff|flake8)\s*:\s*noqa|ruff\s*:\s*file-ignore)", re.IGNORECASE)
_NOQA = re.compile(rb"(ruff|flake8)\s*:\s*(noqa|file-ignore)", re.IGNORECASE)
_RANGE = re.compile(rb"ruff\s*:\s*disable", re.IGNORECASE)
_MYPY = re.compile(rb"#\s*mypy\s*:")
_LINE_NOQA = re.compile(rb"#\s*noqa", re.IGNORECASE)
_TYPE_IGNORE = re.compile(rb"#\s*type\s*:\s*ignore")


def _comments(file: SnapshotFile, hint: re.Pattern[bytes]) -> Iterator[tuple[int, str]]:
    """Return the comments of a file that may hold one like `hint`, each with its line."""
    if hint.search(file.content):
        for token in _tokens(file):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string


def _tokens(file: SnapshotFile) -> Iterator[tokenize.TokenInfo]:
    try:
        yield from tokenize.tokenize(io.BytesIO(file.content).readline)
    except (tokenize.TokenError, SyntaxError, ValueError):
        return  # what cannot be read is the tool's finding, not ours
