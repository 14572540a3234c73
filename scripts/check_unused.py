"""Nothing is here because it might be needed.

vulture finds what no other code names. What only tests use counts as unused:
a test of something that nobody calls keeps dead code alive. Fields, enum
members and attributes are data and pass; unused locals are the linter's job.
"""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

from vulture.core import Item, Vulture

from scripts.tracked import ROOT

SHIPPED = ["src", "scripts", "migrations", "sandbox_image"]
EXERCISED = ["tests"]

# Called by somebody else's code.
CALLED_BY_LIBRARIES = [
    *(
        "branch_labels",
        "depends_on",
        "down_revision",
        "downgrade",
        "revision",
        "upgrade",
    ),  # alembic
    *("cache_ok", "process_bind_param", "process_result_value"),  # SQLAlchemy
    *("_make_new_cursor", "_aenter_cursor", "_execute_async", "_executemany_async"),  # its adapters
    *("list_commands", "get_command", "format_commands"),  # click
    *("model_*", "settings_customise_sources"),  # pydantic
    *("capture_signals",),  # uvicorn
    *("pytestmark", "test_*", "pytest_*"),  # pytest
    *("get_code",),  # importlib
]

# Registered by being decorated.
REGISTERED = [
    "@*.callback", "@*.command*", "@*.group*", "@*.listens_for", "@*_validator", "@*_serializer",
    "@pytest.fixture", "@pytest.hookimpl",
]  # fmt: skip

# Offered to whoever writes a backend of his own, and used by our tests of ours.
OFFERED = "src/tmws/testing/"


def entry_points() -> list[str]:
    """Return the names that `pyproject.toml` gives to the outside."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    groups = [project["scripts"], *project["entry-points"].values()]
    return [target.rpartition(":")[2] for group in groups for target in group.values()]


def unused(paths: list[str]) -> list[Item]:
    """Return what no code below `paths` names."""
    names = [*CALLED_BY_LIBRARIES, *entry_points()]
    finder = Vulture(ignore_names=names, ignore_decorators=REGISTERED)
    finder.scavenge([str(ROOT / path) for path in paths if (ROOT / path).exists()])
    return [item for item in finder.get_unused_code(min_confidence=60) if is_code(item)]


def is_code(item: Item) -> bool:
    """Tell functions, classes, imports and module constants from fields and members."""
    if item.typ == "attribute":
        return False
    if item.typ != "variable":
        return True
    line = item.filename.read_text("utf-8").splitlines()[item.first_lineno - 1]
    return not line.startswith((" ", "\t"))


def place(item: Item) -> str:
    """Return where an item stands, from the root of the project."""
    return Path(item.filename).resolve().relative_to(ROOT).as_posix()


def for_tests(item: Item) -> bool:
    """Tell whether only tests, ours or a backend author's, are meant to use an item."""
    return place(item).startswith((OFFERED, "tests/"))


def main() -> int:
    """Print everything unused; return how the process ends."""
    shipped = [item for item in unused(SHIPPED) if not for_tests(item)]
    exercised = [item for item in unused(SHIPPED + EXERCISED) if for_tests(item)]
    for item in (*shipped, *exercised):
        print(f"{place(item)}:{item.first_lineno}: {item.message}", file=sys.stderr)
    if shipped or exercised:
        return 1
    print("unused     none")
    return 0


if __name__ == "__main__":
    sys.exit(main())
