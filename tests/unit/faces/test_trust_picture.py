"""The picture of a history stays readable from one verdict to ten thousand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from xml.etree import ElementTree

import pytest

from tmws.domain.trust.history import Point
from tmws.faces.cli.trust_picture import drawn

_SVG = "{http://www.w3.org/2000/svg}"
_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def picture(count: int, *, alarms: tuple[int, ...] = ()) -> ElementTree.Element:
    """Return what is drawn of so many verdicts, those in `alarms` having raised one."""
    points = [
        Point(_DAY + timedelta(hours=n), f"claim_{n}", n % 2 == 0, 0.5, 0.4, 0.6, n in alarms)
        for n in range(count)
    ]
    return ElementTree.fromstring(drawn('<a> & "b" 名', points))  # noqa: S314  # our own text


@pytest.mark.parametrize(("count", "least", "most"), [(1, 4, 4), (100, 2, 4), (10_000, 0.5, 1)])
def test_dots_leave_the_band_in_sight_however_many_there_are(
    count: int, least: float, most: float
) -> None:
    dots = picture(count).findall(f"{_SVG}circle")
    assert len(dots) == count
    assert all(least <= float(dot.attrib["r"]) <= most for dot in dots)


def test_the_band_of_a_single_verdict_is_a_line() -> None:
    [band] = picture(1).findall(f"{_SVG}polygon")
    top, bottom = band.attrib["points"].split()
    assert top.split(",")[0] == bottom.split(",")[0]
    assert band.attrib["stroke"]


def test_alarms_are_marked_where_they_rang() -> None:
    seen = picture(50, alarms=(7, 30))
    marks = [line for line in seen.findall(f"{_SVG}line") if "stroke-dasharray" in line.attrib]
    dots = seen.findall(f"{_SVG}circle")
    assert [mark.attrib["x1"] for mark in marks] == [dots[n].attrib["cx"] for n in (7, 30)]
