"""The pytest plugin that sees what really happens and reports it at once.

Outcomes are taken from the exceptions themselves, not from the reports that hooks may
rewrite. Beside the tests of each module runs a canary that must fail: where it does
not, something decides outcomes that is not the test.
"""

from __future__ import annotations

import doctest
import secrets
import sys
import unittest
from collections.abc import Generator, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from types import CodeType, FunctionType, ModuleType
from typing import TypeVar

import pytest
from _pytest.config import ConftestImportFailure
from _pytest.doctest import (
    DoctestItem,
    DoctestModule,
    DoctestTextfile,
    MultipleDoctestFailures,
)
from _pytest.mark import KeywordMatcher, MarkMatcher
from _pytest.mark.expression import Expression
from _pytest.outcomes import Skipped, XFailed
from _pytest.unittest import TestCaseFunction
from tmws_channel import MAX_LISTED, MAX_TEXT, WORKSPACE, Send
from tmws_guard import Guard
from tmws_missing import missing_from
from tmws_sources import Sources

# Hooks whose foreign implementation can turn one outcome into another.
DECISIVE_HOOKS = (
    "pytest_cmdline_main",
    "pytest_collect_directory",
    "pytest_collect_file",
    "pytest_collection",
    "pytest_make_collect_report",
    "pytest_pycollect_makeitem",
    "pytest_pycollect_makemodule",
    "pytest_pyfunc_call",
    "pytest_report_teststatus",
    "pytest_runtest_call",
    "pytest_runtest_makereport",
    "pytest_runtest_protocol",
    "pytest_runtestloop",
)
SKIPS: tuple[type[BaseException], ...] = (Skipped, unittest.SkipTest)
WORST_FIRST = ("failed", "skipped", "xfailed", "xpassed", "passed")
IDS_PER_LINE = 20
PASSED_PER_LINE = 100
MAX_MESSAGE = 300
# Where the library runs test cases; what replaces one of these decides outcomes.
CASE_METHODS = ("__call__", "run", "_callSetUp", "_callTestMethod", "_callTearDown", "doCleanups")
LIBRARY = str(Path(unittest.__file__).parent)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which of the collected tests are meant."""

    keyword: Expression | None
    marker: Expression | None

    @classmethod
    def of(cls, keyword: str | None, marker: str | None) -> Selection:
        """Return what pytest's own `-k` and `-m` would select."""
        chosen = (None if text is None else Expression.compile(text) for text in (keyword, marker))
        return cls(*chosen)

    @classmethod
    def of_project(cls, overruled: list[str]) -> Selection | None:
        """Return what the project's own options would select, None if that is not plain."""
        given = dict(option.split(" ", 1) for option in overruled if option[:3] in {"-k ", "-m "})
        if len(given) < len(overruled):
            return None
        try:
            return cls.of(given.get("-k"), given.get("-m"))
        except SyntaxError:
            return None

    def holds(self, item: pytest.Item) -> bool:
        """Tell whether this test is selected."""
        named = self.keyword is None or self.keyword.evaluate(KeywordMatcher.from_item(item))
        return named and (
            self.marker is None
            or self.marker.evaluate(MarkMatcher.from_markers(item.iter_markers()))
        )


Thing = TypeVar("Thing")


