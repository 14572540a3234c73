"""Runs a Python tool that an administrator added, as `python -m MODULE` would.

Started as `python -I run_module.py MODULE WORD ...`. Nothing of the workspace is on the
path of imports. Ends with the tool's own status, or with 126 if the tool raised and 127
if it is not there: a traceback must not pass for a finding.
"""

from __future__ import annotations

import importlib.util
import os
import runpy
import sys
import traceback

sys.path.append("/opt/tmws")

from tmws_channel import ENVIRONMENT, OUR_FOLDER, TOOLS

CRASHED = 126
NOT_THERE = 127


def main() -> int:
    """Become the tool; what is returned is only for a tool that does not end by itself."""
    name = sys.argv[1]
    library = [entry for entry in sys.path if entry != OUR_FOLDER]
    sys.path[:] = [*library, ENVIRONMENT, TOOLS]
    # For what the tool starts itself.
    os.environ["PYTHONPATH"] = os.pathsep.join([ENVIRONMENT, TOOLS])
    if importlib.util.find_spec(name) is None:
        return NOT_THERE
    sys.argv = sys.argv[1:]
    try:
        runpy.run_module(name, run_name="__main__", alter_sys=True)
    except Exception:
        traceback.print_exc()
        return CRASHED
    return 0


sys.exit(main())
