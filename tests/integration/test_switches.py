"""Switching tools off and on: in every process at once, on the record, before anything happens."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable

import pytest

from tests.integration.services import Installation, agent, claim, pattern, silent
from tmws.app import App
from tmws.domain.actions import Action
from tmws.domain.agents import AccessLevel, Agent
from tmws.domain.errors import InvalidInput, NotFound, ToolDisabled
from tmws.domain.memories import MemoryDraft
from tmws.domain.situations import Situation
from tmws.domain.usage import UseOutcome
from tmws.domain.versions import Revision
from tmws.services.analytics import StatsQuery
from tmws.services.learning import PatternQuery
from tmws.services.memory import MemoryQuery
from tmws.services.outcomes import CreditReport, OutcomeReport
from tmws.testing.clock import START

CALLS: dict[Action, Callable[[App, Agent], Awaitable[object]]] = {
    Action.LEARN_PATTERN: lambda app, who: app.learning.learn(who, pattern()),
    Action.FIND_PATTERNS: lambda app, who: app.learning.find(who, PatternQuery()),
    Action.RECOMMEND_PATTERNS: lambda app, who: app.recommendation.recommend(
        who, Situation("retry a build")
    ),
    Action.GET_PATTERN: lambda app, who: app.learning.get(who, "pattern_0"),
    Action.REPORT_OUTCOME: lambda app, who: app.outcomes.report(
        who, OutcomeReport("pattern_0", UseOutcome.SUCCESS)
    ),
    Action.LEARN_PATTERNS: lambda app, who: app.batches.learn(
        who, [pattern("in a batch")], progress=silent
    ),
    Action.REVISE_PATTERN: lambda app, who: app.revisions.revise(
        who, "pattern_0", Revision(name="x"), version=1
    ),
    Action.SHARE_PATTERN: lambda app, who: app.sharing.change(who, "pattern_0"),
    Action.REMOVE_PATTERN: lambda app, who: app.removal.remove(who, "pattern_0"),
    Action.PATTERN_STATS: lambda app, who: app.analytics.stats(who, StatsQuery()),
    Action.VERIFY_CLAIM: lambda app, who: app.verification.verify(who, claim(), progress=silent),
    Action.GET_VERIFICATION: lambda app, who: app.verification.get(who, "claim_0"),
    Action.GET_TRUST: lambda app, who: app.trust.show(who),
    Action.NEXT_AUDITS: lambda app, who: app.trust.next_audits(who, "nobody", limit=1),
    Action.RELY: lambda app, who: app.reliance.ask(who, "claim_0", stake=1.0, least=0.5),
    Action.COMPARE_TRUST: lambda app, who: app.trust.compare(who, ["alice", "bob"]),
    Action.REMEMBER: lambda app, who: app.memory.remember(who, MemoryDraft("x")),
    Action.RECALL: lambda app, who: app.memory.recall(who, MemoryQuery()),
}

OTHER_WAYS: list[tuple[Action, Callable[[App, Agent], Awaitable[object]]]] = [
    (Action.GET_PATTERN, lambda app, who: app.outcomes.by_owner(who, "pattern_0")),
    (Action.GET_PATTERN, lambda app, who: app.revisions.history(who, "pattern_0")),
    (Action.GET_PATTERN, lambda app, who: app.revisions.read(who, "pattern_0", at=START)),
    (Action.GET_PATTERN, lambda app, who: app.revisions.compare(who, "pattern_0")),
    (Action.GET_PATTERN, lambda app, who: app.sharing.shared_with(who, "pattern_0")),
    (Action.GET_TRUST, lambda app, who: app.trust.explain(who)),
    (Action.GET_TRUST, lambda app, who: app.trust.newest(who, limit=1)),
    (Action.LEARN_PATTERNS, lambda app, who: app.batches.check(who, [pattern("in a batch")])),
    (Action.RELY, lambda app, who: app.reliance.release(who, "claim_0")),
    (Action.REMOVE_PATTERN, lambda app, who: app.memory.forget(who, "memory_0")),
    (Action.REMOVE_PATTERN, lambda app, who: app.removal.forget(who, "pattern_0")),
    (Action.REMOVE_PATTERN, lambda app, who: app.removal.restore(who, "pattern_0")),
    (
        Action.REPORT_OUTCOME,
        lambda app, who: app.outcomes.credit(who, CreditReport("receipt_0", UseOutcome.SUCCESS)),
    ),
    (
        Action.SHARE_PATTERN,
        lambda app, who: app.sharing.relevel(who, "pattern_0", AccessLevel.PRIVATE),
    ),
]
"""What the same tools do beside, each by a function of its own."""


async def test_a_switch_closes_every_way_to_what_the_tool_does(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice = await agent(app, "alice")
    for action, call in OTHER_WAYS:
        await app.tools.disable(action.value, reason="until noon", by="ann")
        with pytest.raises(ToolDisabled, match=f"^{action.value} was switched off .*until noon"):
            await call(app, alice)
        await app.tools.enable(action.value, reason="done", by="ann")


async def test_every_action_has_its_gate_in_every_process(installation: Installation) -> None:
    assert set(CALLS) == set(Action)
    async with installation.open() as office, installation.open() as server:
        await server.workspaces.add("shop", installation.workspace(), by="test")
        alice = await agent(server, "alice")
        for action, call in CALLS.items():
            await office.tools.disable(action.value, reason="maintenance until noon", by="ann")
            with pytest.raises(ToolDisabled, match=f"{action.value} was switched off.*until noon"):
                await call(server, alice)
            assert await office.tools.enable(action.value, reason="done", by="ann")
            with contextlib.suppress(NotFound):  # the gate is open: it was looked for
                await call(server, alice)


async def test_a_switch_survives_a_restart(installation: Installation) -> None:
    async with installation.open() as app:
        await app.tools.disable("recall", reason="under repair", by="ann")
    async with installation.open() as app:
        assert await app.tools.disabled() == {"recall": "under repair"}


async def test_every_tool_is_listed_in_order_with_its_state(app: App) -> None:
    await app.tools.disable("recall", reason="under repair", by="ann")
    listed = await app.tools.every()
    assert [state.tool for state in listed] == [action.value for action in Action]
    assert [state.tool for state in listed if not state.enabled] == ["recall"]
    assert listed[-1].reason == "under repair"


async def test_one_tool_is_switched_on_and_others_stay_off(app: App) -> None:
    for tool in ("recall", "remember"):
        await app.tools.disable(tool, reason="under repair", by="ann")
    await app.tools.enable("recall", reason="done", by="ann")
    assert await app.tools.disabled() == {"remember": "under repair"}


async def test_a_newer_reason_replaces_the_older(app: App) -> None:
    await app.tools.disable("recall", reason="one", by="ann")
    await app.tools.disable("recall", reason="two", by="ann")
    assert await app.tools.disabled() == {"recall": "two"}


async def test_what_changes_nothing_is_not_recorded(app: App) -> None:
    await agent(app, "alice")
    before = (await app.audit.verify()).size
    assert await app.tools.enable("recall", reason="it was on", by="ann") is False
    assert (await app.audit.verify()).size == before
    await app.tools.disable("recall", reason="x", by="ann")
    assert await app.tools.enable("recall", reason="y", by="ann")
    after = await app.audit.verify()
    assert after.holds, after.problems
    assert after.size == before + 2


async def test_an_unknown_tool_is_refused_with_those_there_are(app: App) -> None:
    for act in (app.tools.disable, app.tools.enable):
        with pytest.raises(NotFound, match=r"no tool 'shell'.*verify_claim"):
            await act("shell", reason="x", by="ann")


@pytest.mark.parametrize("reason", ["", "x" * 501, "two\nlines"])
async def test_a_switch_needs_a_reason_that_can_be_shown(app: App, reason: str) -> None:
    with pytest.raises(InvalidInput, match="Reason"):
        await app.tools.disable("recall", reason=reason, by="ann")
    assert await app.tools.disabled() == {}
