"""Every relative link in the Markdown files leads somewhere.

Links inside the project are followed to the file and to the heading. Links to
the web are left alone: a check that needs the network fails for other people's
reasons.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from scripts.tracked import ROOT, tracked_files

FENCE = re.compile(r"^(?P<mark>```+|~~~+).*?^(?P=mark)`*\s*$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"\]\(\s*<?(?P<inline>[^)<>\s]+)>?[^)]*\)|^\[[^\]]+\]:\s*(?P<named>\S+)", re.M)
HEADING = re.compile(r"^#{1,6}\s+(?P<text>.+?)\s*#*\s*$", re.MULTILINE)
ANCHOR = re.compile(r"<a\s+(?:id|name)=\"(?P<name>[^\"]+)\"")
SCHEME = re.compile(r"^[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def blank(match: re.Match[str]) -> str:
    """Return the matched text as empty lines, so that line numbers stay true."""
    return "\n" * match[0].count("\n")


def slug(heading: str) -> str:
    """Return the anchor that the usual Markdown hosts give a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(text: str) -> set[str]:
    """Return every fragment a link to this text may carry."""
    names = {match["name"] for match in ANCHOR.finditer(text)}
    seen: dict[str, int] = {}
    for match in HEADING.finditer(FENCE.sub(blank, text)):
        name = slug(match["text"])
        repeats = seen.get(name, 0)
        seen[name] = repeats + 1
        names.add(f"{name}-{repeats}" if repeats else name)
    return names


def links(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and target of every link outside code."""
    prose = CODE.sub(blank, FENCE.sub(blank, text))
    for match in LINK.finditer(prose):
        yield prose.count("\n", 0, match.start()) + 1, match["inline"] or match["named"]


def fault(source: Path, target: str) -> str | None:
    """Return what is wrong with a link from `source`, or None when it leads somewhere."""
    if SCHEME.match(target):
        return None
    name, _, fragment = unquote(target).partition("#")
    if name.startswith("/"):
        return "an absolute path leads nowhere outside one machine"
    path = (ROOT / source.parent / name).resolve() if name else ROOT / source
    if not path.is_relative_to(ROOT) or not path.exists():
        return "no such file"
    if fragment and path.suffix == ".md" and fragment not in anchors(path.read_text("utf-8")):
        return "no such heading"
    return None


def main() -> int:
    """Print every dead link; return how the process ends."""
    dead = 0
    for source in tracked_files("*.md"):
        for line, target in links((ROOT / source).read_text("utf-8")):
            if reason := fault(source, target):
                print(f"{source}:{line}: dead link {target}: {reason}", file=sys.stderr)
                dead += 1
    if not dead:
        print("links      ok")
    return 1 if dead else 0


if __name__ == "__main__":
    sys.exit(main())
