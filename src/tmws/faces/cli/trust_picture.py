"""A score's history as a picture: SVG, written by hand because it is six shapes."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from tmws.domain.trust.history import Point

_WIDTH, _HEIGHT, _MARGIN = 640, 320, 40


def drawn(agent: str, points: Sequence[Point]) -> str:
    """Return an SVG document: score, 90 % band, a dot for each verdict, oldest first."""
    across = [_across(place, len(points)) for place in range(len(points))]
    upper = [f"{x:.1f},{_up(p.high):.1f}" for x, p in zip(across, points, strict=True)]
    lower = [f"{x:.1f},{_up(p.low):.1f}" for x, p in zip(across, points, strict=True)]
    line = [f"{x:.1f},{_up(p.score):.1f}" for x, p in zip(across, points, strict=True)]
    dots = "\n".join(
        f'<circle cx="{x:.1f}" cy="{_up(p.score):.1f}" r="4" '
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
<polygon points="{" ".join(upper + lower[::-1])}" fill="#48c" fill-opacity="0.2"/>
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