class Witness:
    """The plugin that sees everything and reports it at once."""

    def __init__(
        self,
        send: Send,
        guard: Guard,
        sources: Sources,
        selection: Selection,
        *,
        own: Selection | None,
        order: str | None,
    ) -> None:
        self._send = send
        self._guard = guard
        self._sources = sources
        self._selection = selection
        self._own = own
        self._order = None if order is None else Random(order)  # noqa: S311  an order, no secret
        self._numbers: dict[pytest.Item, int] = {}
        self._functions: dict[pytest.Item, tuple[object, object]] = {}
        self._unruly: list[str] = []
        self._selected: list[pytest.Item] = []
        self._canaries: dict[pytest.Item, str] = {}
        self._turns: dict[pytest.Item, int] = {}
        self._passing: dict[object, pytest.Item] = {}
        self._canary_ids: set[str] = set()
        self._raised: BaseException | None = None
        self._called: pytest.Item | None = None
        self._phases: dict[str, list[str]] = {}
        self._causes: list[BaseException] = []
        self._changed = False
        self._passed: list[int] = []
        self._hooks: dict[str, None] = {}
        self._known_hooks: dict[str, list[int]] = {}
        self._names: dict[int, dict[str, object]] = {}
        self._patched: dict[str, None] = {}

    # ---- collection

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_load_initial_conftests(self) -> Generator[None, object, object]:
        try:
            return (yield)
        except ConftestImportFailure as failure:
            self._send_module(relative(failure.path), "failed", failure.cause)
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_make_collect_report(
        self, collector: pytest.Collector
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        report = yield
        if isinstance(collector, pytest.Module) or report.outcome != "passed":
            call = getattr(report, "call", None)
            cause = call.excinfo.value if call is not None and call.excinfo else None
            self._send_module(collector.nodeid or ".", report.outcome, cause)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_itemcollected(self, item: pytest.Item) -> None:
        self._numbers[item] = len(self._numbers)
        called = self._functions[item] = function_of(item)
        if not self._sources.explain(item, called[1]):
            self._hooks[about(item.nodeid, "not the test that its file defines")] = None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        collected = list(self._numbers)
        for start in range(0, len(collected), IDS_PER_LINE):
            ids = [item.nodeid[:MAX_TEXT] for item in collected[start : start + IDS_PER_LINE]]
            self._send("collected", ids=ids)
        chosen = [item for item in collected if self._selection.holds(item)]
        result = yield
        left, right = set(chosen), set(items)
        self._unruly = [item.nodeid[:MAX_TEXT] for item in (*(left - right), *(right - left))]
        if self._order is not None:
            items[:] = shuffled(items, self._order)
        self._selected = [item for item in items if item in self._numbers]
        return result

    # ---- running

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> Generator[None, object, object]:
        if [*map(id, session.items)] != [*map(id, self._selected)]:
            self._unruly.append("the list of tests was changed after its selection")
        self._send(
            "selected",
            indices=[self._numbers[item] for item in self._selected],
            deselected=len(self._numbers) - len(self._selected),
            unruly=sorted(self._unruly)[:MAX_LISTED],
        )
        self._look_around(session.config)
        self._look_for_replaced(session.items)
        session.items[:] = self._with_canaries(session.items)
        try:
            return (yield)
        finally:
            self._look_around(session.config)

    def _look_for_replaced(self, items: Iterable[pytest.Item]) -> None:
        """Notice what was put in the place of the tested while tests were collected."""
        modules = {item.getparent(pytest.Module): None for item in items}
        loaded = [getattr(module, "obj", None) for module in modules]
        tests = [module for module in loaded if isinstance(module, ModuleType)]
        self._names = {id(vars(test)): dict(named(test)) for test in tests}
        for path, name in self._sources.replaced(tests):
            self._hooks[about(path, f"something else stands in the place of {name}")] = None

    def _with_canaries(self, items: Iterable[pytest.Item]) -> list[pytest.Item]:
        """Put a test that must fail behind the last test of each module."""
        last = {item.getparent(pytest.Module): item for item in items}
        mixed = []
        for item in items:
            mixed.append(item)
            module = item.getparent(pytest.Module)
            if module is not None and last[module] is item:
                self._turns[item] = len(mixed)
                mixed.append(self._canary(module, like=item))
        return mixed

    def _canary(self, module: pytest.Module, *, like: pytest.Item) -> pytest.Item:
        canary = make_canary(module, like=like)
        self._canaries[canary] = module.nodeid
        self._canary_ids.add(canary.nodeid)
        self._functions[canary] = function_of(canary)
        return canary

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Generator[None, object, object]:
        self._phases, self._causes, self._changed, self._called = {}, [], False, None
        failed_before = item.session.testsfailed
        result = yield
        if item in self._canaries:
            # The canary is ours: pytest's own exit status speaks of the project's tests.
            item.session.testsfailed = failed_before
            self._send_canary(item)
        elif item in self._numbers and (outcome := self._outcome()) is not None:
            if outcome == "passed" and self._called is not item:
                self._hooks[about(item.nodeid, "was passed over")] = None
            self._send_test(item, outcome)
            self._ready_canary(item, outcome)
        return result

    def _ready_canary(self, item: pytest.Item, outcome: str) -> None:
        """Make the module's canary one of the tests that passed, set up as it was.

        The last test may be one that its set-up skips, and would skip the canary with it.
        """
        module = item.getparent(pytest.Module)
        if outcome == "passed":
            self._passing[module] = item
        if item in self._turns and module is not None and module in self._passing:
            canary = self._canary(module, like=self._passing[module])
            item.session.items[self._turns[item]] = canary

    def _send_test(self, item: pytest.Item, outcome: str) -> None:
        index = self._numbers[item]
        if outcome == "passed" and not self._changed:
            self._passed.append(index)
            if len(self._passed) >= PASSED_PER_LINE:
                self._send_passed()
            return
        told = why(self._causes, outcome)
        kept = self._own is not None and self._own.holds(item)
        self._send("test", index=index, outcome=outcome, changed=self._changed, kept=kept, **told)

    def _send_passed(self) -> None:
        if self._passed:
            self._send("passed", indices=self._passed)
            self._passed = []

    def _send_canary(self, item: pytest.Item) -> None:
        path = self._canaries[item]
        called = self._phases.get("call", ["unfinished"])
        self._send("canary", path=path, outcome=called[0])
        if "failed" in self._phases.get("teardown", []):
            # What the module's own fixtures do at its end falls into the canary's turn.
            item.session.testsfailed += 1
            self._send_module(path, "failed", self._causes[-1])

    def _outcome(self) -> str | None:
        """Return the worst of what the phases came to, None if one never took place."""
        seen = [outcome for outcomes in self._phases.values() for outcome in outcomes]
        worst = next((outcome for outcome in WORST_FIRST if outcome in seen), None)
        complete = {"setup", "call", "teardown"} <= set(self._phases)
        return worst if complete or worst in {"failed", "skipped", "xfailed"} else None

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        return (yield from self._watched())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        if self._functions.get(item) != function_of(item):
            self._patched[about(item.nodeid, "another function is called")] = None
        self._look_around(item.config)
        self._look_at(item)
        self._look_at_names(item)
        result = yield from self._watched()
        self._look_at(item)
        self._called = item
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self) -> Generator[None, object, object]:
        return (yield from self._watched())

    def _watched(self) -> Generator[None, object, object]:
        self._raised = None
        try:
            return (yield)
        except BaseException as error:
            self._raised = error
            raise

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        raised = [cause_of(call), self._raised]
        report = yield
        raised.append(cause_of(call))
        cause = next((error for error in raised if error is not None), None)
        outcome = judged(cause, report)
        if cause is not None and outcome != "passed":
            self._causes.append(cause)
        self._changed |= outcome == "failed" and report.outcome != "failed"
        self._phases.setdefault(call.when, []).append(outcome)
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """Keep the canaries out of what people read, and a dot for each test that passed.

        A dot is a write of its own, and what is printed costs whoever relays it time, too.
        """
        if report.nodeid in self._canary_ids:
            return "", "", ""
        is_plain = report.passed and report.when == "call" and not hasattr(report, "wasxfail")
        return ("passed", "", "") if is_plain else None

    # ---- the end

    def _look_around(self, config: pytest.Config) -> None:
        self._hooks.update(dict.fromkeys(self._foreign_hooks(config)))
        self._patched.update(dict.fromkeys(self._guard.changed_now()))

    def _look_at(self, item: pytest.Item) -> None:
        """Notice an item that does not run its test the way pytest does."""
        kind = type(item)
        own = [name for name in vars(item) if callable(getattr(kind, name, None))]
        if not self._guard.knows(kind.runtest):
            own.append("runtest")
        case = item.instance if isinstance(item, TestCaseFunction) else None
        own.extend(name for name in CASE_METHODS if case is not None and is_foreign(case, name))
        self._hooks.update((about(item.nodeid, f"replaces {name}"), None) for name in own)

    def _look_at_names(self, item: pytest.Item) -> None:
        """Notice a test that is given something else than its module defines or imports."""
        if item in self._canaries:
            return
        function, code = self._functions[item]
        world = function.__globals__ if isinstance(function, FunctionType) else {}
        known = self._names.get(id(world), {})
        for name in said(code) & known.keys():
            if world.get(name) is not known[name]:
                self._hooks[about(item.nodeid, f"is given another {name}")] = None
        if isinstance(item, DoctestItem) and isinstance(item.parent, DoctestModule):
            own, given = vars(item.parent.obj), item.dtest.globs
            other = [name for name, value in own.items() if given.get(name, value) is not value]
            for name in other:
                if callable(own[name]):
                    self._hooks[about(item.nodeid, f"is given another {name}")] = None

    def _foreign_hooks(self, config: pytest.Config) -> Iterable[str]:
        for name in DECISIVE_HOOKS:
            implementations = getattr(config.hook, name).get_hookimpls()
            identities = [id(implementation) for implementation in implementations]
            if identities == self._known_hooks.get(name):
                continue
            self._known_hooks[name] = identities
            for implementation in implementations:
                if implementation.plugin is not self and not self._guard.knows(
                    implementation.function
                ):
                    code = getattr(implementation.function, "__code__", None)
                    yield f"{relative(getattr(code, 'co_filename', '?'))}: {name}"

    def finish(self, send: Send, status: int, overruled: list[str]) -> None:
        """Report the end, and who could have had a hand in the outcomes."""
        if self._send is not send:
            self._patched["the reporter of the run"] = None
        self._patched.update(dict.fromkeys(self._guard.changed()))
        for path in self._sources.changed():
            self._hooks[about(path, "changed while it ran")] = None
        for path in self._sources.elsewhere():
            self._hooks[about(path, "imported from elsewhere")] = None
        self._send_passed()
        send(
            "finished",
            status=status,
            hooks=list(self._hooks)[:MAX_LISTED],
            patched=list(self._patched)[:MAX_LISTED],
            overruled=[option[:MAX_TEXT] for option in overruled[:MAX_LISTED]],
        )

    def _send_module(self, path: str, outcome: str, cause: BaseException | None) -> None:
        causes = [] if cause is None else [cause.__cause__ or cause]
        self._send("module", path=path[:MAX_TEXT], outcome=outcome, **why(causes, outcome))


