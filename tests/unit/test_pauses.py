"""What failed is left alone, longer after each failure in a row."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from tmws.domain.errors import BackendUnavailable
from tmws.services.pauses import Pause

GONE = BackendUnavailable("It is gone.")
_AT_ONCE = 1e-9
"""Seconds that are over when the next line runs."""


async def test_each_failure_in_a_row_doubles_the_pause_until_one_succeeds() -> None:
    pause = Pause("index", first_seconds=_AT_ONCE, longest_seconds=3 * _AT_ONCE)
    with capture_logs() as said:
        for _ in range(3):
            pause.begin(GONE)
        pause.end()
        pause.begin(GONE)
    assert [each["pause"] for each in said] == [_AT_ONCE, 2 * _AT_ONCE, 3 * _AT_ONCE, _AT_ONCE]


async def test_of_many_requests_that_fail_together_the_first_begins_the_pause() -> None:
    """Else twenty at once would have an index left alone for minutes after one failure."""
    pause = Pause("index", first_seconds=60.0, longest_seconds=600.0)
    with capture_logs() as said:
        for _ in range(20):
            pause.begin(GONE)
    assert [each["pause"] for each in said] == [60.0]
    with pytest.raises(BackendUnavailable, match="It is gone"):
        pause.require_over()
    pause.end()
    pause.require_over()
