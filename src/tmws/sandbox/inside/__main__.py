"""Make every attempt and report each finding; the last line's name is `end`.

Arguments: bytes of memory and number of processes that the run is allowed. Each
finding is one JSON line `[name, held, observed]` on file descriptor 3.
"""

from __future__ import annotations

import sys

from tmws.sandbox.inside import files, kernel, network, resources
from tmws.sandbox.inside.findings import in_child, report


def main(memory_bytes: int, processes: int) -> None:
    """Try all; what would change this process is tried in a child of its own."""
    for group in (network, kernel, files):
        for name, attempt in group.attempts().items():
            report(f"{group.__name__.rpartition('.')[2]}: {name}", *in_child(attempt))
    for name, attempt in resources.attempts(memory_bytes, processes).items():
        report(f"resources: {name}", *attempt())
    report("end", True, "")


main(int(sys.argv[1]), int(sys.argv[2]))
