"""A score's history as a picture: SVG, written by hand because it is six shapes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tmws.domain.trust.history import Point

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 40
_LARGEST, _SMALLEST, _DOTS = 4.0, 0.8, 70
"""Radius of a dot, and how many of the largest stand side by side."""


def drawn(agent: str, points: Sequence[Point]) -> str:
    """Return an SVG document: score, 90 % band, a dot for each verdict, oldest first.

    Where many verdicts share the width dots get smaller, so that the band stays in sight;
    a dashed line marks each alarm.
    """
    across = [_across(place, len(points)) for place in range(len(points))]
    upper = [f"{x:.1f},{_up(p.high):.1f}" for x, p in zip(across, points, strict=True)]
    lower = [f"{x:.1f},{_up(p.low):.1f}" for x, p in zip(across, points, strict=True)]
    line = [f"{x:.1f},{_up(p.score):.1f}" for x, p in zip(across, points, strict=True)]
    size = min(_LARGEST, max(_SMALLEST, _LARGEST * _DOTS / len(points)))
    alarms = "\n".join(
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_up(1):.1f}" y2="{_up(0):.1f}" stroke="#c33" '
        f'stroke-dasharray="4 3"><title>alarm, {p.at:%Y-%m-%d %H:%M}</title></line>'
        for x, p in zip(across, points, strict=True)
        if p.alarmed
    )
    dots = "\n".join(
        f'<circle cx="{x:.1f}" cy="{_up(p.score):.1f}" r="{size:.1f}" '
        f'fill="{"#2a7" if p.supported else "#c33"}"><title>{escape(p.claim_id)}, '
        f"{p.at:%Y-%m-%d %H:%M}: {p.score:.2f}</title></circle>"
        for x, p in zip(across, points, strict=True)
    )
    grid = "\n".join(
        f'<line x1="{_MARGIN}" x2="{_WIDTH - _MARGIN}" y1="{_up(at):.1f}" y2="{_up(at):.1f}" '
        f'stroke="#ddd"/><text x="{_MARGIN - 8}" y="{_up(at) + 4:.1f}" '
        f'text-anchor="end">{at:g}</text>'
        for at in (0, 0.25, 0.5, 0.75, 1)
    )
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"
 font-family="sans-serif" font-size="12">
<title>Trust of {escape(agent)}</title>
<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>
{grid}
<polygon points="{" ".join(upper + lower[::-1])}" fill="#48c" fill-opacity="0.2" stroke="#48c"
 stroke-opacity="0.4"/>
{alarms}
<polyline points="{" ".join(line)}" fill="none" stroke="#48c" stroke-width="2"/>
{dots}
<text x="{_MARGIN}" y="{_HEIGHT - 10}">{escape(agent)}: score and 90 % interval after each of \
{len(points)} decided claims</text>
</svg>
"""


def _across(place: int, count: int) -> float:
    return _MARGIN + (_WIDTH - 2 * _MARGIN) * (place / (count - 1) if count > 1 else 0.5)


def _up(share: float) -> float:
    return _HEIGHT - _MARGIN - (_HEIGHT - 2 * _MARGIN) * share
