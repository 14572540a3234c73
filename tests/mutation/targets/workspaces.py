"""Which folders are checked, by whose word, and that nothing else of the machine is read."""

from __future__ import annotations

from tests.mutation.target import Target

_SERVICE = "src/tmws/services/workspaces.py"
_STORAGE = "src/tmws/storage/workspaces.py"
_READER = "src/tmws/workspaces/directory.py"

_LOOKED = "whoever calls it has just looked whether the name is open"
_APART = "keeps two writers apart, which SQLite does by itself"
_SAME = "workspaces.c.name == name"

TARGET = Target(
    sources={
        _SERVICE: ("Workspaces.add", "Workspaces.remove"),
        _STORAGE: (),
        _READER: (),
    },
    tests=(
        "tests/unit/workspaces/test_directory.py",
        "tests/integration/test_agents.py::TestWorkspaces",
        "tests/integration/test_removed_workspaces.py",
        "tests/integration/test_acts_promised.py",
        *("-k", "not postgres and not the_command and not at_once"),
    ),
    excused={
        f"{_SERVICE} Workspaces.remove: "
        "known is None or not await workspaces.remove(tx, name, at=now) → "
        "not await workspaces.remove(tx, name, at=now)": "of what is not known nothing is removed",
        f"{_STORAGE} add: sa.select(workspaces.c.created_at).where({_SAME}, ~_OPEN) → "
        f"sa.select(workspaces.c.created_at).where({_SAME})": _LOOKED,
        f"{_STORAGE} add: workspaces.update().where({_SAME}, ~_OPEN) → "
        f"workspaces.update().where({_SAME})": _LOOKED,
        f"{_STORAGE} move: workspaces.update().where({_SAME}, _OPEN) → "
        f"workspaces.update().where({_SAME})": _LOOKED,
        f"{_STORAGE} remove: workspaces.update().where({_SAME}, _OPEN) → "
        f"workspaces.update().where({_SAME})": _APART,
        f"{_STORAGE} held: True → False": _APART,
        f"{_STORAGE} add: 1 → 2": "later by one microsecond or by two",
        f"{_READER} DirectoryReader._capture: '' → 'x' #2": (
            "told only once something changed, which takes its place"
        ),
        f"{_READER} _Copy._add_file: raise _Changed(path) → pass #2": (
            "the folder that holds it has changed as well, and is read again"
        ),
        f"{_READER} _Copy._add_file: len(content) != before.st_size or "
        "_identity(os.fstat(file)) != _identity(before) → "
        "_identity(os.fstat(file)) != _identity(before)": (
            "the status of a file tells its new length, too"
        ),
        f"{_READER} reason_of_name: 'CZ' → 'CZx'": "no category of characters begins with x",
        f"{_READER} _read: left and (part := os.read(file, min(left, MEBIBYTE))) → "
        "(part := os.read(file, min(left, MEBIBYTE)))": "to read no bytes ends it as well",
    },
)
