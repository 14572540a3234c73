"""No tool tells a stranger of what is private, not even by how it refuses.

Everything is asked in two installations: of what is there and hidden, and of what is not there at
all. The answers of the tools, to the letter, must be the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import mcp_types as wire
import pytest
from mcp import Client

from tests.callers import always
from tests.integration.services import Installation, agent, learned, pattern, verified
from tmws.app import App
from tmws.domain.agents import Agent
from tmws.domain.memories import MemoryDraft
from tmws.domain.usage import UseOutcome
from tmws.faces.mcp.server import McpServer
from tmws.faces.mcp.tools import REGISTRY
from tmws.services.learning import PatternQuery
from tmws.services.outcomes import OutcomeReport


@dataclass(frozen=True)
class Names:
    """What a question names: things that are hidden, or that do not exist."""

    word: str
    pattern: str
    removed: str
    claim: str
    receipt: str
    note: str


ABSENT = Names(
    word="mirage-7f3a92",
    pattern="pattern_" + "0" * 26,
    removed="pattern_" + "1" * 26,
    claim="claim_" + "0" * 26,
    receipt="receipt_" + "0" * 26,
    note="memory_" + "0" * 26,
)
WORD = "canary-7f3a91"

Question = tuple[str, dict[str, Any]]


def questions(about: Names) -> list[Question]:
    """Return calls of every tool that name these things wherever something can be named."""
    word, key = about.word, about.pattern
    check = {"profile": "python", "script": "check.py", "exit_code": 0}
    statement = {"statement": "It ends well.", "workspace": "shop", "check": check}
    draft = {"name": "mine", "category": "build"}
    by_id: list[Question] = [
        ("get_pattern", {}),
        ("get_pattern", {"version": 1}),
        ("get_pattern", {"version": 9}),
        ("get_pattern", {"since": 1}),
        ("get_pattern", {"keys": [word]}),
        ("revise_pattern", {"version": 1, "changes": {"summary": "x"}}),
        ("share_pattern", {"grant": ["spy"]}),
        ("share_pattern", {"level": "public"}),
        ("remove_pattern", {"act": "remove"}),
        ("remove_pattern", {"act": "restore"}),
        ("remove_pattern", {"act": "forget"}),
        ("report_outcome", {"outcome": "failure"}),
    ]
    found: list[dict[str, Any]] = [
        {"query": word},
        {"query": f"about {word} and more"},
        {"category": word},
        {"tags": [word]},
        {"any_tags": [word]},
        {"author": word},
        {"namespace": word},
        {"min_uses": 1},
        {"author": "owner", "max_age_days": 1.0},
        {"level": "private", "limit": 50},
    ]
    return [
        *(
            (tool, {"pattern_id": each, **more})
            for each in (key, about.removed)
            for tool, more in by_id
        ),
        *(("find_patterns", wanted) for wanted in found),
        # Of a grave matter nothing is tried out, so that chance has no part in the answer.
        ("recommend_patterns", {"task": word, "severity": "high"}),
        ("recommend_patterns", {"task": "x", "error": word, "files": [word], "severity": "high"}),
        ("recommend_patterns", {"task": word, "namespace": word, "severity": "high"}),
        ("remove_pattern", {"pattern_id": about.note, "act": "forget"}),
        ("pattern_stats", {}),
        ("pattern_stats", {"agent": "owner"}),
        ("pattern_stats", {"agent": word}),
        ("recall", {"query": word}),
        ("recall", {"query": "It ends well"}),
        ("recall", {}),
        ("report_outcome", {"outcome": "success", "receipt_id": about.receipt}),
        ("report_outcome", {"outcome": "success", "receipt_id": about.receipt, "pattern_id": key}),
        ("report_outcome", {"outcome": "success", "claim_id": about.claim, "pattern_id": key}),
        ("get_verification", {"claim_id": about.claim}),
        ("rely", {"claim_id": about.claim, "stake": 0.5}),
        ("rely", {"claim_id": about.claim, "stake": 0}),
        ("verify_claim", statement | {"patterns": [key]}),
        ("get_trust", {"agent": word}),
        ("get_trust", {"agent": "owner", "explain": True, "history": 50}),
        ("compare_trust", {"agents": ["spy", word]}),
        ("next_audits", {"agent": word}),
        ("learn_pattern", draft | {"derived_from": key}),
        ("learn_patterns", {"items": [draft | {"derived_from": key}], "dry_run": True}),
        ("learn_patterns", {"items": [draft | {"name": word, "category": word}]}),
        ("remember", {"text": f"about {word}"}),
        ("recall", {"query": word}),
        ("find_patterns", {"query": word}),
    ]


async def agents(app: App, installation: Installation, namespace: str) -> tuple[Agent, Agent]:
    """Create an owner, who had a claim checked, and a spy."""
    await app.workspaces.add("shop", installation.workspace(), by="test")
    return await agent(app, "owner", "team"), await agent(app, "spy", namespace)


async def planted(app: App, owner: Agent) -> Names:
    """Put a word wherever words can stand, out of the sight of all but one."""
    draft = pattern(WORD, category=WORD, summary=WORD, tags=(WORD,), data={WORD: WORD})
    living = await app.learning.learn(owner, draft)
    removed = await learned(app, owner, f"{WORD} removed", summary=WORD, level="public")
    await app.removal.remove(owner, removed.id)
    note = await app.memory.remember(owner, MemoryDraft(WORD, tags=(WORD,)))
    await app.outcomes.report(owner, OutcomeReport(living.id, UseOutcome.SUCCESS, context=WORD))
    page = await app.learning.find(owner, PatternQuery(WORD))
    assert page.receipt_id is not None
    made = await verified(app, owner, applied=(living.id,))
    return Names(WORD, living.id, removed.id, made.claim.id, page.receipt_id, note.id)


async def answer(client: Client, question: Question) -> str:
    """Return all that an answer says, ids and times of the moment left out.

    Left out is also how long the ledger is: it counts every act, whoever's, and says so.
    """
    tool, arguments = question
    result = await client.call_tool(tool, arguments)
    told = f"{result.is_error} " + "".join(
        block.text for block in result.content if isinstance(block, wire.TextContent)
    )
    told = re.sub(r"\b[a-z]+_[0-9a-z]{26}\b", "ID", told)
    told = re.sub(r'(?<="ledger_index":)\d+', "…", told)
    return re.sub(r"\b[0-9a-f]{64}\b|\d{4}-\d\d-\d\dT[\d:.]+Z?|(?<=\d\.)\d{3,}", "…", told)


async def answers(app: App, spy: Agent, about: Names) -> list[tuple[Question, str]]:
    async with Client(McpServer(app, always(spy), REGISTRY)) as client:
        return [
            (question, (await answer(client, question)).replace(about.word, "WORD"))
            for question in questions(about)
        ]


@pytest.mark.parametrize("namespace", ["elsewhere", "team"])
async def test_hidden_and_absent_get_the_same_answers_of_every_tool(
    app: App, installation: Installation, tmp_path: Path, namespace: str
) -> None:
    control = Installation(f"sqlite:///{tmp_path}/control.db", tmp_path / "control")
    async with control.open() as empty:
        owner, spy = await agents(empty, control, namespace)
        made = await verified(empty, owner)
        # Who works in the namespace may read the claim, but not what it says was applied.
        claim = made.claim.id if namespace == "team" else ABSENT.claim
        absent = await answers(empty, spy, replace(ABSENT, claim=claim))
    owner, spy = await agents(app, installation, namespace)
    hidden = await answers(app, spy, await planted(app, owner))
    for (question, told), (_, expected) in zip(hidden, absent, strict=True):
        assert told == expected, question


def test_every_tool_is_asked() -> None:
    assert {tool for tool, _ in questions(ABSENT)} == set(REGISTRY.names)
