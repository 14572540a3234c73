"""How good probabilities and orders are, as plain numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

_BINS = 10
_SMALLEST = 1e-9


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How well stated probabilities foresaw outcomes.

    Attributes:
        brier: mean squared error; 0.25 is what a constant one half gets.
        log_loss: mean of -log(probability given to what happened), in nats.
        auc: probability that a yes was rated above a no; 0.5 when either is missing,
            which says nothing.
        ece: expected calibration error over ten equally wide bins.
    """

    count: int
    brier: float
    log_loss: float
    auc: float
    ece: float


def accuracy(probabilities: ArrayLike, outcomes: ArrayLike) -> Accuracy:
    """Return how well `probabilities` foresaw `outcomes` (1 for a yes); neither empty."""
    p, y = np.asarray(probabilities, float), np.asarray(outcomes, float)
    inside = np.clip(p, _SMALLEST, 1 - _SMALLEST)
    return Accuracy(
        count=len(p),
        brier=float(np.mean((p - y) ** 2)),
        log_loss=float(-np.mean(y * np.log(inside) + (1 - y) * np.log1p(-inside))),
        auc=_auc(p, y),
        ece=float(sum(abs(gap) * share for _, _, gap, share in reliability(p, y))),
    )


def reliability(
    probabilities: ArrayLike, outcomes: ArrayLike
) -> list[tuple[float, float, float, float]]:
    """Return mean prediction, share of yes, their difference and share of all, by bin."""
    p, y = np.asarray(probabilities, float), np.asarray(outcomes, float)
    bins = np.minimum((p * _BINS).astype(int), _BINS - 1)
    rows = []
    for b in range(_BINS):
        inside = bins == b
        if inside.any():
            said, came = float(p[inside].mean()), float(y[inside].mean())
            rows.append((said, came, came - said, float(inside.mean())))
    return rows


def rank_correlation(a: ArrayLike, b: ArrayLike) -> float:
    """Return Spearman's rho; 0 when either side has only one value."""
    x, y = _ranks(np.asarray(a, float)), _ranks(np.asarray(b, float))
    if x.std() == 0 or y.std() == 0:
        return 0.0
    return float(np.corrcoef(x, y)[0, 1])


def quantile(values: Sequence[float], q: float) -> float:
    """Return the smallest value that at least a share q of all do not exceed."""
    return sorted(values)[max(0, int(np.ceil(q * len(values))) - 1)]


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ranks from 1, equal values sharing the mean of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks: NDArray[np.float64] = (last - (counts - 1) / 2)[place]
    return ranks


def _auc(p: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    yes = int(y.sum())
    no = len(y) - yes
    if not yes or not no:
        return 0.5
    return float((_ranks(p)[y == 1].sum() - yes * (yes + 1) / 2) / (yes * no))
