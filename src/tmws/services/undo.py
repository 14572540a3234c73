"""Undo: what an agent wrote from a time on is shown, and taken back in one transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from tmws.domain import events
from tmws.domain.agents import AccessLevel, Administrator, Agent
from tmws.domain.errors import Conflict, NotFound
from tmws.domain.patterns import Pattern
from tmws.domain.quotas import need_of_version
from tmws.domain.undoing import (
    Done,
    Step,
    StepKind,
    access_steps,
    content_step,
    created_step,
    names_wanted,
    ordered,
    uses_steps,
    with_free_names,
)
from tmws.domain.versions import Version
from tmws.services.acts import Acts, Recording
from tmws.services.counting import count_again
from tmws.services.search import Search
from tmws.storage import (
    agents,
    documents,
    lifecycle,
    patterns,
    quotas,
    trials,
    usage,
    uses,
    versions,
)
from tmws.storage.database import Database, Transaction
from tmws.storage.documents import Document
from tmws.storage.lifecycle import Act, ActKind
from tmws.storage.prepared import Execute, at_once


@dataclass(frozen=True, slots=True)
class Plan:
    """What undoing would do; `steps` that are refused are left as they are."""

    agent: Agent
    since: datetime
    steps: tuple[Step, ...]


class Undo:
    """Takes back what an agent wrote. For the administrator."""

    def __init__(self, database: Database, acts: Acts, search: Search) -> None:
        self._database = database
        self._acts = acts
        self._search = search

    async def plan(self, agent_name: str, since: datetime, *, with_uses: bool) -> Plan:
        """Return what would be taken back.

        Args:
            with_uses: reports too that no claim proves.

        Raises:
            NotFound: no agent has this name.
        """
        async with self._database.read() as connection:
            return await _plan(connection, agent_name, since, with_uses=with_uses)

    async def apply(self, plan: Plan, *, by: Administrator) -> Plan:
        """Take all of it back, in one transaction; return the plan as it was carried out.

        Raises:
            Conflict: things changed since the plan was made. Nothing was taken back.
        """
        found = await self._findable(plan)
        with_uses = any(step.kind is StepKind.USES for step in plan.steps)
        async with self._acts.transaction() as acts:
            await _settled(acts, plan)
            # In the order of whoever reports: what a task came to, then what it was done with.
            if with_uses:
                await trials.take_back(acts.tx, plan.agent.id, plan.since)
            await usage.lock_all(acts.tx, {step.pattern_id for step in plan.steps})
            now = await _plan(acts.tx, plan.agent.name, plan.since, with_uses=with_uses)
            if now != plan:
                raise Conflict(
                    "Somebody changed these patterns meanwhile. Nothing was taken back; look at "
                    "the new plan.",
                    retryable=True,
                )
            taken = [step for step in plan.steps if not step.refused]
            event = events.patterns_undone(
                plan.agent.id,
                plan.since,
                steps=len(taken),
                uses=sum(len(step.uses) for step in taken),
                by=by.name,
                at=acts.at,
            )
            await acts.append(event)
            # What goes first gives its name up; what changes its name then waits without one.
            for step in taken:
                if step.kind is StepKind.REMOVE:
                    await _take(acts, by, step, None)
            await lifecycle.unname(acts.tx, [step.pattern_id for step in taken if step.renames])
            for step in taken:
                if step.kind is not StepKind.REMOVE:
                    await _take(acts, by, step, found.get(step.pattern_id))
        return plan

    async def _findable(self, plan: Plan) -> dict[str, Document]:
        """Prepare before the transaction what will be found again, or by other words."""
        changed = [step for step in plan.steps if step.kind in {StepKind.RESTORE, StepKind.REVISE}]
        async with self._database.read() as connection:
            stored = await patterns.any_state(connection, [step.pattern_id for step in changed])
        found = {}
        for step in changed:
            seen = stored.get(step.pattern_id)
            if seen is None:
                continue
            if step.version and not step.refused:
                seen = stored[seen.id] = _with(seen, step.version, seen.version + 1)
            found[seen.id] = await self._search.of_pattern(seen)
        return found


async def _plan(
    connection: Transaction, agent_name: str, since: datetime, *, with_uses: bool
) -> Plan:
    agent = await agents.named(connection, agent_name)
    if agent is None:
        raise NotFound(f"No agent is named {agent_name[:64]!r}. See: tmws agents list.")
    written = await lifecycle.written_since(connection, agent.id, since)
    done = await lifecycle.acts_since(connection, agent.id, since)
    said = await uses.said_since(connection, agent.id, since) if with_uses else {}
    stored = await patterns.any_state(connection, [*written, *done, *said])
    steps: list[Step | None] = []
    for key, pattern in stored.items():
        if written.get(key):
            steps.append(created_step(pattern))
            continue
        if key in written:
            every = await versions.every(connection, pattern)
            steps.append(content_step(pattern, every, agent_id=agent.id, since=since))
        if key in done:
            steps += await _access(connection, pattern, done[key])
    steps += uses_steps(said, {key: pattern.name for key, pattern in stored.items()})
    found = ordered(step for step in steps if step)
    return Plan(agent, since, with_free_names(found, await _holders(connection, found, stored)))


async def _access(connection: Transaction, pattern: Pattern, done: Sequence[Act]) -> list[Step]:
    removed = pattern.removed_at is not None
    return access_steps(
        pattern,
        [_done(act) for act in done],
        granted=(await lifecycle.granted(connection, pattern.id)).values(),
        moderated=removed and await lifecycle.was_moderated(connection, pattern.id),
    )


async def _holders(
    connection: Transaction, steps: Sequence[Step], stored: Mapping[str, Pattern]
) -> dict[tuple[str, str], str]:
    """Return which other pattern has each name that one may get by these steps."""
    restored = {step.pattern_id for step in steps if step.kind is StepKind.RESTORE}
    found = {}
    for key, name in sorted(names_wanted(steps)):
        pattern = stored[key]
        if pattern.removed_at is not None and key not in restored:
            continue  # it stays removed, and needs none
        holder = await at_once(connection, partial(_holder, pattern=pattern, name=name))
        if holder not in {None, key}:
            found[key, name] = holder
    return found


async def _settled(acts: Recording, plan: Plan) -> None:
    """Give the agent its day back, and let count for owners what they keep afterwards.

    Before anything is locked, as writers do.
    """
    await quotas.give_back_writes(acts.tx, plan.agent.id, at=acts.at)
    more: Counter[str] = Counter()
    for step in plan.steps:
        if step.refused or step.kind not in {StepKind.REMOVE, StepKind.REVISE}:
            continue
        weight = await quotas.weigh(acts.tx, step.pattern_id)
        if weight is None or not weight.counts:
            continue
        if step.version is None:
            more[weight.owner_id] -= weight.stored_bytes
        else:
            more[weight.owner_id] += need_of_version(step.version.content).stored_bytes
    for owner_id in sorted(more):
        await quotas.add(acts.tx, owner_id, more[owner_id])


def _holder(run: Execute, pattern: Pattern, name: str) -> str | None:
    return patterns.id_of(run, namespace=pattern.namespace, owner_id=pattern.owner_id, name=name)


def _done(act: Act) -> Done:
    told: Mapping[str, Any] = act.detail
    return Done(
        act.kind.value,
        agents=tuple(told.get("agents", ())),
        was=AccessLevel(told["was"]) if "was" in told else None,
        now=AccessLevel(told["now"]) if "now" in told else None,
    )


async def _take(acts: Recording, by: Administrator, step: Step, document: Document | None) -> None:
    tx, key = acts.tx, step.pattern_id
    match step.kind:
        case StepKind.REMOVE:
            await lifecycle.remove(tx, key, at=acts.at)
            await documents.remove(tx, key)
            await usage.expect_anew(tx, key)
            await acts.add(by, key, ActKind.REMOVED)
        case StepKind.RESTORE:
            assert document is not None
            await lifecycle.remove(tx, key, at=None)
            await documents.replace(tx, document)
            await usage.expect_anew(tx, key)
            await acts.add(by, key, ActKind.RESTORED)
        case StepKind.REVISE:
            assert document is not None
            await _revise(acts, by, step, document)
        case StepKind.LEVEL:
            assert step.level is not None
            await lifecycle.relevel(tx, key, step.level)
            await documents.relevel(tx, key, step.level)
            await usage.expect_anew(tx, key)
            await acts.add(by, key, ActKind.LEVEL, {"was": step.now, "now": step.then})
        case StepKind.REVOKE:
            await lifecycle.revoke(tx, key, step.agents)
            await acts.add(by, key, ActKind.REVOKED, {"agents": list(step.agents)})
        case StepKind.GRANT:
            await lifecycle.grant(tx, key, step.agents)
            await acts.add(by, key, ActKind.GRANTED, {"agents": list(step.agents)})
        case StepKind.USES:
            await uses.take_back(tx, key, step.uses)
            await count_again(tx, key)


async def _revise(acts: Recording, by: Administrator, step: Step, document: Document) -> None:
    """Write what an earlier version said as the newest, in the name of who wrote that."""
    assert step.version is not None
    stored = (await patterns.any_state(acts.tx, [step.pattern_id]))[step.pattern_id]
    before = replace(stored, name=step.name)
    after = _with(before, step.version, before.version + 1)
    again = replace(versions.newest_of(after), written_at=acts.at)
    await versions.add(acts.tx, before, again)
    if before.removed_at is None:
        await documents.replace(acts.tx, replace(document, level=before.level))
    await acts.append(events.pattern_revised(before.id, after.version, by=by.name, at=acts.at))


def _with(pattern: Pattern, then: Version, number: int) -> Pattern:
    content = then.content
    return replace(
        pattern,
        version=number,
        name=content.name,
        category=content.category,
        subcategory=content.subcategory,
        summary=content.summary,
        data=content.data,
        tags=content.tags,
        complexity=content.complexity,
        learning_weight=content.learning_weight,
        author_id=then.author_id,
        author=then.author,
        author_trust=then.author_trust,
    )
