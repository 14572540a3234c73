"""Undoing: from what an agent did and how things stand, to the steps that lead back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from tmws.domain.agents import AccessLevel
from tmws.domain.patterns import Pattern
from tmws.domain.versions import Version


class StepKind(StrEnum):
    """What a step does, in the order in which the steps of a pattern are taken."""

    RESTORE = "restore"
    REMOVE = "remove"
    REVISE = "revise"
    LEVEL = "level"
    REVOKE = "revoke"
    GRANT = "grant"
    USES = "uses"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to revert.

    Attributes:
        now, then: how it stands, and how it stood before that time.
        refused: why it cannot be reverted; None when it can.
        agents: ids, for `grant` and `revoke`.
        version: to go back to, for `revise`.
        uses: ids, for `uses`.
    """

    pattern_id: str
    name: str
    kind: StepKind
    now: str
    then: str
    refused: str | None = None
    agents: tuple[str, ...] = ()
    level: AccessLevel | None = None
    version: Version | None = None
    uses: tuple[str, ...] = ()

    @property
    def renames(self) -> bool:
        """Whether the pattern gets another name than it has."""
        return self.version is not None and self.version.content.name != self.name

    @property
    def takes_a_name(self) -> bool:
        """Whether the name it has then must be free."""
        return self.kind is StepKind.RESTORE or self.renames

    @property
    def gives_up_its_name(self) -> bool:
        """Whether others can have the name that the pattern has now."""
        return not self.refused and (self.kind is StepKind.REMOVE or self.renames)


@dataclass(frozen=True, slots=True)
class Done:
    """One act of the agent, as far as it can be undone.

    Attributes:
        kind: `granted`, `revoked`, `level`, `removed`, `restored` or `forgotten`.
    """

    kind: str
    agents: tuple[str, ...] = ()
    was: AccessLevel | None = None
    now: AccessLevel | None = None


def content_step(
    pattern: Pattern, versions: Sequence[Version], *, agent_id: str, since: datetime
) -> Step | None:
    """Return what takes the content back, None when it says the same as then.

    Args:
        versions: the newest first.
    """
    then = next(version for version in versions if version.written_at < since)
    newest = versions[0]
    if newest.content == then.content:
        return None
    others = {each.author for each in versions if each.number > then.number} - {
        each.author for each in versions if each.author_id == agent_id
    }
    refused = f"{sorted(others)[0]} revised it after that" if others else None
    return Step(
        pattern.id,
        pattern.name,
        StepKind.REVISE,
        f"version {newest.number}",
        f"version {then.number}",
        refused,
        version=then,
    )


def access_steps(
    pattern: Pattern, done: Sequence[Done], *, granted: Iterable[str], moderated: bool
) -> list[Step]:
    """Return what takes level, readers and removal back.

    Args:
        done: the agent's acts on this pattern since then, oldest first.
        granted: ids of the agents it is shared with.
        moderated: an administrator removed it.
    """
    steps = [
        _removal(pattern, done, moderated=moderated),
        _level(pattern, done),
        *_grants(pattern, done, frozenset(granted)),
    ]
    return [step for step in steps if step]


def _removal(pattern: Pattern, done: Sequence[Done], *, moderated: bool) -> Step | None:
    first = next((act.kind for act in done if act.kind in {"removed", "restored"}), None)
    removed = pattern.removed_at is not None
    if first == "removed" and removed:
        refused = "an administrator removed it" if moderated else None
        return Step(pattern.id, pattern.name, StepKind.RESTORE, "removed", "there", refused)
    if first == "restored" and not removed:
        return Step(pattern.id, pattern.name, StepKind.REMOVE, "there", "removed")
    return None


def _level(pattern: Pattern, done: Sequence[Done]) -> Step | None:
    changes = [act for act in done if act.kind == "level"]
    if not changes or pattern.level is changes[0].was:
        return None
    then = changes[0].was
    assert then is not None
    refused = None if pattern.level is changes[-1].now else "somebody changed the level after that"
    return Step(
        pattern.id, pattern.name, StepKind.LEVEL, pattern.level.value, then.value, refused,
        level=then,
    )  # fmt: skip


def _grants(pattern: Pattern, done: Sequence[Done], granted: frozenset[str]) -> list[Step]:
    first: dict[str, str] = {}
    for act in done:
        for agent in act.agents:
            first.setdefault(agent, act.kind)
    back = {
        StepKind.REVOKE: [a for a, kind in first.items() if kind == "granted" and a in granted],
        StepKind.GRANT: [a for a, kind in first.items() if kind == "revoked" and a not in granted],
    }
    told = {StepKind.REVOKE: ("shared", "not shared"), StepKind.GRANT: ("not shared", "shared")}
    return [
        Step(pattern.id, pattern.name, kind, *told[kind], agents=tuple(sorted(agents)))
        for kind, agents in back.items()
        if agents
    ]


def created_step(pattern: Pattern) -> Step | None:
    """Return what takes a new pattern back, None when it is removed already."""
    if pattern.removed_at is not None:
        return None
    return Step(pattern.id, pattern.name, StepKind.REMOVE, "there", "not learned yet")


def uses_steps(said: Mapping[str, Sequence[str]], names: Mapping[str, str]) -> list[Step]:
    """Return what takes reports back that nothing but the agent's word stands for."""
    return [
        Step(key, names.get(key, ""), StepKind.USES, f"{len(ids)} reported", "0", uses=tuple(ids))
        for key, ids in said.items()
    ]


def ordered(steps: Iterable[Step]) -> list[Step]:
    """Return the steps pattern by pattern, in an order in which each can be taken."""
    places = {kind: place for place, kind in enumerate(StepKind)}
    return sorted(steps, key=lambda step: (step.pattern_id, places[step.kind]))


def names_wanted(steps: Iterable[Step]) -> set[tuple[str, str]]:
    """Return pattern and name for every name that a pattern may get by these steps."""
    every = list(steps)
    again = {(step.pattern_id, step.name) for step in every if step.kind is StepKind.RESTORE}
    then = {
        (step.pattern_id, step.version.content.name)
        for step in every
        if step.version is not None and step.renames
    }
    return again | then


def with_free_names(
    steps: Sequence[Step], holders: Mapping[tuple[str, str], str]
) -> tuple[Step, ...]:
    """Refuse what would give a pattern a name that another one keeps.

    A name is free that the steps themselves free, in whatever order: who swaps the names of
    two patterns, or gives an old one's to a new one, keeps nobody from taking that back.

    Args:
        holders: which other pattern has a name now, by pattern and `names_wanted`.
    """
    while True:
        going = [step for step in steps if not step.refused]
        freed = {step.pattern_id for step in going if step.gives_up_its_name}
        names = {step.pattern_id: step.version.content.name for step in going if step.version}
        taken = {
            step.pattern_id: holder
            for step in going
            if step.takes_a_name
            and (holder := holders.get((step.pattern_id, names.get(step.pattern_id, step.name))))
            and holder not in freed
        }
        if not taken:
            return tuple(steps)
        steps = [_without_name(step, taken.get(step.pattern_id)) for step in steps]


def _without_name(step: Step, holder: str | None) -> Step:
    if holder is None or step.refused or not step.takes_a_name:
        return step
    return replace(step, refused=f"{holder} has its name now")
