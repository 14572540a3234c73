"""A second run with faults of ours in it: what must fail does, and nothing else changes.

Faults are planted by the host into trusted files (tests) or into what is looked at
(linters), under names that nobody could foresee. So whoever turns failures into
successes turns ours too, and is seen from outside.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass

from tmws.domain.cases import Case
from tmws.domain.claims import Judgement, MypyCheck, PytestCheck, Reason, RuffCheck
from tmws.domain.flags import syntax_tree
from tmws.domain.grammar import MAX_ARGUMENTS, split_node_id
from tmws.domain.reports import LintReport, PytestReport, RanOutcome
from tmws.domain.snapshots import Snapshot, SnapshotFile

MOST_PLANTED = 20
# One fault may give several findings, and a report lists no more than fifty.
MOST_FILES = 8
# Order and keyword may stand beside the targets.
_SPARE_ARGUMENTS = 3


@dataclass(frozen=True, slots=True)
class Planted:
    """A snapshot with faults in it, and the check that finds them.

    Attributes:
        ids: of tests that must fail, or paths of files in which something must be found.
    """

    snapshot: Snapshot
    check: PytestCheck | RuffCheck | MypyCheck
    ids: tuple[str, ...]


def plant_tests(
    check: PytestCheck,
    snapshot: Snapshot,
    report: PytestReport,
    trusted: frozenset[str],
    token: str,
) -> Planted:
    """Return the snapshot with a failing test in modules whose tests passed.

    Args:
        token: hexadecimal digits that nobody can predict.
    """
    likes: dict[str, str] = {}
    for ran in report.tests:
        path, names, _ = split_node_id(ran.id)
        if ran.outcome is not RanOutcome.PASSED or path not in trusted or not names:
            continue
        # A function's name if there is one: a setting may ask for unusual names.
        if path not in likes or len(names) == 1:
            likes[path] = names[-1]
    room = MAX_ARGUMENTS - _SPARE_ARGUMENTS - len(check.targets)
    faults: dict[str, bytes] = {}
    ids: list[str] = []
    targets: list[str] = []
    for number, path in enumerate(sorted(likes, key=lambda each: _mixed(token, each))):
        node_id = f"{path}::{likes[path]}_{token[number:][:4]}{number}"
        is_named = not check.targets or any(
            path == target or path.startswith(f"{target}/") for target in check.targets
        )
        if len(ids) >= MOST_PLANTED or (not is_named and len(targets) >= room):
            continue
        if not is_named:
            targets.append(node_id)
        ids.append(node_id)
        name = node_id.partition("::")[2]
        faults[path] = f'\n\ndef {name}():\n    assert "{token}" == "{token[::-1]}"\n'.encode()
    changed = _appended(snapshot, faults)
    wider = dataclasses.replace(check, targets=(*check.targets, *targets), passed=None)
    return Planted(changed, wider, tuple(ids))


def recheck_tests(
    case: Case, check: PytestCheck, first: PytestReport, second: PytestReport, ids: Iterable[str]
) -> Judgement | None:
    """Say what speaks against the first run after the second, None if nothing does."""
    planted = frozenset(ids)
    outcomes = {ran.id: ran.outcome for ran in second.tests}
    if against := _by_planted(case, check, second, planted):
        return against
    before = {ran.id: ran.outcome for ran in first.tests}
    after = {node: outcome for node, outcome in outcomes.items() if node not in planted}
    for node in sorted(before.keys() | after.keys()):
        was, is_now = (
            outcome.value if outcome else "not run"
            for outcome in (before.get(node), after.get(node))
        )
        if was != is_now:
            return _differing(case, f"{node[:200]} was {was}, then {is_now}", (node,))
    if second.patched:
        return case.distrusted(f"The test run replaced parts of pytest: {second.patched[0]}.")
    return None


def _by_planted(
    case: Case, check: PytestCheck, second: PytestReport, planted: frozenset[str]
) -> Judgement | None:
    outcomes = {ran.id: ran.outcome for ran in second.tests}
    seen = planted & outcomes.keys()
    chosen = check.keyword is not None or check.marker is not None
    if not seen and chosen:
        return case.open(
            Reason.LEVEL_NOT_REACHED,
            "Keyword and marker select none of the tests that were added to see them fail. Name "
            "targets instead.",
        )
    if not chosen and seen != planted:
        return case.distrusted("Tests that were added to see them fail were not run.")
    if silent := sorted(node for node in seen if outcomes[node] is not RanOutcome.FAILED):
        return case.distrusted(
            f"A test that was added to fail in {silent[0].partition('::')[0]} did not."
        )
    if second.status != 1:
        return case.distrusted(f"Tests failed, yet pytest ended with status {second.status}.")
    return None


def plant_findings(
    check: RuffCheck | MypyCheck, snapshot: Snapshot, report: LintReport, token: str
) -> Planted:
    """Return the snapshot with something to be found in files that were looked at."""
    looked_at = [file for file in snapshot.files if file.path in set(report.files)]
    looked_at.sort(key=lambda file: (_mixed(token, file.path), file.path))
    faults = {
        file.path: place
        for file in looked_at[:MOST_FILES]
        if (place := _with_finding(check, file, token)) is not None
    }
    return Planted(_replaced(snapshot, faults), check, tuple(sorted(faults)))


def recheck_findings(case: Case, second: LintReport, ids: Iterable[str]) -> Judgement | None:
    """Say what speaks against the first run after the second, None if nothing does."""
    planted = frozenset(ids)
    found = {finding.rpartition(":")[0] for finding in second.findings}
    if silent := sorted(planted - found):
        return case.distrusted(f"What was put into {silent[0]} to be found was not.")
    if others := sorted(found - planted):
        return _differing(case, f"nothing was found in {others[0]}, then something", others)
    return None


def _differing(case: Case, what: str, items: Iterable[str]) -> Judgement:
    return case.open(
        Reason.RUNS_DIFFER,
        f"Two runs differ: {what}. Make the check independent of chance, time and order.",
        items,
    )


def _with_finding(check: RuffCheck | MypyCheck, file: SnapshotFile, token: str) -> bytes | None:
    if isinstance(check, RuffCheck):
        # Whatever rules are chosen, text that is no Python is found.
        return file.content + f"\n_tmws_{token} = = 0\n".encode()
    tree = syntax_tree(file)
    if tree is None:
        return None
    # Before any code of the file, which may end it; two kinds, as one may be switched off.
    lines = file.content.splitlines(keepends=True)
    at = _head_lines(tree)
    wrong = f'_tmws_{token}: int = "{token}"\n_tmws_{token}_too = undefined_{token}\n'.encode()
    above = b"".join(lines[:at])
    if above and not above.endswith((b"\n", b"\r")):
        above += b"\n"
    return above + wrong + b"".join(lines[at:])


def _head_lines(tree: ast.Module) -> int:
    """Return how many lines must stay first: documentation and `from __future__`."""
    last = 0
    for number, node in enumerate(tree.body):
        is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not is_future and not (number == 0 and is_text):
            break
        last = node.end_lineno or 0
    return last


def _mixed(token: str, path: str) -> int:
    mixed = int(token, 16) + 1
    for byte in path.encode():
        mixed = (mixed * 0x100000001B3 ^ byte) & 0xFFFFFFFFFFFFFFFF
    return mixed


def _appended(snapshot: Snapshot, faults: dict[str, bytes]) -> Snapshot:
    return _replaced(
        snapshot,
        {
            file.path: file.content + faults[file.path]
            for file in snapshot.files
            if file.path in faults
        },
    )


def _replaced(snapshot: Snapshot, contents: dict[str, bytes]) -> Snapshot:
    files = (
        SnapshotFile.of(file.path, contents[file.path], executable=file.executable)
        if file.path in contents
        else file
        for file in snapshot.files
    )
    return Snapshot.of(files, snapshot.left_out)
