"""The process that holds an embedded Chroma store: it alone may use the folder.

Chroma reads its graph in native code; a damaged file ends the process that reads it. So it
is this one that ends, not the server. It keeps a lock until it dies, and it dies with
whoever started it, because then its input ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def main() -> None:
    """Serve the folder named by the first argument until the input ends."""
    folder = Path(sys.argv[1])
    # Whatever native code prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(answer: Mapping[str, Any]) -> None:
        answers.write(json.dumps(answer) + "\n")
        answers.flush()

    with (folder / "owner").open("a+") as owner:
        try:
            fcntl.flock(owner, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner.seek(0)
            say({"owner": owner.read()})
            return
        owner.truncate(0)
        owner.write(str(os.getppid()))
        owner.flush()
        # It loads Chroma: seconds that whoever is refused the folder does not wait.
        from tmws.vectors.chroma_store import serve  # noqa: PLC0415

        serve(folder / "store", sys.stdin, say)


if __name__ == "__main__":
    main()
