"""Claims about real projects, and what is true of each.

The false ones are wrong by a fault that was put into a copy of the project, by the
project's own state, or by what they say.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from tmws.domain.claims import Check, MetricCheck, PytestCheck, Verdict
from tmws.domain.notation import parse

TRUE, FALSE, OPEN = Verdict.SUPPORTED, Verdict.REFUTED, Verdict.INCONCLUSIVE


@dataclass(frozen=True, slots=True)
class Fault:
    """One change of a project's code: the first place where `before` stands."""

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A claim about a project, and the verdict that is right.

    Attributes:
        files: laid beside the project's own.
    """

    project: str
    line: str
    check: Check
    right: Verdict
    fault: Fault | None = None
    environment: str | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return it in a few words."""
        fault = "" if self.fault is None else f", with a fault in {self.fault.path}"
        return f"{self.project}: {self.line}{fault}"


def claimed(
    project: str,
    line: str,
    right: Verdict,
    fault: tuple[str, str, str] | None = None,
    *,
    environment: str | None = None,
    passed: int | None = None,
    skipped: int = 0,
    files: dict[str, str] | None = None,
) -> Claimed:
    """Return the claim that this command line makes."""
    check = parse(line)
    if isinstance(check, PytestCheck):
        check = dataclasses.replace(check, passed=passed, allow_skipped=skipped)
    made = None if fault is None else Fault(*fault)
    said = line if passed is None else f"{line}, {passed} of them pass"
    return Claimed(project, said, check, right, made, environment, files or {})


def counted(operator: str, right: Verdict) -> Claimed:
    """Return a claim about a number that a script computes with the project's code."""
    check = MetricCheck("n.json", operator, 200, "measure.py", "/kinds")
    return Claimed("toolz", f"/kinds {operator} 200", check, right, files=COUNTED)


PLUGGY = (
    "pytest testing/test_hookcaller.py testing/test_invocations.py testing/test_multicall.py "
    "testing/test_tracer.py testing/test_helpers.py testing/test_details.py"
)
IDNA = "pytest tests/test_idna.py tests/test_intranges.py tests/test_idna_codec.py"
ESCAPING = "pytest tests/test_escape.py tests/test_markupsafe.py"
NAMES = "pytest tests/test_markers.py tests/test_tags.py tests/test_utils.py"
PARSING = "pytest tests/test_basic.py tests/test_normalization.py"
TAKING = "pytest tests/test_recipes.py -k TakeTests"
SORTED = {
    "check.py": (
        "from sortedcontainers import SortedList\n\n"
        "values = SortedList([3, 1])\nvalues.add(2)\n"
        "raise SystemExit(0 if list(values) == [1, 2, 3] and len(values) == 3 else 1)\n"
    )
}
COUNTED = {
    "measure.py": (
        "import json\n\nfrom toolz import frequencies\n\n"
        "counts = frequencies(open('README.rst').read())\n"
        "json.dump({'kinds': len(counts)}, open('n.json', 'w'))\n"
    )
}

