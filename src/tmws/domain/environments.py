"""Packages that a project's checks need, named and locked by an administrator."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from tmws.domain.agents import require_name
from tmws.domain.canonical import digest, sha256_hex
from tmws.domain.errors import InvalidInput

MAX_LOCK_BYTES = 1024 * 1024
MOST_PLUGINS = 20

_REQUIREMENT = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(\[[A-Za-z0-9,._ -]+\])?\s*==\s*[A-Za-z0-9.!+_-]+"
    r"\s*(;[^\\]*?)?(\s+--hash=sha256:[0-9a-f]{64})+"
)
_PLUGIN = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)*")


@dataclass(frozen=True, slots=True)
class Environment:
    """A set of packages that checks of some workspaces run with.

    Attributes:
        digest: SHA-256 (hex) of lock and plugins; changes when either does.
        plugins: modules that pytest loads, in this order; no other is loaded by itself.
    """

    name: str
    digest: str
    plugins: tuple[str, ...] = ()


def environment(name: str, lock: str, plugins: Iterable[str] = ()) -> Environment:
    """Return the environment that this lock and these plugins make.

    Raises:
        InvalidInput: the name or a plugin is malformed, or the lock names anything but
            exact versions with SHA-256 hashes.
    """
    require_name(name, what="Environment name")
    loaded = tuple(dict.fromkeys(plugins))
    for plugin in loaded:
        if not _PLUGIN.fullmatch(plugin) or len(loaded) > MOST_PLUGINS:
            raise InvalidInput(
                f"The plugin {plugin[:40]!a} is not allowed. Give at most {MOST_PLUGINS} "
                "modules, such as pytest_asyncio."
            )
    requirements(lock)
    content = digest({"lock": sha256_hex(lock.encode()), "plugins": list(loaded)})
    return Environment(name, content, loaded)


def requirements(lock: str) -> tuple[str, ...]:
    """Return the names that a lock pins.

    Options, addresses, files and links are refused: they would let a lock choose where
    packages come from, or have code of theirs run while they are fetched.

    Raises:
        InvalidInput: naming the first line that is not `name==version --hash=sha256:...`.
    """
    if len(lock.encode()) > MAX_LOCK_BYTES:
        raise InvalidInput("The lock is longer than 1 MiB. Lock what the project needs only.")
    joined = re.sub(r"\\\n", " ", re.sub(r"(?m)(^|\s)#.*$", "", lock))
    lines = [line.strip() for line in joined.splitlines() if line.strip()]
    names = []
    for line in lines:
        matched = _REQUIREMENT.fullmatch(line)
        if matched is None:
            raise InvalidInput(
                f"The lock's line {line[:60]!a} is not allowed. Give 'name==version "
                "--hash=sha256:...' for every package, as 'pip-compile --generate-hashes' does."
            )
        names.append(matched["name"])
    if not names:
        raise InvalidInput("The lock names no package. Leave the environment out instead.")
    return tuple(names)
