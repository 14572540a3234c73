"""Figures over patterns as a picture: uses over time, success with its intervals."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from tmws.domain.analytics import Tally
from tmws.domain.errors import BackendUnavailable, InvalidInput
from tmws.faces.cli.files import write
from tmws.services.analytics import PatternStats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = ("svg", "png")
_MOST_BARS = 12
_GREEN, _YELLOW, _RED, _GREY, _BLUE = "#2a7f62", "#e0b040", "#c0433a", "#c8c8c8", "#3b6fa0"


def draw(found: PatternStats, file: Path) -> None:
    """Write the picture; the file's ending says which kind.

    Raises:
        InvalidInput: the ending is neither .svg nor .png, or the file cannot be written.
        BackendUnavailable: the plotting library is not installed.
    """
    kind = file.suffix.removeprefix(".").lower()
    if kind not in FORMATS:
        raise InvalidInput(f"Picture {file.name[:64]!r} is refused: let it end in .svg or .png.")
    try:
        # Imported here: half a second that only a picture has to pay.
        from matplotlib import rc_context  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError as error:
        raise BackendUnavailable(
            "A picture needs the 'plots' extra. Run: pip install 'tmws[plots]'.", retryable=False
        ) from error
    # The same figures make the same bytes.
    with rc_context({"svg.hashsalt": "tmws", "svg.fonttype": "none"}):
        figure = Figure(figsize=(11, 7.5), layout="constrained")
        (time, stock), (by_category, by_author) = figure.subplots(2, 2)
        _over_time(time, found)
        _stock(stock, found)
        _success(by_category, "Success by category", found.categories)
        _success(by_author, "Success by author", found.authors)
        figure.suptitle(
            f"{found.total.patterns} patterns, {found.total.uses} uses, "
            f"{found.total.never_used} never used"
        )
        # A date inside would make every file differ.
        drawn = BytesIO()
        figure.savefig(drawn, format=kind, metadata={"Date": None} if kind == "svg" else None)
    write(file, drawn.getvalue())


def _over_time(axes: Axes, found: PatternStats) -> None:
    starts = [f"{bucket.start:%d %b}" for bucket in found.over_time]
    seen = [bucket.outcomes for bucket in found.over_time]
    good, half = [each.successes for each in seen], [each.partials for each in seen]
    bad = [each.failures for each in seen]
    axes.bar(starts, good, color=_GREEN, label="success")
    axes.bar(starts, half, bottom=good, color=_YELLOW, label="partial")
    below = [sum(pair) for pair in zip(good, half, strict=True)]
    axes.bar(starts, bad, bottom=below, color=_RED, label="failure")
    axes.set_title(f"Uses since {found.span.start:%Y-%m-%d}")
    axes.tick_params(axis="x", labelrotation=60, labelsize=8)
    axes.legend(loc="lower right", fontsize=8)


def _stock(axes: Axes, found: PatternStats) -> None:
    names, tallies = _first(found.categories)
    used = [tally.patterns - tally.never_used for tally in tallies]
    axes.barh(names, used, color=_BLUE, label="used")
    never = [tally.never_used for tally in tallies]
    axes.barh(names, never, left=used, color=_GREY, label="never used")
    axes.set_title("Patterns by category")
    axes.invert_yaxis()
    axes.legend(loc="lower right", fontsize=8)


def _success(axes: Axes, title: str, groups: Sequence[tuple[str, Tally]]) -> None:
    for name, tally in reversed(groups[:_MOST_BARS]):
        if seen := tally.success:
            ends = [[seen.value - seen.low], [seen.high - seen.value]]
            label = f"{name} ({tally.uses})"
            axes.errorbar(seen.value, label, xerr=ends, fmt="o", color=_BLUE, capsize=3)
    axes.set_xlim(0, 1)
    axes.set_title(f"{title}, 90 % interval")


def _first(groups: Sequence[tuple[str, Tally]]) -> tuple[list[str], list[Tally]]:
    shown = groups[:_MOST_BARS]
    return [name for name, _ in shown], [tally for _, tally in shown]
