"""Fixtures of the MCP face: a server with toy tools in this process."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import pytest

from tests.callers import always
from tests.unit.faces.toys import ALICE, FakeApp, Trace, toys
from tmws.app import App
from tmws.faces.mcp.server import McpServer


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def app() -> FakeApp:
    return FakeApp()


@pytest.fixture
def trace() -> Trace:
    return Trace()


@pytest.fixture
def serve(app: FakeApp, trace: Trace) -> Callable[[], McpServer]:
    return lambda: McpServer(cast(App, app), always(ALICE), toys(trace))
