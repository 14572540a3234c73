"""Honest claims on a few real projects come out right; `python -m tests.projects` has them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.projects.claims import CLAIMS, FALSE, TRUE
from tests.projects.deciding import decided

pytestmark = pytest.mark.anyio

# Small ones: a package of the runner, one with a fuzzer that exits, one that lacks packages.
PROJECTS = ("h11", "iniconfig", "mccabe", "sniffio", "sortedcontainers")


async def test_claims_about_real_projects_come_out_right(tmp_path: Path) -> None:
    chosen = [
        claim for claim in CLAIMS if claim.project in PROJECTS and "coverage" not in claim.line
    ]
    assert {claim.right for claim in chosen} > {TRUE, FALSE}

    wrong = [
        (each.claimed.name, each.judgement)
        async for each in decided(chosen, tmp_path)
        if not each.is_right
    ]

    assert wrong == []


def test_at_least_thirty_claims_are_tried_true_and_false_ones() -> None:
    rights = [claim.right for claim in CLAIMS]

    assert min(rights.count(TRUE), rights.count(FALSE)) >= 15
    assert len({claim.project for claim in CLAIMS}) >= 12
