"""Who acts, where, and who may see what they leave behind."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from tmws.domain.errors import InvalidInput, NotFound, PermissionDenied

DEFAULT_NAMESPACE = "default"
LOCAL_AGENT_NAME = "local"

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_RESERVED = frozenset({"system", "admin", "tmws", "all", "everyone", "me", "self", "unknown"})


class Role(StrEnum):
    """What an agent may do beyond its own things; admin acts are never tools."""

    AGENT = "agent"
    ADMIN = "admin"


class AccessLevel(StrEnum):
    """Who may read a pattern or memory besides its owner.

    `private`: nobody. `shared`: the agents it was granted to. `public`: every member
    of its namespace. `system`: every agent of the installation; admins write it.
    """

    PRIVATE = "private"
    SHARED = "shared"
    PUBLIC = "public"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Agent:
    """A known caller.

    Attributes:
        name: unique, shown to others.
        namespaces: where it reads and writes; the first is its home.
        disabled_because: why an administrator shut it out, for administrators; None: it may act.
    """

    id: str
    name: str
    role: Role
    namespaces: tuple[str, ...]
    created_at: datetime
    disabled_because: str | None = None

    @property
    def home(self) -> str:
        return self.namespaces[0]


@dataclass(frozen=True, slots=True)
class Administrator:
    """Whoever owns the store, at its command line; sees everything, writes no pattern.

    Attributes:
        name: the user of this machine, for the ledger.
    """

    name: str


Reader = Agent | Administrator
"""Who looks: an agent sees what it may, an administrator all that there is."""


def require_name(value: str, *, what: str) -> str:
    """Return `value` if it can name an agent, a namespace or a workspace.

    Raises:
        InvalidInput: it has another form, or is a reserved word.
    """
    if not may_name(value):
        raise InvalidInput(
            f"{what} {value[:64]!r} is refused: use 1 to 64 of a-z, 0-9, '.', '_', '-', "
            "beginning and ending with a letter or digit."
        )
    if value in _RESERVED:
        raise InvalidInput(f"{what} {value!r} is a reserved word. Choose another name.")
    return value


def may_name(value: str) -> bool:
    """Say whether anything can be called by this name."""
    return _NAME.fullmatch(value) is not None


def require_open(agent: Agent, namespace: str, held: Collection[str]) -> None:
    """Return if the namespace is among those that hold something for the agent.

    Raises:
        NotFound: it is not; a closed and an absent namespace look alike.
    """
    if namespace not in held:
        raise NotFound(
            f"No namespace {namespace[:64]!r} holds anything that you may read. Yours: "
            f"{', '.join(agent.namespaces)}. Leave it out to look into all that you may."
        )


def shut_out(name: str) -> PermissionDenied:
    """Return what an agent is told that an administrator disabled: all but why."""
    return PermissionDenied(
        f"Agent {name!r} was disabled by an administrator. Nothing was done; do not retry. Ask the "
        "administrator of this installation, who alone can enable it again."
    )


def require_member(agent: Agent, namespace: str) -> str:
    """Return `namespace` if the agent belongs to it.

    Raises:
        NotFound: it does not; a foreign and an absent namespace look alike.
    """
    if namespace not in agent.namespaces:
        raise NotFound(
            f"Namespace {namespace[:64]!r} is not one of yours: {', '.join(agent.namespaces)}. "
            "Leave it out to use the first, or ask an admin for membership."
        )
    return namespace
