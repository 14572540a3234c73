"""Where a caller's word lies in the snapshot, as the absolute path inside the sandbox."""

from __future__ import annotations

from tmws.domain.errors import InvalidInput
from tmws.domain.grammar import WORKSPACE, shown
from tmws.domain.snapshots import Snapshot


def absolute(target: str) -> str:
    """Return the path inside the sandbox, which no program takes for an option."""
    return f"{WORKSPACE}/{target}"


def require_file(path: str, snapshot: Snapshot) -> None:
    """Refuse a path that is no file of the snapshot."""
    if snapshot.file(path) is None:
        raise absent(path, snapshot)


def absent(path: str, snapshot: Snapshot) -> InvalidInput:
    """Return the refusal of a path that the snapshot lacks, with what it has."""
    reason = next((why for left, why in snapshot.left_out if path == left), None)
    if reason is not None:
        return InvalidInput(f"{shown(path)} was left out of the snapshot: {reason}.")
    near = sorted({file.path.split("/")[0] for file in snapshot.files})[:8]
    message = (
        f"The workspace has no {shown(path)}. Name a file or folder of it, relative to its "
        f"root; at the top are: {', '.join(near) or 'no files'}."
    )
    return InvalidInput(message[:300])
