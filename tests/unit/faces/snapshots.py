"""Each tool as it is listed, one file a tool: a change of what models read is a diff.

`python -m tests.unit.faces.snapshots` writes them anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from tmws.faces.mcp.tools import REGISTRY

FOLDER = Path(__file__).with_name("snapshots")


def taken(name: str) -> str:
    found = REGISTRY.find(name)
    assert found is not None
    listing = found.listing.model_dump(by_alias=True, exclude_none=True, mode="json")
    return json.dumps(listing, indent=2, ensure_ascii=False) + "\n"


def kept(name: str) -> str:
    return (FOLDER / f"{name}.json").read_text("utf-8")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.json"):
        old.unlink()
    for name in REGISTRY.names:
        (FOLDER / f"{name}.json").write_text(taken(name), "utf-8")


if __name__ == "__main__":
    main()
