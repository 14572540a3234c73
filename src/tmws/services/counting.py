"""The step that counts uses: in the pattern's statistics, its reporter's, and the prior."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from datetime import timedelta

from tmws.domain.usage import Usage
from tmws.storage import patterns, usage, uses
from tmws.storage.database import Transaction
from tmws.storage.prepared import Execute, at_once
from tmws.storage.uses import Use

_NEXT = timedelta(microseconds=1)


def count(run: Execute, reported: Sequence[Use]) -> dict[str, Usage]:
    """Store uses of different patterns and return the statistics that include them.

    Patterns are locked in the order of their ids, then the sums that all patterns of a level
    and an owner share, namespaces last, so that writers who count at once wait for each other
    in turn.

    Raises:
        InvalidInput: a duration breaks its rule.
    """
    ordered = sorted(reported, key=lambda use: use.pattern_id)
    locked = {use.pattern_id: usage.lock(run, use.pattern_id, use.agent_id) for use in ordered}
    ordered = [_after_the_last(use, locked[use.pattern_id].usage) for use in ordered]
    counted: dict[str, Usage] = {}
    for use in ordered:
        before = locked[use.pattern_id]
        after = _after(before.usage, use, before.own)
        usage.keep(run, use.pattern_id, after)
        own = _after(before.own or Usage(), use, before.own)
        usage.keep_own(run, use.pattern_id, use.agent_id, own)
        counted[use.pattern_id] = after
    ordered.sort(key=lambda use: locked[use.pattern_id].shared_sums)
    for use in ordered:
        uses.add(run, use)
    for use in ordered:
        before, after = locked[use.pattern_id], counted[use.pattern_id]
        uses.make_findable(run, use, namespace=before.namespace)
        # What only some may read must not move what everybody is shown.
        moves = before.level in usage.OPEN
        prior = usage.expect(
            run,
            before.namespace,
            good=(after.evidence_good - before.usage.evidence_good) * moves,
            bad=(after.evidence_bad - before.usage.evidence_bad) * moves,
        )
        counted[use.pattern_id] = dataclasses.replace(after, prior=prior)
    return counted


async def count_again(tx: Transaction, pattern_id: str) -> Usage:
    """Compute the statistics of a pattern anew from the uses that are left, and keep them."""
    overall, own = Usage(), dict[str, Usage]()
    namespace = await patterns.lock(tx, pattern_id)
    for use in await uses.of_pattern(tx, pattern_id):
        before = own.get(use.agent_id)
        overall = _after(overall, use, before)
        own[use.agent_id] = _after(before or Usage(), use, before)
    await usage.forget_own(tx, pattern_id)

    def keep(run: Execute) -> None:
        usage.keep(run, pattern_id, overall)
        for agent_id, counted in own.items():
            usage.keep_own(run, pattern_id, agent_id, counted)

    await at_once(tx, keep)
    assert namespace is not None
    await usage.expect_of(tx, namespace)
    return overall


def _after_the_last(use: Use, counted: Usage) -> Use:
    """Return the use at a time that lets history tell in which order uses were counted.

    Of two that come at once the earlier may wait for the later one's lock.
    """
    last = counted.last_used_at
    if last is None or use.at >= last:
        return use
    return dataclasses.replace(use, at=last + _NEXT)


def _after(before: Usage, use: Use, own: Usage | None) -> Usage:
    return before.after(
        use.outcome,
        duration_seconds=use.duration_seconds,
        proven=use.claim_id is not None,
        at=use.at,
        share=use.share,
        own=own,
    )