def shuffled(items: list[pytest.Item], order: Random) -> list[pytest.Item]:
    """Return the tests in another order, those of a module and of a class still together."""
    modules: dict[object, dict[object, list[pytest.Item]]] = {}
    for item in items:
        classes = modules.setdefault(item.getparent(pytest.Module), {})
        classes.setdefault(item.getparent(pytest.Class), []).append(item)
    mixed = []
    for classes in drawn(list(modules.values()), order):
        for members in drawn(list(classes.values()), order):
            mixed.extend(drawn(members, order))
    return mixed


def drawn(things: list[Thing], order: Random) -> list[Thing]:
    """Return the things in an order drawn by chance."""
    return order.sample(things, len(things))


def judged(cause: BaseException | None, report: pytest.TestReport) -> str:
    """Return what one phase came to; an exception beats any report."""
    expected = hasattr(report, "wasxfail") and report.outcome in {"skipped", "passed"}
    if cause is None:
        return "failed" if report.outcome == "failed" else "xpassed" if expected else "passed"
    if isinstance(cause, XFailed) or (expected and report.outcome == "skipped"):
        return "xfailed"
    return "skipped" if isinstance(cause, SKIPS) else "failed"


def cause_of(call: pytest.CallInfo[None]) -> BaseException | None:
    """Return the exception that ended a phase, if one did."""
    return None if call.excinfo is None else call.excinfo.value


