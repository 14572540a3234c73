"""How much of a file the tests executed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Executed:
    """How much of one file the tests executed."""

    lines: int
    executed: int
    branches: int
    executed_branches: int

    @property
    def whole(self) -> int:
        return self.lines + self.branches

    @property
    def part(self) -> int:
        return self.executed + self.executed_branches


@dataclass(frozen=True, slots=True)
class Measured:
    """One measured file, by our rules and by what its project leaves out of them."""

    path: str
    ours: Executed
    own: Executed
