"""The file in which an administrator writes profiles down, read and checked as a whole.

TOML; `docs/verification.md` shows one. Whatever is not understood is refused: a
misspelt limit must not silently be none. What is refused for the program's sake guards
against mistakes of whoever writes the file; what holds a program in is the sandbox.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from typing import Any, TypeVar

from tmws.domain.added_profiles import AddedProfile, AddedProfiles, Kind, Option, Targets
from tmws.domain.claims import Level
from tmws.domain.commands import PROFILES
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import MEBIBYTE
from tmws.domain.grammar import MAX_ARGUMENT_BYTES, require_clean, shown

MAX_FILE_BYTES = 256 * 1024
MOST_PROFILES = 32
MOST_OPTIONS = 16
MOST_WORDS = 16
MOST_NAMES = 64
_LARGEST = 999_999_999

T = TypeVar("T")
_MODULE_RUNNER = ("/opt/tmws/python", "-I", "/opt/tmws/run_module.py")
_PLACES = ("/opt/environment/", "/opt/tools/", "/usr/bin/", "/usr/local/bin/")
_PYTHON = "/opt/tmws/python"
# These run what they are told; they may be given one script of the image, nothing else.
_INTERPRETERS = frozenset(
    "ash bash busybox dash fish ksh lua luajit node nodejs perl php pypy python ruby sh tclsh "
    "zsh".split()
)
_SAFE_FLAGS = frozenset({"-B", "-E", "-I", "-P", "-S", "-s"})
# These start other programs, or change files, by what their arguments say.
_CARRIERS = frozenset(
    "apt apt-get at awk batch chroot cp dd dpkg ed env ex expect find flock gawk gdb git install "
    "ionice ln make mawk mv nawk newgrp nice nohup npm npx nsenter openssl parallel pip rm rsync "
    "runuser script scp sed setpriv setsid split sqlite ssh stdbuf strace su sudo tar taskset tee "
    "time timeout unshare vi vim watch wget curl xargs".split()
)
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")
_MODULE = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*(\.[a-zA-Z_][a-zA-Z0-9_]*)*")
_FILE_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,16}")
_CHOICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._,+-]{0,63}")
_WORD = re.compile(r"-{1,2}[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_TAKEN = {word for each in PROFILES for word in (each.name, each.form.split(" ")[0])}
_TAKEN |= {"npm_test", "node_test", "tool"}


def read_profiles(text: str) -> AddedProfiles:
    """Return the profiles that the text of such a file adds.

    Raises:
        InvalidInput: naming the profile, the key and what is allowed there.
    """
    if len(text.encode()) > MAX_FILE_BYTES:
        raise InvalidInput("The file of profiles is longer than 256 KiB.")
    try:
        content = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise InvalidInput(f"The file of profiles is no TOML: {str(error)[:120]}.") from error
    top = _Table("the file", content)
    tables = top.table("profiles")
    top.require_no_more()
    if len(tables) > MOST_PROFILES:
        raise InvalidInput(f"{len(tables)} profiles; the limit is {MOST_PROFILES}.")
    return AddedProfiles(tuple(_profile(name, _named(name, tables)) for name in tables))


class _Table:
    """One table of the file, from which each key is taken once."""

    def __init__(self, where: str, content: dict[str, Any]) -> None:
        self._where = where
        self._content = content
        self._left = set(content)

    @classmethod
    def of(cls, where: str, content: object) -> _Table:
        """Return the table, or refuse what is none."""
        if not isinstance(content, dict):
            raise cls(where, {}).refused("content", content, "a table")
        return cls(where, content)

    def take(self, key: str, kind: type[T], default: T, allowed: str) -> T:
        """Return the value of a key, or the default where it is left out."""
        self._left.discard(key)
        value = self._content.get(key, default)
        if type(value) is not kind:
            raise self.refused(key, value, allowed)
        return value

    def words(
        self, key: str, form: re.Pattern[str], most: int, default: tuple[str, ...] = ()
    ) -> tuple[str, ...]:
        """Return a list of texts, each of the form."""
        allowed = f"a list of at most {most} texts of the form {form.pattern}"
        found = self.take(key, list, list(default), allowed)
        for each in found:
            if type(each) is not str or not form.fullmatch(each):
                raise self.refused(key, each, allowed)
        if len(found) > most or len(set(found)) != len(found):
            raise self.refused(key, found, f"{allowed}, each once")
        return tuple(found)

    def number(self, key: str, least: int, most: int) -> int | None:
        """Return a whole number in this range, None where it is left out."""
        if key not in self._content:
            return None
        allowed = f"a whole number from {least} to {most}"
        value = self.take(key, int, least, allowed)
        if not least <= value <= most:
            raise self.refused(key, value, allowed)
        return value

    def table(self, key: str) -> dict[str, Any]:
        """Return the table below this one, empty where it is left out."""
        return self.take(key, dict, {}, "a table")

    def refused(self, key: str, value: object, allowed: str) -> InvalidInput:
        return InvalidInput(
            f"TMWS_PROFILES: {key} of {self._where} is {shown(str(value))}. Give {allowed}."
        )

    def require_no_more(self) -> None:
        """Refuse keys that nobody asked for."""
        if self._left:
            key = min(self._left)
            raise InvalidInput(f"TMWS_PROFILES: {self._where} has an unknown key {shown(key)}.")


def _named(name: str, tables: dict[str, Any]) -> _Table:
    table = _Table.of(f"profile {shown(name)}", tables[name])
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise table.refused("name", name, "a-z, 0-9, _ and -, and none of a built-in profile")
    return table


def _profile(name: str, table: _Table) -> AddedProfile:
    module, prefix = _program(table)
    kinds, levels = [each.value for each in Targets], [Level.OBSERVED.value, Level.REPRODUCED.value]
    seconds, mebibytes = table.number("seconds", 1, 3600), table.number("memory_mib", 64, 16384)
    profile = AddedProfile(
        name,
        prefix,
        module,
        _options(name, table.table("options")),
        Targets(_one_of(table, "targets", kinds, Targets.OPTIONAL.value)),
        table.words("suffixes", _SUFFIX, MOST_NAMES),
        _statuses(table, "passes", [0]),
        _statuses(table, "fails", [1]),
        Level(_one_of(table, "level", levels, Level.REPRODUCED.value)),
        table.words("settings", _FILE_NAME, MOST_NAMES),
        None if seconds is None else float(seconds),
        None if mebibytes is None else mebibytes * MEBIBYTE,
    )
    if both := set(profile.passes) & set(profile.fails):
        raise table.refused("fails", sorted(both), "statuses that do not pass as well")
    table.require_no_more()
    return profile


def _program(table: _Table) -> tuple[str | None, tuple[str, ...]]:
    """Return module and first words of a command."""
    allowed = "the name of a Python package, or leave it out and give executable"
    module = table.take("module", str, "", allowed)
    place = "an absolute path below " + ", ".join(_PLACES)
    executable = table.take("executable", str, "", place)
    words = table.take("prefix", list, [], "a list of texts")
    if bool(module) == bool(executable):
        raise table.refused("executable", executable, f"{place}; or module, not both")
    for word in words:
        if type(word) is not str or not 0 < len(word.encode()) <= MAX_ARGUMENT_BYTES:
            raise table.refused("prefix", word, "texts, none of them empty")
        require_clean("word of a prefix", word, "printable NFC text")
    if len(words) > MOST_WORDS:
        raise table.refused("prefix", len(words), f"at most {MOST_WORDS} words")
    if module:
        if not _MODULE.fullmatch(module):
            raise table.refused("module", module, allowed)
        return module, (*_MODULE_RUNNER, module, *words)
    _require_program(table, executable, words)
    return None, (executable, *words)


def _require_program(table: _Table, executable: str, words: list[str]) -> None:
    program = executable.rpartition("/")[2].lower()
    name = re.split(r"[0-9.-]", program, maxsplit=1)[0]
    if executable != _PYTHON and not _is_of_the_image(executable):
        raise table.refused("executable", executable, f"a path below {', '.join(_PLACES)}")
    if {program, name} & _CARRIERS:
        raise table.refused("executable", executable, "a program that starts no other ones")
    if {program, name} & _INTERPRETERS:
        rest = [word for word in words if word not in _SAFE_FLAGS]
        at = len(words) - len(rest)
        if not rest or rest != words[at:] or not _is_of_the_image(rest[0]):
            raise table.refused(
                "prefix", words, f"{name} one script by its path below {', '.join(_PLACES)}"
            )


def _is_of_the_image(path: str) -> bool:
    plain = all(part not in {"", ".", ".."} for part in path.split("/")[1:])
    return plain and path.startswith(_PLACES)


def _options(profile: str, tables: dict[str, Any]) -> tuple[Option, ...]:
    if len(tables) > MOST_OPTIONS:
        raise InvalidInput(
            f"TMWS_PROFILES: profile {profile} has {len(tables)} options, at most {MOST_OPTIONS}."
        )
    found = []
    for name, content in tables.items():
        table = _Table.of(f"option {shown(name)} of profile {profile}", content)
        if not _NAME.fullmatch(name):
            raise table.refused("name", name, "a-z, 0-9, _ and -")
        found.append(_option(name, table))
    return tuple(found)


def _option(name: str, table: _Table) -> Option:
    kind = Kind(_one_of(table, "kind", [each.value for each in Kind], ""))
    word = table.take("word", str, f"--{name}", "what the tool is told")
    if not _WORD.fullmatch(word):
        raise table.refused("word", word, f"one option of the tool, as {_WORD.pattern}")
    separate = table.take("separate", bool, False, "true or false")
    choices: tuple[str, ...] = ()
    least, most = 0, 0
    if kind is Kind.CHOICE:
        choices = table.words("choices", _CHOICE, MOST_NAMES)
        if not choices:
            raise table.refused("choices", "none", "at least one value")
    if kind is Kind.INTEGER:
        low, high = (table.number(key, -_LARGEST, _LARGEST) for key in ("least", "most"))
        if low is None or high is None or low > high:
            raise table.refused("most", high, "least and most, the greater one last")
        least, most = low, high
        if separate and least < 0:
            raise table.refused("separate", separate, "false: a negative number looks like options")
    if kind is Kind.FLAG and separate:
        raise table.refused("separate", separate, "nothing: a flag has no value")
    table.require_no_more()
    return Option(name, kind, word, choices, least, most, separate)


def _statuses(table: _Table, key: str, default: list[int]) -> tuple[int, ...]:
    allowed = "a list of exit statuses from 0 to 125, at least one"
    found = table.take(key, list, default, allowed)
    if not found or any(type(each) is not int or not 0 <= each <= 125 for each in found):
        raise table.refused(key, found, allowed)
    return tuple(sorted(set(found)))


def _one_of(table: _Table, key: str, values: Sequence[str], default: str) -> str:
    allowed = f"one of {', '.join(values)}"
    found = table.take(key, str, default, allowed)
    if found not in values:
        raise table.refused(key, found, allowed)
    return found
