"""What the acts of administrators add up to: what should stand in the database, by the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tmws.domain.canonical import Json

Fact = tuple[str, str]
"""A kind of thing, and its name."""
Fields = Mapping[str, Json]
Acts = Sequence[tuple[Fact, Fields | None]]


@dataclass(frozen=True, slots=True)
class Told:
    """What an entry says of a thing; `fields` None: that it is there no longer."""

    index: int
    fields: Fields | None


@dataclass(slots=True)
class Register:
    """What stands after the entries so far, each thing by the last entry that told of it."""

    told: dict[Fact, Told] = field(default_factory=dict)
    erased: dict[str, int] = field(default_factory=dict)
    """The last entry about a kind of thing whose payload is gone."""

    def take(self, index: int, kind: str, payload: Mapping[str, Any]) -> None:
        """Follow an entry; one of another kind changes nothing.

        Raises:
            KeyError: it lacks what entries of its kind tell.
        """
        if kind not in _READ:
            return
        acts = _READ[kind](payload)
        if not acts:  # as entries of an earlier version: what stands nobody knows
            self.miss(index, kind)
        for fact, fields in acts:
            self.told[fact] = Told(index, fields)

    def miss(self, index: int, kind: str) -> None:
        """Pass an entry whose payload was erased: what it told nobody knows."""
        for about in _ABOUT.get(kind, ()):
            self.erased[about] = index

    def differences(self, stored: Mapping[Fact, Fields]) -> Iterator[tuple[Fact, int | None]]:
        """Yield what stands otherwise than told, with the entry that told of it, if one did."""
        for fact in sorted(self.told.keys() | stored.keys()):
            told = self.told.get(fact)
            index = None if told is None else told.index
            if self.erased.get(fact[0], -1) > (-1 if index is None else index):
                continue  # what was erased may have said so
            if not _agree(None if told is None else told.fields, stored.get(fact)):
                yield fact, index


def _agree(told: Fields | None, stored: Fields | None) -> bool:
    if told is None or stored is None:
        return told is stored
    return all(stored.get(name) == value for name, value in told.items())


def _some(payload: Mapping[str, Any], *names: str) -> Fields:
    """Return these of an entry: the first ones told less."""
    return {name: payload[name] for name in names if name in payload}


def _agent(told: Mapping[str, Any]) -> Acts:
    return [
        (("agent", told["agent"]), _some(told, "name", "role", "namespaces")),
        *_secret(told),
    ]


def _secret(told: Mapping[str, Any]) -> Acts:
    return [(("secret of", told["agent"]), _some(told, "secret_sha256"))]


def _shut_out(told: Mapping[str, Any]) -> Acts:
    return [(("disabled agent", told["agent"]), {"reason": told["reason"]})]


def _quota(told: Mapping[str, Any]) -> Acts:
    bounds = {name: told[name] for name in ("mib", "daily_writes")}
    plain = all(value is None for value in bounds.values())
    return [(("quota of", told["agent"]), None if plain else bounds)]


def _workspace(told: Mapping[str, Any]) -> Acts:
    return [(("workspace", told["workspace"]), {"root": told["root"]})]


def _environment(told: Mapping[str, Any]) -> Acts:
    kept = _some(told, "digest", "plugins")
    return [(("environment", told["environment"]), kept)]


def _chosen(told: Mapping[str, Any]) -> Acts:
    name = told["environment"]
    chosen = None if name is None else {"environment": name}
    return [(("environment of", told["workspace"]), chosen)]


def _least_level(told: Mapping[str, Any]) -> Acts:
    level = told["level"]
    return [(("least level of", told["namespace"]), None if level is None else {"level": level})]


def _off(told: Mapping[str, Any]) -> Acts:
    return [(("switched-off tool", told["tool"]), {"reason": told["reason"]})]


def _stakes(told: Mapping[str, Any]) -> Acts:
    return [
        (("stake", f"of {each['by']} on {each['claim']}"), _some(each, "stake", "draw", "since"))
        for each in told.get("stands", ())
    ]


def _registered(what: str, name: str) -> Callable[[Mapping[str, Any]], Acts]:
    return lambda told: [((what, told[name]), _some(told, "workspace", "source", "sha256"))]


def _gone(what: str, name: str) -> Callable[[Mapping[str, Any]], Acts]:
    return lambda told: [((what, told[name]), None)]


_READ: dict[str, Callable[[Mapping[str, Any]], Acts]] = {
    "agent_created": _agent,
    "secret_rotated": _secret,
    "agent_disabled": _shut_out,
    "agent_enabled": _gone("disabled agent", "agent"),
    "quota_set": _quota,
    "workspace_registered": _workspace,
    "workspace_removed": _gone("workspace", "workspace"),
    "environment_added": _environment,
    "environment_removed": _gone("environment", "environment"),
    "environment_chosen": _chosen,
    "least_level_set": _least_level,
    "tool_disabled": _off,
    "tool_enabled": _gone("switched-off tool", "tool"),
    "trusted_ref_registered": _registered("trusted ref", "ref"),
    "trusted_ref_removed": _gone("trusted ref", "ref"),
    "held_check_registered": _registered("held check", "check"),
    "held_check_removed": _gone("held check", "check"),
    "checker_registered": _registered("checker", "checker"),
    "checker_removed": _gone("checker", "checker"),
    "reliance_answered": _stakes,
    "reliance_released": _stakes,
}
_ABOUT = {
    "agent_created": ("agent", "secret of"),
    "secret_rotated": ("secret of",),
    "agent_disabled": ("disabled agent",),
    "agent_enabled": ("disabled agent",),
    "quota_set": ("quota of",),
    "workspace_registered": ("workspace",),
    "workspace_removed": ("workspace",),
    "environment_added": ("environment",),
    "environment_removed": ("environment",),
    "environment_chosen": ("environment of",),
    "least_level_set": ("least level of",),
    "tool_disabled": ("switched-off tool",),
    "tool_enabled": ("switched-off tool",),
    "trusted_ref_registered": ("trusted ref",),
    "trusted_ref_removed": ("trusted ref",),
    "held_check_registered": ("held check",),
    "held_check_removed": ("held check",),
    "checker_registered": ("checker",),
    "checker_removed": ("checker",),
    "reliance_answered": ("stake",),
    "reliance_released": ("stake",),
}
"""The kinds of things that an entry of a kind tells of."""