def function_of(item: pytest.Item) -> tuple[object, object]:
    """Return what the test calls, and its code: a function, or examples in a text."""
    if isinstance(item, DoctestItem):
        return item.dtest, [(example.source, example.want) for example in item.dtest.examples]
    called = getattr(item, "obj", None)
    function = getattr(called, "__func__", called)
    return function, getattr(function, "__code__", None)


def named(module: ModuleType) -> Iterable[tuple[str, object]]:
    """Return what a test module knows by name of the functions, classes and modules tested.

    A test may well have others replaced, as the clock by a library made for that.
    """
    for name, value in vars(module).items():
        if type(value) is FunctionType:
            place: object = value.__code__.co_filename
        elif issubclass(type(value), type):
            place = getattr(sys.modules.get(str(vars(value).get("__module__"))), "__file__", None)
        elif issubclass(type(value), ModuleType):
            place = vars(value).get("__file__")
        else:
            continue
        if isinstance(place, str) and place.startswith(f"{WORKSPACE}/"):
            yield name, value


def said(code: object) -> set[str]:
    """Return the names that a function says, and those within it."""
    names: set[str] = set()
    waiting = [code]
    while waiting:
        part = waiting.pop()
        if isinstance(part, CodeType):
            names.update(part.co_names)
            waiting.extend(part.co_consts)
    return names


