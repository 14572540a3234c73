"""No file names a package registry or a path of somebody's machine.

Whoever installs TMWS decides where packages come from, and a path that exists
on one machine only is a bug on every other.
"""

from __future__ import annotations

import re
import sys

from scripts.tracked import ROOT, tracked_files

# Each pattern holds a character class, so that this file does not match itself.
ADDRESSES = re.compile(
    r"""
      py[p]i\.org | python[h]osted | np[m]js\.(org|com) | deb\.[d]ebian\.org
    | registry-1\.[d]ocker | index\.[d]ocker\.io | gh[c]r\.io | qu[a]y\.io
    | (?<![\w./$}-]) / (?: [r]oot | [w]ork | [f]arm | [U]sers/\w+ | [h]ome/(?!\$|<)\w+ ) /
    """,
    re.VERBOSE,
)


def main() -> int:
    """Print every address that is found; return how the process ends."""
    found = 0
    for path in tracked_files():
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), start=1):
            for match in ADDRESSES.finditer(line):
                print(f"{path}:{number}: address in a tracked file: {match[0]}", file=sys.stderr)
                found += 1
    if not found:
        print("addresses  none")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
