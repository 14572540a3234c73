"""Why an administrator does something: as many words for one act as for any other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.integration.services import Installation, agent, verified
from tests.integration.trust_seen import ledger_size
from tmws.app import App
from tmws.domain.errors import InvalidInput, ToolDisabled
from tmws.domain.wording import LONGEST_REASON
from tmws.faces.mcp.errors import refusal
from tmws.services.memory import MemoryQuery

ACTS: dict[str, Callable[[App, str, str], Awaitable[object]]] = {
    "disable": lambda app, why, _: app.agents.disable("alice", reason=why, by="ann"),
    "enable": lambda app, why, _: app.agents.enable("alice", reason=why, by="ann"),
    "withdraw": lambda app, why, claim: app.corrections.withdraw(claim, reason=why, by="ann"),
    "restore": lambda app, why, claim: app.corrections.restore(claim, reason=why, by="ann"),
    "link": lambda app, why, _: app.corrections.link("bob", "alice", reason=why, by="ann"),
    "unlink": lambda app, why, _: app.corrections.unlink("bob", reason=why, by="ann"),
    "switch off": lambda app, why, _: app.tools.disable("recall", reason=why, by="ann"),
    "switch on": lambda app, why, _: app.tools.enable("recall", reason=why, by="ann"),
    "remove": lambda app, why, _: app.workspaces.remove("shop", reason=why, by="ann"),
}
"""In an order in which each finds what it is about."""


async def test_every_act_takes_the_longest_reason_and_none_a_longer_one(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice, _ = await agent(app, "alice"), await agent(app, "bob")
    claim_id = (await verified(app, alice)).claim.id
    for act in ACTS.values():
        before = await ledger_size(app)
        for reason, said in (
            ("x" * (LONGEST_REASON + 1), "Reason has 501 characters; the limit is 500"),
            (" ", "Reason is empty"),
            ("two\nlines", r"Reason holds U\+000A"),
        ):
            with pytest.raises(InvalidInput, match=said):
                await act(app, reason, claim_id)
        assert await ledger_size(app) == before
        await act(app, "x" * LONGEST_REASON, claim_id)
        assert await ledger_size(app) == before + 1
    assert (await app.audit.verify()).holds


async def test_the_longest_reason_leaves_room_for_what_to_do_without_the_tool(
    app: App,
) -> None:
    alice = await agent(app, "alice")
    await app.tools.disable("recall", reason="x" * LONGEST_REASON, by="ann")
    with pytest.raises(ToolDisabled) as refused:
        await app.memory.recall(alice, MemoryQuery())
    [told] = refusal(refused.value).content
    assert "Do not retry; go on without it. Why it is off: xxx" in str(told)
