"""Command profiles that administrators add, in a table of the same kind as ours.

The table says the program, its first words and each option with the words it becomes.
A caller chooses a name, options by name with values that the table allows, and paths
that exist in the snapshot. Nothing of a caller's is ever passed on as it was written,
but for digits that were read as a number.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from tmws.domain.canonical import digest
from tmws.domain.claims import AddedCheck, Level
from tmws.domain.environments import Environment
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import ExecutionRequest, Limits
from tmws.domain.grammar import MAX_ARGUMENTS, WORKSPACE, refused, require, shown, validate_path
from tmws.domain.places import absent, absolute
from tmws.domain.snapshots import Snapshot, SnapshotFile

_LONGEST_FORM = 180
_NUMBER = re.compile(r"0|-?[1-9][0-9]{0,8}")


class Kind(StrEnum):
    """What an option of an added profile may be given."""

    FLAG = "flag"
    CHOICE = "choice"
    INTEGER = "integer"
    PATH = "path"


class Targets(StrEnum):
    """Whether the tool is told paths of the workspace; all of it where `optional` has none."""

    NONE = "none"
    OPTIONAL = "optional"
    REQUIRED = "required"


@dataclass(frozen=True, slots=True)
class Option:
    """One option that a caller may give, as `--name` or `--name=value`.

    Attributes:
        word: what the tool is told; a value follows after `=`, or as the next word.
        choices: all values of a choice.
        least, most: ends of an integer's range, included.
        separate: the value is a word of its own.
    """

    name: str
    kind: Kind
    word: str
    choices: tuple[str, ...] = ()
    least: int = 0
    most: int = 0
    separate: bool = False

    @property
    def form(self) -> str:
        """How a caller writes it."""
        match self.kind:
            case Kind.FLAG:
                return f"--{self.name}"
            case Kind.CHOICE:
                return f"--{self.name}={'|'.join(self.choices)}"
            case Kind.INTEGER:
                return f"--{self.name}={self.least}..{self.most}"
            case Kind.PATH:
                return f"--{self.name}=PATH"

    def accepts(self, value: str) -> bool:
        """Say whether a caller may give this value."""
        match self.kind:
            case Kind.FLAG:
                return value == ""
            case Kind.CHOICE:
                return value in self.choices
            case Kind.INTEGER:
                plain = _NUMBER.fullmatch(value) is not None
                return plain and self.least <= int(value) <= self.most
            case Kind.PATH:
                validate_path(value)
                return True

    def words(self, value: str, snapshot: Snapshot) -> tuple[str, ...]:
        """Return what the tool is told."""
        if self.kind is Kind.FLAG:
            return (self.word,)
        if self.kind is Kind.PATH:
            value = _place(value, snapshot)
        return (self.word, value) if self.separate else (f"{self.word}={value}",)


@dataclass(frozen=True, slots=True)
class AddedProfile:
    """One tool that an administrator lets claims be checked by.

    Attributes:
        prefix: absolute executable in the image, and its first words.
        module: the Python package that our runner starts, None for a program of its own.
        suffixes: files that count as checked; any if empty.
        passes, fails: statuses that support and refute; any other decides nothing.
        level: the most that its verdicts reach: `observed` or `reproduced`.
        settings: names of files by which a workspace could bend what the tool finds.
        wall_seconds, memory_bytes: limits of its runs, None for those of the installation.
    """

    name: str
    prefix: tuple[str, ...]
    module: str | None = None
    options: tuple[Option, ...] = ()
    targets: Targets = Targets.OPTIONAL
    suffixes: tuple[str, ...] = ()
    passes: tuple[int, ...] = (0,)
    fails: tuple[int, ...] = (1,)
    level: Level = Level.REPRODUCED
    settings: tuple[str, ...] = ()
    wall_seconds: float | None = None
    memory_bytes: int | None = None

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the whole profile: claims judged by another one are other claims."""
        return digest(dataclasses.asdict(self))

    @property
    def form(self) -> str:
        """How a caller writes a claim by it."""
        target = {Targets.NONE: "", Targets.OPTIONAL: " [PATH ...]", Targets.REQUIRED: " PATH ..."}
        options = "".join(f" [{option.form}]" for option in self.options)
        return f"{self.name}{options}{target[self.targets]}"

    def read(self, words: list[str]) -> AddedCheck:
        """Read the words after the name; which of them are allowed is for `validate`."""
        values: dict[str, str] = {}
        targets = []
        heads = {(option.name, option.kind is not Kind.FLAG) for option in self.options}
        for word in words:
            if not word.startswith("-"):
                targets.append(word)
                continue
            name, equals, value = word.removeprefix("--").partition("=")
            whole = word.startswith("--") and (name, bool(equals)) in heads
            if not whole or name in values:
                raise self._refused(word)
            values[name] = value
        given = [each.name for each in self.options if each.name in values]
        return AddedCheck(self.name, tuple((name, values[name]) for name in given), tuple(targets))

    def validate(self, check: AddedCheck) -> None:
        """Refuse a check that this table does not allow.

        Raises:
            InvalidInput: with the allowed form.
        """
        options = {option.name: option for option in self.options}
        names = [name for name, _ in check.options]
        if names != [name for name in options if name in names]:
            raise self._refused(" ".join(names))
        for name, value in check.options:
            if not options[name].accepts(value):
                raise self._refused(f"--{name}={value}")
        self._validate_targets(check)

    def request(
        self,
        check: AddedCheck,
        snapshot: Snapshot,
        limits: Limits,
        environment: Environment | None = None,
    ) -> ExecutionRequest:
        """Return the run that decides the check on this snapshot.

        Raises:
            InvalidInput: the table does not allow it, or it names what the snapshot lacks.
        """
        self.validate(check)
        options = {option.name: option for option in self.options}
        words = [
            word for name, value in check.options for word in options[name].words(value, snapshot)
        ]
        places = [self._target(target, snapshot) for target in check.targets]
        if self.targets is Targets.OPTIONAL and not places:
            places = [WORKSPACE]
        limited = dataclasses.replace(
            limits,
            wall_seconds=self.wall_seconds or limits.wall_seconds,
            memory_bytes=self.memory_bytes or limits.memory_bytes,
        )
        argv = (*self.prefix, *words, *places)
        return ExecutionRequest(argv, snapshot.files, limited, environment=environment)

    def looked_at(self, check: AddedCheck, snapshot: Snapshot) -> tuple[SnapshotFile, ...]:
        """Return the files that the check is about."""
        found = {
            file.path: file
            for target in check.targets or ("",)
            for file in snapshot.below(target)
            if not self.suffixes or file.path.endswith(self.suffixes)
        }
        return tuple(found.values())

    def bent_by(self, snapshot: Snapshot) -> Iterator[str]:
        """Yield what keeps a verdict of this profile at level `observed`."""
        if self.level is Level.OBSERVED:
            yield f"profile {self.name}: limited to level observed by an administrator"
        for file in snapshot.files:
            if file.path.rpartition("/")[2] in self.settings:
                yield f"{file.path}: settings of {self.name}"

    def _validate_targets(self, check: AddedCheck) -> None:
        given = len(check.targets)
        if self.targets is Targets.NONE and given:
            raise self._refused(check.targets[0])
        if self.targets is Targets.REQUIRED and not given:
            raise InvalidInput(f"{self.name} needs a path. Give {self._short_form}.")
        most = MAX_ARGUMENTS - 1
        require(given <= most, "number of targets", str(given), f"at most {most}; name a folder")
        for target in check.targets:
            validate_path(target)
        if len(set(check.targets)) != given:
            raise InvalidInput("A target is named twice. Name each file or folder once.")

    def _target(self, target: str, snapshot: Snapshot) -> str:
        place = _place(target, snapshot)
        if snapshot.file(target) and self.suffixes and not target.endswith(self.suffixes):
            raise refused("target", target, f"a folder or a file of {', '.join(self.suffixes)}")
        return place

    @property
    def _short_form(self) -> str:
        form = self.form
        return form if len(form) <= _LONGEST_FORM else f"{form[:_LONGEST_FORM]}..."

    def _refused(self, value: str) -> InvalidInput:
        return refused(f"option or target of {self.name}", value, self._short_form)


@dataclass(frozen=True, slots=True)
class AddedProfiles:
    """The profiles that an installation has beside the built-in ones."""

    every: tuple[AddedProfile, ...] = ()

    def find(self, name: str) -> AddedProfile | None:
        """Return the profile of this name, if there is one."""
        return next((profile for profile in self.every if profile.name == name), None)

    def of(self, check: AddedCheck) -> AddedProfile:
        """Return the profile that decides the check.

        Raises:
            InvalidInput: the installation has none of this name (any more).
        """
        profile = self.find(check.tool)
        if profile is None:
            raise InvalidInput(
                f"This installation has no profile {shown(check.tool)}. "
                f"Added ones: {', '.join(self.names) or 'none'}."
            )
        return profile

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(profile.name for profile in self.every)


NONE_ADDED = AddedProfiles()


def _place(path: str, snapshot: Snapshot) -> str:
    if not snapshot.below(path):
        raise absent(path, snapshot)
    return absolute(path)
