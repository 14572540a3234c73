"""How trust moves and what is shown of it: the whole model, its rules, its log."""

from __future__ import annotations

from tests.mutation.target import Target

_MODEL = "src/tmws/domain/trust"
_TESTS = "tests/unit/domain/test_trust"

_SAME = "both halves of the formula give the same, up to the last bit, about zero"
_POWER = "a number to the power of one is itself, to the bit"
_STOP = "a step of exactly this size does not come up; the quadrature corrects what is left"
_STRIDE = "longer steps towards the difficulty end at the same one"
_BOUND = "at its bound the value is the bound"
_NOW = "when no time has passed, nothing has faded"
_ZIP = "both sides are made from the same parts, so they are equally long"
_SIGN = "the sign cancels: shares are divided by their sum, or squared"

TARGET = Target(
    sources={
        f"{_MODEL}/{name}.py": ()
        for name in (
            *("alarm", "audits", "confirmation", "entries", "evidence", "explanation", "history"),
            *("integrity", "log", "logistic", "model", "nightly", "reference", "refit", "reliance"),
            *("rules", "score", "sharpness", "state"),
        )
    },
    # The first notice most faults, and quickly.
    tests=tuple(
        f"{_TESTS}_{name}.py"
        for name in (
            *("figures", "edges", "history", "entries", "reference", "reliance", "rules"),
            *("score", "confirmation", "log", "model", "sharpness", "alarm", "familiarity"),
        )
    ),
    excused={
        f"{_MODEL}/alarm.py threshold: draw() < UNCALIBRATED.probability(margin) → "
        "draw() <= UNCALIBRATED.probability(margin)": "no number that is drawn is exactly that",
        f"{_MODEL}/alarm.py Watch.after: belief((margin[0] + sharpness * missed, margin[1])) "
        "if missed else margin → belief((margin[0] + sharpness * missed, margin[1]))": (
            "moved by nothing, it stays"
        ),
        f"{_MODEL}/alarm.py Watch.after: loss > 0.0 → loss >= 0.0": _BOUND,
        f"{_MODEL}/logistic.py log_sigmoid: x >= 0.0 → x > 0.0": _SAME,
        f"{_MODEL}/logistic.py log_sigmoid: 0.0 → 1.0 #2": _SAME,
        f"{_MODEL}/logistic.py doubt: told > _LEAST_DOUBT → told >= _LEAST_DOUBT": _BOUND,
        f"{_MODEL}/logistic.py posterior: p < _DEEPEST → p <= _DEEPEST": (
            "at the bound both ways give the same, to the last bit"
        ),
        f"{_MODEL}/logistic.py : 1e-300 → 1.5e-300": (
            "between the two both ways give the same, to the last bit"
        ),
        f"{_MODEL}/logistic.py sigmoid: x >= 0.0 → x > 0.0": _SAME,
        f"{_MODEL}/logistic.py sigmoid: 0.0 → 1.0": _SAME,
        f"{_MODEL}/logistic.py _mode: x >= 0.0 → x > 0.0": _SAME,
        f"{_MODEL}/logistic.py _mode: 0.0 → 1.0": _SAME,
        f"{_MODEL}/logistic.py posterior: x >= 0.0 → x > 0.0": _SAME,
        f"{_MODEL}/logistic.py posterior: 0.0 → 1.0": _SAME,
        f"{_MODEL}/logistic.py posterior: "
        f"ratio if weight == 1.0 else ratio ** weight → ratio ** weight": _POWER,
        f"{_MODEL}/logistic.py posterior: 1.0 → 1.5 #2": _POWER,
        f"{_MODEL}/logistic.py _mode: slope > 0.0 → slope >= 0.0": _STOP,
        f"{_MODEL}/logistic.py _mode: "
        f"abs(x - previous) < _NEWTON_PRECISION → abs(x - previous) <= _NEWTON_PRECISION": _STOP,
        f"{_MODEL}/sharpness.py learned: 2.0 * _LONGEST_STEP → 2.0 / _LONGEST_STEP": _STRIDE,
        f"{_MODEL}/sharpness.py learned: 2.0 → 3.0": _STRIDE,
        f"{_MODEL}/sharpness.py learned: max(abs(step), abs(further)) < _PRECISION → "
        "max(abs(step), abs(further)) <= _PRECISION": "no step is exactly that long",
        f"{_MODEL}/model.py Calibration.after: "
        f"0.0 → 1.0": "information begins at 200 and only grows",
        f"{_MODEL}/model.py sharpened: 1.0 → 1.5": (
            "times one everything is itself, and no claim is exactly half as sharp again"
        ),
        f"{_MODEL}/model.py _within: value > most → value >= most": _BOUND,
        f"{_MODEL}/model.py _within: value > least → value >= least": _BOUND,
        f"{_MODEL}/integrity.py Integrity.penalty_at: at <= self.at → at < self.at": _NOW,
        f"{_MODEL}/state.py Model.record: foreseen or self._outlook_of(evidence) → "
        "self._outlook_of(evidence)": "spares computing again what was computed just before",
        f"{_MODEL}/state.py Model._learn: True → False": _ZIP,
        f"{_MODEL}/model.py combined: True → False": _ZIP,
        f"{_MODEL}/model.py observed: True → False": _ZIP,
        f"{_MODEL}/refit.py _Fit.without: True → False": _ZIP,
        **{
            f"{_MODEL}/refit.py _Fit.sweep: part is not None and at is not None → {fault}": (
                "both are None, or neither"
            )
            for fault in (
                "part is not None or at is not None",
                "at is not None",
                "part is not None",
            )
        },
        f"{_MODEL}/refit.py _Fit.path: True → False": _ZIP,
        f"{_MODEL}/refit.py _Fit.sweep: True → False": _ZIP,
        f"{_MODEL}/score.py mix_of: "
        f"authored[task.author] += count → authored[task.author] -= count": _SIGN,
        f"{_MODEL}/score.py spread: "
        f"shares[point.type] += point.weight → shares[point.type] -= point.weight": _SIGN,
        f"{_MODEL}/score.py _standing: worse < 0.0 → worse <= 0.0": "moved by nothing, it stays",
        f"{_MODEL}/state.py Tally: 0.0 → 1.0": "the first verdict puts its own there",
        f"{_MODEL}/state.py Model.sharpness: '' → 'x'": "a sharpness is the claim's, whoever asks",
        f"{_MODEL}/score.py mix_of: 1.0 → 1.5": "the one point has all the weight there is",
        f"{_MODEL}/state.py Tally.after: at > last → at >= last": "either is the same moment",
    },
)
