"""What is mutated, and who has to notice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from scripts.tracked import ROOT
from tests.mutation.mutants import Mutant, mutants_of
from tests.mutation.operators import permission

HERE = Path(__file__).parent / "targets"


@dataclass(frozen=True, slots=True)
class Target:
    """Some rules, and the tests that hold them.

    Attributes:
        sources: files from the root, each with its functions and classes; none for all of it.
        guarded: files of which only this is tried: what if their permissions allowed everybody?
        tests: what pytest is given.
        excused: faults that need not be noticed, by key, each with the reason: most of them
            change nothing that anybody could see.
    """

    sources: Mapping[str, Sequence[str]]
    tests: Sequence[str]
    guarded: Sequence[str] = ()
    excused: Mapping[str, str] = field(default_factory=dict)

    def mutants(self) -> list[Mutant]:
        """Return the faults of all sources, file by file."""
        every = [
            mutant
            for path, functions in self.sources.items()
            for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"), functions)
        ]
        every += [
            mutant
            for path in self.guarded
            for mutant in mutants_of(path, (ROOT / path).read_text("utf-8"))
            if mutant.operator == permission.__name__
        ]
        return list({mutant.key: mutant for mutant in every}.values())


def names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem for path in HERE.glob("*.py"))


def named(name: str) -> Target:
    """Return a target: what its module calls TARGET."""
    found = import_module(f"tests.mutation.targets.{name}").TARGET
    assert isinstance(found, Target)
    return found
