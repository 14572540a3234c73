"""How a judgement is put together: what was counted, what lowers it, what is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tmws.domain.claims import Judgement, Level, Reason, Verdict

MAX_ITEMS = 50
# Folders that pytest, ruff and mypy pass over unless they are named.
PASSED_OVER = frozenset(
    {"_build", "build", "buck-out", "dist", "node_modules", "site-packages", "venv"}
)


@dataclass(frozen=True, slots=True)
class Case:
    """What a judgement is made of, so that each rule below is one line."""

    counts: dict[str, int]
    flags: tuple[str, ...]

    def supported(self, detail: str) -> Judgement:
        return self._judgement(Verdict.SUPPORTED, Reason.CHECK_PASSED, detail, Level.REPRODUCED)

    def refuted(self, reason: Reason, detail: str, items: Iterable[str] = ()) -> Judgement:
        level = Level.OBSERVED if self.flags else Level.REPRODUCED
        return self._judgement(Verdict.REFUTED, reason, detail, level, items)

    def open(self, reason: Reason, detail: str, items: Iterable[str] = ()) -> Judgement:
        return self._judgement(Verdict.INCONCLUSIVE, reason, detail, Level.OBSERVED, items)

    def distrusted(self, what: str) -> Judgement:
        return self.open(
            Reason.TAMPER_SUSPECTED,
            f"{what} Nothing was decided. Let the check run to its end undisturbed.",
        )

    def missing(self, names: Iterable[str], items: Iterable[str] = ()) -> Judgement:
        first = list(names)[:5]
        plugin = any(name.startswith(("a plugin for ", "fixture ")) for name in first)
        add = f"tmws sandbox env add NAME requirements.lock{' --plugin MODULE' * plugin}"
        return self.open(
            Reason.MISSING_DEPENDENCY,
            f"Not installed in the sandbox: {', '.join(first)}. An administrator adds it: '{add}', "
            "then 'tmws workspaces environment WORKSPACE NAME'. Or claim about targets that do not "
            "need it.",
            items,
        )

    def only_observed(self, seen: str) -> Judgement:
        return self.open(
            Reason.OBSERVED_ONLY,
            f"{seen}, but something in the workspace can bend that: {self.flags[0]}. Name "
            "targets without it, or remove it.",
        )

    def _judgement(
        self, verdict: Verdict, reason: Reason, detail: str, level: Level, items: Iterable[str] = ()
    ) -> Judgement:
        listed = tuple(items)[:MAX_ITEMS]
        return Judgement(verdict, reason, level, detail, self.counts, listed, self.flags)


def is_passed_over(path: str, target: str) -> bool:
    """Tell whether the tools leave this file out when asked for the folder `target`."""
    folders = path.removeprefix(f"{target}/").split("/")[:-1]
    return any(folder in PASSED_OVER or folder.startswith(".") for folder in folders)


def number(count: int, noun: str, plural: str | None = None) -> str:
    """Return `1 test` or `2 tests`."""
    return f"{count} {noun if count == 1 else plural or noun + 's'}"