def about(place: str, what: str) -> str:
    """Return `place: what`, short enough for a report."""
    return f"{relative(place)[: MAX_TEXT - MAX_MESSAGE - 2]}: {what[:MAX_MESSAGE]}"


def is_foreign(case: object, name: str) -> bool:
    """Tell whether a method of a test case is not the library's own."""
    method = getattr(type(case), name, None)
    code = getattr(method, "__code__", None)
    ours = method is None or (code is not None and code.co_filename.startswith(LIBRARY))
    return name in vars(case) or not ours


def make_canary(module: pytest.Module, *, like: pytest.Item) -> pytest.Item:
    """Return a test of this module that fails, of the kind and name of its neighbour."""
    token = secrets.token_hex(8)
    name = f"{like.name.partition('[')[0]}_{secrets.token_hex(3)}"
    if isinstance(like, DoctestItem) and isinstance(module, DoctestModule | DoctestTextfile):
        example = doctest.Example(f"{token!r}\n", f"{secrets.token_hex(8)!r}\n")
        test = doctest.DocTest([example], {}, name, str(like.path), 0, example.source)
        return DoctestItem.from_parent(module, name=name, runner=like.runner, dtest=test)

    def canary() -> None:
        raise AssertionError(token)

    given = getattr(like, "callspec", None)
    if given is not None:
        given = replace(given, marks=[])
    return pytest.Function.from_parent(module, name=name, callobj=canary, callspec=given)


def why(causes: list[BaseException], outcome: str) -> dict[str, str | None]:
    """Return what to tell about a failure: its first line, and what was not there."""
    if not causes:
        return {}
    causes = [within(cause) for cause in causes]
    names = [missing_from(cause) for cause in causes]
    return {
        "message": first_line(causes[0]) if outcome != "passed" else "",
        "missing": names[0] if all(names) else None,
    }


def within(cause: BaseException) -> BaseException:
    """Return what an example of a docstring raised, or what it gave in words."""
    if isinstance(cause, MultipleDoctestFailures):
        cause = cause.failures[0]
    if isinstance(cause, doctest.UnexpectedException):
        return cause.exc_info[1]
    if isinstance(cause, doctest.DocTestFailure):
        source, want = cause.example.source.strip(), cause.example.want.strip()
        return AssertionError(f"{source} gives {cause.got.strip()}, not {want}")
    return cause


def first_line(error: BaseException) -> str:
    """Return the exception's type and the first line of its text."""
    try:
        text = str(error)
    except Exception:  # its own __str__ is code of the workspace
        text = ""
    return f"{type(error).__name__}: {text.strip().partition(chr(10))[0]}"[:MAX_MESSAGE]


def relative(path: object) -> str:
    """Return a path as the claim would name it."""
    return str(path).removeprefix(WORKSPACE + "/")[:MAX_TEXT]