CLAIMS = (
    claimed("cachetools", "pytest tests", TRUE),
    claimed("cachetools", "pytest tests", TRUE, passed=416),
    claimed("cachetools", "pytest tests", FALSE, passed=417),
    claimed(
        "cachetools",
        "pytest tests/test_keys.py",
        FALSE,
        ("src/cachetools/keys.py", "args + _kwmark + tuple(sorted(kwargs.items()))", "args"),
    ),
    claimed("h11", "pytest h11/tests", TRUE),
    claimed("h11", "pytest", FALSE, ("h11/_util.py", "return match.groupdict()", "return {}")),
    claimed("iniconfig", "pytest testing", TRUE),
    claimed(
        "iniconfig",
        "pytest testing",
        FALSE,
        ("src/iniconfig/_parse.py", "return key_name, value", "return value, key_name"),
    ),
    claimed("pluggy", PLUGGY, TRUE),
    claimed(
        "pluggy",
        PLUGGY,
        FALSE,
        ("src/pluggy/_execution.py", "in reversed(hook_impls)", "in hook_impls"),
    ),
    claimed("packaging", NAMES, TRUE, environment="tools"),
    claimed(
        "packaging",
        "mypy src/packaging",
        FALSE,
        ("src/packaging/utils.py", "return (name, version)", "return (version, name)"),
    ),
    claimed("idna", IDNA, TRUE),
    claimed(
        "idna",
        IDNA,
        FALSE,
        ("idna/intranges.py", "int_ < right", "int_ <= right"),
    ),
    claimed("idna", "pytest tests/test_idna_properties.py", TRUE, environment="property"),
    claimed("idna", "pytest tests/test_idna_properties.py", OPEN),
    claimed("itsdangerous", "pytest tests", TRUE, environment="clock"),
    claimed(
        "itsdangerous",
        "pytest tests",
        FALSE,
        ("src/itsdangerous/encoding.py", '.rstrip(b"=")', ""),
        environment="clock",
    ),
    claimed("markupsafe", ESCAPING, TRUE, skipped=37),
    claimed(
        "markupsafe",
        ESCAPING,
        FALSE,
        ("src/markupsafe/_native.py", '.replace(">", "&gt;")', ""),
        skipped=37,
    ),
    claimed("more-itertools", TAKING, TRUE),
    claimed(
        "more-itertools",
        TAKING,
        FALSE,
        ("more_itertools/recipes.py", "islice(iterable, n)", "islice(iterable, n + 1)"),
    ),
    claimed("toolz", "pytest toolz", TRUE, skipped=1),
    claimed("toolz", "pytest toolz/tests/test_itertoolz.py", TRUE),
    claimed(
        "toolz",
        "pytest toolz/tests/test_dicttoolz.py",
        FALSE,
        ("toolz/dicttoolz.py", "lambda x: value", "lambda x: x"),
    ),
    claimed("click", PARSING, TRUE, environment="tools"),
    claimed(
        "click",
        PARSING,
        FALSE,
        ("src/click/parser.py", "{ctx.token_normalize_func(opt)}", "{opt}"),
        environment="tools",
    ),
    claimed(
        "click",
        "ruff check src",
        FALSE,
        ("src/click/utils.py", "import os\n", "import os\nimport json\n"),
    ),
    claimed(
        "attrs", "pytest tests/test_filters.py tests/test_cmp.py", TRUE, environment="property"
    ),
    claimed("attrs", "pytest tests/test_converters.py", FALSE, environment="property"),
    claimed(
        "attrs",
        "pytest tests/test_filters.py",
        FALSE,
        ("src/attr/filters.py", "return not (", "return ("),
        environment="property",
    ),
    claimed("sniffio", "pytest sniffio/_tests/test_sniffio.py -k asyncio", TRUE),
    claimed("mccabe", "pytest test_mccabe.py", OPEN),
    claimed("sortedcontainers", "pytest", FALSE),
    claimed("sortedcontainers", "python check.py", TRUE, files=SORTED),
    claimed(
        "sortedcontainers",
        "python check.py",
        FALSE,
        ("sortedcontainers/sortedlist.py", "self._len += 1", "self._len += 2"),
        files=SORTED,
    ),
    counted("<=", TRUE),
    counted(">=", FALSE),
    claimed("h11", "coverage run --source=h11 --fail-under=99 -m pytest h11/tests", TRUE),
    claimed(
        "cachetools",
        "coverage run --source=src/cachetools --fail-under=99 --branch -m pytest tests",
        TRUE,
    ),
    claimed(
        "iniconfig", "coverage run --source=src/iniconfig --fail-under=99 -m pytest testing", FALSE
    ),
    claimed("idna", "ruff check idna", TRUE),
    claimed(
        "idna",
        "ruff check idna",
        FALSE,
        ("idna/core.py", "import re\n", "import re\nimport json\n"),
    ),
    claimed("itsdangerous", "ruff check src", TRUE),
    claimed("click", "ruff check src", TRUE),
    claimed("tomli", "ruff check src", FALSE),
    claimed("idna", "mypy idna", TRUE),
    claimed("iniconfig", "mypy src/iniconfig", TRUE),
    claimed(
        "iniconfig",
        "mypy src/iniconfig",
        FALSE,
        ("src/iniconfig/_parse.py", "return key_name, value", "return key_name, 1"),
    ),
    claimed("click", "mypy src", TRUE),
    claimed("packaging", "mypy src/packaging", TRUE),
)
"""What is claimed; a claim of `OPEN` needs packages that its environment does not have."""
