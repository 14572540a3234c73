"""One run that is timed: becomes the script, or ends at once where none is named.

Started as `python -I timed_script.py HINT_FD [/workspace/SCRIPT.py]`; what an empty run
takes is thus exactly what a script's run takes before its first line.
"""

from __future__ import annotations

import os
import runpy
import sys

WORKSPACE = "/workspace"


def main() -> None:
    """Run the script; tell the hint's reader when a module is not there."""
    hint, *scripts = sys.argv[1:]
    os.set_inheritable(int(hint), False)
    paths = [path for path in (f"{WORKSPACE}/src", WORKSPACE) if os.path.isdir(path)]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:] = [entry for entry in sys.path if entry != "/opt/tmws"] + paths
    for script in scripts:
        sys.argv = [script]
        sys.path.insert(0, os.path.dirname(script))
        try:
            runpy.run_path(script, run_name="__main__")
        except ModuleNotFoundError as error:
            os.write(int(hint), str(error.name).partition(".")[0][:200].encode("utf-8", "replace"))
            raise


main()
