"""Calibration as a picture: what was said against what came of it, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tmws.domain.proportions import wilson

_SIZE, _MARGIN = 420, 50


def drawn(bins: Sequence[tuple[float, float, float, float]], *, verdicts: int) -> str:
    """Return an SVG document: a dot on the diagonal is a prediction that kept its word.

    A dot grows with its verdicts; its bar is the 90 % interval of the true rate.

    Args:
        bins: mean prediction, share of yes, their difference and share of all.
    """
    marks = "\n".join(_mark(said, came, round(share * verdicts)) for said, came, _, share in bins)
    grid = "\n".join(_grid(at) for at in (0, 0.25, 0.5, 0.75, 1))
    middle = _SIZE / 2
    return f"""<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_SIZE} {_SIZE}"
 font-family="sans-serif" font-size="12">
<title>Predictions and outcomes of {verdicts} verdicts</title>
<rect width="{_SIZE}" height="{_SIZE}" fill="white"/>
{grid}
<line x1="{_across(0):.1f}" y1="{_up(0):.1f}" x2="{_across(1):.1f}" y2="{_up(1):.1f}"
 stroke="#888" stroke-dasharray="4"/>
{marks}
<text x="{middle}" y="{_SIZE - 12}" text-anchor="middle">predicted</text>
<text x="14" y="{middle}" text-anchor="middle" transform="rotate(-90 14 {middle})">came true</text>
</svg>
"""


def _mark(said: float, came: float, count: int) -> str:
    seen = wilson(came * count, count)
    low, high = (seen.low, seen.high) if seen else (came, came)
    x = f"{_across(said):.1f}"
    return (
        f'<line x1="{x}" x2="{x}" y1="{_up(low):.1f}" y2="{_up(high):.1f}" stroke="#48c"/>'
        f'<circle cx="{x}" cy="{_up(came):.1f}" r="{2 + math.log2(1 + count):.1f}" '
        f'fill="#48c" fill-opacity="0.6"><title>said {said:.2f}, came {came:.2f}, '
        f"{count} verdicts</title></circle>"
    )


def _grid(at: float) -> str:
    x, y = f"{_across(at):.1f}", f"{_up(at):.1f}"
    return (
        f'<line x1="{_across(0):.1f}" x2="{_across(1):.1f}" y1="{y}" y2="{y}" stroke="#ddd"/>'
        f'<text x="{_MARGIN - 6}" y="{_up(at) + 4:.1f}" text-anchor="end">{at:g}</text>'
        f'<text x="{x}" y="{_SIZE - _MARGIN + 16}" text-anchor="middle">{at:g}</text>'
    )


def _across(share: float) -> float:
    return _MARGIN + (_SIZE - 2 * _MARGIN) * share


def _up(share: float) -> float:
    return _SIZE - _MARGIN - (_SIZE - 2 * _MARGIN) * share
