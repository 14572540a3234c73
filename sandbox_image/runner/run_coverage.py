"""Runs pytest on the workspace and reports what of it the tests executed.

Started as `python -I run_coverage.py --source=/workspace/... [--branch] ...`, with what
`run_pytest.py` takes behind that.
"""

from __future__ import annotations

import os
import sys

sys.path.append("/opt/tmws")
sys.path.append("/opt/tools")

import run_pytest
from tmws_channel import WORKSPACE
from tmws_coverage import Measurement


def main() -> None:
    """Measure the source that is named while the tests that are named run."""
    words = sys.argv[1:]
    source = run_pytest.option("--source", words) or WORKSPACE
    os.chdir(WORKSPACE)
    run_pytest.run(words, Measurement(source, branch="--branch" in words))


main()
