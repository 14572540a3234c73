"""The interpreter of a check, started before anybody knows which check it will be.

Started by PID 1 as `python -I starter.py` when the container is. It hears the command's
words, separated by NUL, and becomes the command: where that is `python -I SCRIPT ...`,
this is the interpreter that it asks for, and goes on with the script; any other command
takes its place. Nothing is imported that a fresh interpreter would not hold already, and
the script finds `__main__` as if it had been started by itself.
"""

import os
import sys

THIS_INTERPRETER = ["/opt/tmws/python", "-I"]
# Given by PID 1 beside the four that the command gets, and closed before it begins.
WORDS_FD, FAILURE_FD = 4, 5
HEARD = b"\0"
MAX_WORDS = 1000


def heard() -> list[str]:
    """Return the command, once PID 1 has told all of it, and say that it was heard."""
    parts = []
    while part := os.read(WORDS_FD, 65536):
        parts.append(part)
    os.close(WORDS_FD)
    if not parts:  # PID 1 is gone
        os._exit(0)
    os.write(FAILURE_FD, HEARD)
    return os.fsdecode(b"".join(parts)).split("\0")


def go_on(words: list[str]) -> None:
    """Run the script as this interpreter would have from its start."""
    path = words[2]
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    sys.argv, sys.orig_argv = words[2:], words
    names = globals()
    loader, builtins = type(names["__loader__"]), names["__builtins__"]
    begun, failure = os.close, FAILURE_FD
    names.clear()
    names |= {
        "__name__": "__main__",
        "__doc__": None,
        "__package__": None,
        "__loader__": loader("__main__", path),
        "__spec__": None,
        "__annotations__": {},
        "__builtins__": builtins,
        "__file__": path,
        "__cached__": None,
    }
    begun(failure)
    exec(code, names)  # noqa: S102  (what this is for)


def give_way(words: list[str]) -> None:
    """Let another program take this one's place, or say why it can't."""
    os.set_inheritable(FAILURE_FD, False)
    try:
        os.execve(words[0], words, os.environ)  # noqa: S606  (what this is for)
    except BaseException as error:
        os.write(FAILURE_FD, f"{words[0]}: {error}".encode(errors="replace")[:MAX_WORDS])
    os._exit(127)


def main() -> None:
    """Become the command."""
    words = heard()
    if words[:2] == THIS_INTERPRETER and len(words) > 2 and os.path.isfile(words[2]):
        go_on(words)
    else:
        give_way(words)


main()
