"""Which files count against a project: those that somebody read while its tests ran."""

from __future__ import annotations

from tests.mutation.target import Target

_DOMAIN = "src/tmws/domain"

TARGET = Target(
    sources={
        f"{_DOMAIN}/flags.py": ("scan", "_pytest_flags", "_to_be_read", "_has_a_say"),
        f"{_DOMAIN}/judging.py": ("judge",),
        f"{_DOMAIN}/testruns.py": ("unread", "without_trusted_hooks"),
    },
    tests=tuple(
        f"tests/unit/domain/test_{name}.py"
        for name in ("flags", "files_read", "claims", "reports", "coverage", "trusted_refs")
    ),
    excused={
        f"{_DOMAIN}/judging.py judge: result.exit_code or 0 → result.exit_code": (
            "a run without an exit code has no report, and was judged before"
        ),
        f"{_DOMAIN}/testruns.py without_trusted_hooks: replace(report, tests=tests) "
        "if isinstance(tests, PytestReport) else report → replace(report, tests=tests)": (
            "a report of tests stays one; the question is the type checker's"
        ),
    },
)
