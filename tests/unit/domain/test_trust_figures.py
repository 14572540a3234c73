"""The same log gives the same numbers as long as the model has the same version."""

from __future__ import annotations

import json

import pytest

from tests.unit.domain.trust_figures import FILE, figures
from tmws.domain.canonical import Json


def differences(found: Json, told: Json, where: str = "") -> list[str]:
    """Return the places at which two documents differ by more than rounding."""
    if isinstance(found, dict) and isinstance(told, dict) and found.keys() == told.keys():
        pairs = [(found[key], told[key], f"{where}/{key}") for key in found]
    elif isinstance(found, list) and isinstance(told, list) and len(found) == len(told):
        pairs = [(a, b, f"{where}/{n}") for n, (a, b) in enumerate(zip(found, told, strict=True))]
    elif isinstance(found, float) and isinstance(told, int | float):
        return [] if found == pytest.approx(told, rel=1e-9, abs=1e-12) else [where]
    else:
        return [] if found == told else [where]
    return [place for a, b, at in pairs for place in differences(a, b, at)]


def test_the_same_log_gives_the_numbers_that_this_version_always_gave() -> None:
    told = json.loads(FILE.read_text(encoding="utf-8"))
    assert not differences(figures(), told), (
        "These numbers changed. Give VERSION in domain/trust/model.py another name, so that "
        "stores compute theirs anew, and run: python -m tests.unit.domain.trust_figures"
    )


def test_the_numbers_are_of_a_log_in_which_everything_happens() -> None:
    told = json.loads(FILE.read_text(encoding="utf-8"))
    alarms = [record[-1] for record in told["records"].values()]
    assert max(alarms) > 0
    assert told["integrity"][3] > 0
    assert any(history and history[-1][-1] is False for history in told["histories"].values())
    assert "agent4" not in told["records"]
