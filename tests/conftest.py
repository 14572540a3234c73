"""What holds for every test: one event loop, repeatable chance, and no skipping."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Shared machines are slow at odd moments, so time says nothing about a property.
settings.register_profile("local", deadline=None)
# The gate tries the same examples every time: a red run is red again on a laptop.
settings.register_profile("gate", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("gate" if os.environ.get("CI") else "local")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Fail the run when anything was passed over: a test that did not run proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or exitstatus != pytest.ExitCode.OK:
        return
    passed_over = [
        report.nodeid
        for outcome in ("skipped", "xfailed", "xpassed")
        for report in reporter.stats.get(outcome, [])
    ]
    if passed_over:
        reporter.section("passed over, which counts as failed here")
        reporter.write_line("\n".join(passed_over))
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
