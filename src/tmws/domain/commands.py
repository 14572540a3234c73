"""From a typed check to the one command that decides it.

Callers never pass arguments. A check names a profile, targets and typed options; the
command comes from the table below: an absolute executable of the image, a fixed
prefix, options in `--name=value` form, and targets as absolute `/workspace/...` paths
that exist in the snapshot. `--` would protect nothing: `pytest -- -p evil` still
imports `evil`. A path that starts with `/workspace/` is never read as an option or as
an argument file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from tmws.domain.agents import require_name
from tmws.domain.checkers import FUEL, limits_of, validate_computed
from tmws.domain.claims import (
    AddedCheck,
    Check,
    ComputedCheck,
    CoverageCheck,
    HeldCheck,
    MetricCheck,
    MypyCheck,
    NodeTestCheck,
    NpmTestCheck,
    PytestCheck,
    PythonCheck,
    RuffCheck,
    ScriptCheck,
    TimingCheck,
)
from tmws.domain.environments import Environment
from tmws.domain.errors import InvalidInput
from tmws.domain.execution import ExecutionRequest, Limits, Runtime
from tmws.domain.grammar import (
    MAX_ARGUMENT_BYTES,
    MAX_ARGUMENTS,
    MAX_COUNT,
    WORKSPACE,
    refused,
    require,
    require_range,
    split_node_id,
    validate_keyword,
    validate_node_id,
    validate_path,
    validate_percent,
)
from tmws.domain.metrics import validate_metric
from tmws.domain.node_tests import MOST_FILES, files_of, script_files
from tmws.domain.places import absent, absolute, require_file
from tmws.domain.snapshots import PYTHON_SUFFIXES, Snapshot
from tmws.domain.timing import BASELINE_RUNS, RUNS, TIMED_SECONDS, validate_timing

# Files beside Python's that hold examples for doctest.
TEXT_SUFFIXES = (".rst", ".txt")


@dataclass(frozen=True, slots=True)
class Profile:
    """One tool that may be asked, and how it is started.

    Attributes:
        name: also the `profile` of a check in evidence and policy.
        check: the type of check it decides.
        prefix: first words of every command of this profile.
        form: its command line as notation; see `notation`.
        runtime: what its image has to hold.
    """

    name: str
    check: type[Check]
    prefix: tuple[str, ...]
    form: str
    runtime: Runtime = Runtime.PYTHON


def _runner(name: str) -> tuple[str, ...]:
    return ("/opt/tmws/python", "-I", f"/opt/tmws/run_{name}.py")


_NODE = Runtime.NODE
_WASM = Runtime.WASM
PROFILES = (
    Profile(
        "pytest", PytestCheck, _runner("pytest"), "pytest [TARGET ...] [-k EXPRESSION] [-m MARKERS]"
    ),
    Profile("ruff", RuffCheck, _runner("ruff"), "ruff check [TARGET ...]"),
    Profile("mypy", MypyCheck, _runner("mypy"), "mypy [--strict] [TARGET ...]"),
    Profile("python", PythonCheck, _runner("python"), "python SCRIPT.py"),
    # Numbers have no notation of their own: what they are to be is no part of a command.
    Profile("metric", MetricCheck, _runner("python"), ""),
    Profile("timing", TimingCheck, _runner("timing"), ""),
    Profile(
        "coverage",
        CoverageCheck,
        _runner("coverage"),
        "coverage run --source=PATH --fail-under=PERCENT [--branch] -m pytest [TARGET ...]",
    ),
    Profile("held", HeldCheck, _runner("held"), "held NAME"),
    Profile(
        "checker",
        ComputedCheck,
        ("checker.wasm", f"--fuel={FUEL}"),
        "checker NAME FILE OPERATOR NUMBER [--absolute=NUMBER] [--relative=NUMBER]",
        _WASM,
    ),
    Profile("node_test", NodeTestCheck, _runner("node_test"), "node --test [TARGET ...]", _NODE),
    Profile("npm_test", NpmTestCheck, _runner("node_test"), "npm test", _NODE),
)


def profile_of(check: Check) -> Profile:
    """Return the profile that decides this check."""
    return next(profile for profile in PROFILES if isinstance(check, profile.check))


def validate(check: Check) -> None:
    """Refuse a check whose words break the grammar, before anything is read or started.

    Raises:
        InvalidInput: naming the part and the allowed form.
    """
    match check:
        case PytestCheck():
            _validate_tests(check)
        case RuffCheck() | MypyCheck():
            _validate_targets(check.targets, validate_path)
        case NodeTestCheck() | NpmTestCheck():
            if isinstance(check, NodeTestCheck):
                _validate_targets(check.targets, validate_path)
            _validate_counts(check.passed, check.allow_skipped)
        case CoverageCheck():
            validate_path(check.source)
            validate_percent(check.percent)
            _validate_tests(check.tests)
        case MetricCheck():
            validate_metric(check)
        case TimingCheck():
            validate_timing(check)
        case PythonCheck():
            require(
                check.script.endswith(".py"), "script", check.script, "a .py file of the workspace"
            )
            validate_path(check.script)
            require_range("exit_code", check.exit_code, 0, 125)
        case HeldCheck():
            require_name(check.name, what="Name of a held check")
        case ComputedCheck():
            validate_computed(check)
        case AddedCheck():  # its own table validates it; there is nothing of it here
            raise refused("profile", check.tool, "a profile of the installation")


def build_request(
    check: Check, snapshot: Snapshot, limits: Limits, environment: Environment | None = None
) -> ExecutionRequest:
    """Return the run that decides `check` on this snapshot.

    Args:
        environment: the packages of the workspace; only Python's profiles see them.

    Raises:
        InvalidInput: the check breaks the grammar, or names what the snapshot lacks.
    """
    validate(check)
    profile = profile_of(check)
    arguments = _arguments(check, snapshot)
    most = MAX_ARGUMENTS if profile.runtime is Runtime.PYTHON else MOST_FILES
    if len(arguments) > most or any(
        len(argument.encode()) > MAX_ARGUMENT_BYTES for argument in arguments
    ):
        raise InvalidInput(
            f"A check takes at most {MAX_ARGUMENTS} arguments of {MAX_ARGUMENT_BYTES} bytes. "
            "Name a folder instead of its files."
        )
    if isinstance(check, ComputedCheck):
        file = snapshot.below(check.file)
        return ExecutionRequest((*profile.prefix, *arguments), file, limits_of(limits), _WASM)
    if profile.runtime is not Runtime.PYTHON:
        environment = None
    plugins = _plugins(check, environment)
    return ExecutionRequest(
        (*profile.prefix, *plugins, *arguments),
        snapshot.files,
        limits,
        profile.runtime,
        environment,
    )


def reordered(request: ExecutionRequest, seed: int) -> ExecutionRequest:
    """Return the same run of pytest with its tests in an order that the seed decides."""
    at = len(profile_of(PytestCheck()).prefix)
    return replace(request, argv=(*request.argv[:at], f"--order={seed}", *request.argv[at:]))


def _validate_tests(check: PytestCheck) -> None:
    _validate_targets(check.targets, _validate_test_target)
    if check.keyword is not None:
        validate_keyword(check.keyword)
    if check.marker is not None:
        validate_keyword(check.marker, what="marker")
    _validate_counts(check.passed, check.allow_skipped)


def _validate_counts(passed: int | None, allow_skipped: int) -> None:
    if passed is not None:
        require_range("passed", passed, 1, MAX_COUNT)
    require_range("allow_skipped", allow_skipped, 0, MAX_COUNT)


def _validate_test_target(target: str) -> None:
    if "::" in target:
        validate_node_id(target)
    else:
        validate_path(target)


def _validate_targets(targets: tuple[str, ...], validate_one: Callable[[str], None]) -> None:
    if len(targets) > MAX_ARGUMENTS - 1:
        raise InvalidInput(
            f"A check takes at most {MAX_ARGUMENTS - 1} targets, got {len(targets)}. "
            "Name a folder instead of its files."
        )
    for target in targets:
        validate_one(target)
    if len(set(targets)) != len(targets):
        raise InvalidInput("A target is named twice. Name each file, folder or test once.")


def _arguments(check: Check, snapshot: Snapshot) -> tuple[str, ...]:
    if isinstance(check, NodeTestCheck | NpmTestCheck):
        return tuple(absolute(path) for path in node_files(check, snapshot))
    if isinstance(check, ComputedCheck):
        require_file(check.file, snapshot)
        return (absolute(check.file),)
    return _python_arguments(check, snapshot)


def _python_arguments(
    check: PytestCheck
    | RuffCheck
    | MypyCheck
    | CoverageCheck
    | HeldCheck
    | ScriptCheck
    | AddedCheck,
    snapshot: Snapshot,
) -> tuple[str, ...]:
    match check:
        case PytestCheck():
            return _test_arguments(check, snapshot)
        case CoverageCheck():
            branch = ("--branch",) if check.branch else ()
            source = f"--source={_measured(check.source, snapshot)}"
            return (source, *branch, *_test_arguments(check.tests, snapshot))
        case RuffCheck() | MypyCheck():
            strict = ("--strict",) if isinstance(check, MypyCheck) and check.strict else ()
            paths = tuple(_sources(target, snapshot) for target in check.targets)
            return (*strict, *(paths or (WORKSPACE,)))
        case PythonCheck() | MetricCheck() | TimingCheck():
            return _script_arguments(check, snapshot)
        case HeldCheck() | AddedCheck():
            return ()  # the file of questions is put beside it when it runs


def _script_arguments(check: ScriptCheck, snapshot: Snapshot) -> tuple[str, ...]:
    options: tuple[str, ...] = ()
    if isinstance(check, MetricCheck):
        require_file(check.script or check.file, snapshot)
        options = (f"--output={absolute(check.file)}",)
    elif isinstance(check, TimingCheck):
        counts = (f"--runs={RUNS[check.quantile]}", f"--empty-runs={BASELINE_RUNS}")
        options = (*counts, f"--seconds={TIMED_SECONDS}")
    if check.script is None:
        return options
    require_file(check.script, snapshot)
    return (*options, absolute(check.script))


def node_files(check: NodeTestCheck | NpmTestCheck, snapshot: Snapshot) -> tuple[str, ...]:
    """Return the test files that a claim about Node's runner is about.

    Raises:
        InvalidInput: the snapshot has no test there.
    """
    if isinstance(check, NpmTestCheck):
        found = script_files(snapshot)
    else:
        for target in check.targets:
            if not snapshot.below(target):
                raise absent(target, snapshot)
        found = files_of(check.targets, snapshot)
    if not found:
        raise InvalidInput(
            "No test file of Node's runner lies there. It finds *.test.js, *-test.js, test-*.js, "
            "test.js and all in folders named test; name other files one by one."
        )
    return found


def _plugins(check: Check, environment: Environment | None) -> tuple[str, ...]:
    if environment is None or not isinstance(check, PytestCheck | CoverageCheck):
        return ()
    return tuple(f"--plugin={plugin}" for plugin in environment.plugins)


def _test_arguments(check: PytestCheck, snapshot: Snapshot) -> tuple[str, ...]:
    options = {"keyword": check.keyword, "marker": check.marker}
    return (
        *(f"--{name}={value}" for name, value in options.items() if value is not None),
        *(_tests(target, snapshot) for target in check.targets),
    )


def _tests(target: str, snapshot: Snapshot) -> str:
    path, names, _ = split_node_id(target)
    if names:
        require_file(path, snapshot)
    elif not (path.endswith(TEXT_SUFFIXES) and snapshot.file(path) is not None):
        _sources(path, snapshot)
    return absolute(target)


def _measured(source: str, snapshot: Snapshot) -> str:
    place = _sources(source, snapshot)
    require(
        any(file.path.endswith(".py") for file in snapshot.below(source)),
        "source",
        source,
        "a Python file, or a folder that holds some",
    )
    return place


def _sources(target: str, snapshot: Snapshot) -> str:
    if not snapshot.below(target):
        raise absent(target, snapshot)
    if snapshot.file(target) is not None and not target.endswith(PYTHON_SUFFIXES):
        raise refused("target", target, "a folder or a Python file")
    return absolute(target)
