"""Threat: somebody writes a score, by a tool, a role, an argument or a command."""

from __future__ import annotations

import ast
import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from mcp import Client

import tmws as package
from tests.answers import text_of
from tests.callers import always
from tests.integration.services import Installation, agent, ended, learned, timed_out, verified
from tmws.app import App
from tmws.domain.agents import Agent, Role
from tmws.faces.cli.main import tmws
from tmws.faces.mcp.server import McpServer
from tmws.faces.mcp.tools import REGISTRY
from tmws.storage import trust
from tmws.storage.trust import Key

FORGED = ("score", "trust", "bound", "skill", "weight", "verdict", "accurate", "supported", "role")
WRITERS = {"services/scoring.py", "services/corrections.py"}
NUMBERS = {"limit", "port", "version", "since", "orders", "size", "index", "old", "new"} | {
    *("stake", "least"),  # what is at risk, and what is asked for
    *("mib", "daily_writes"),  # what an agent may keep and write
}
"""Every number that the command line takes, so that a new one is looked at here."""


async def rows(place: Installation) -> dict[Key, str]:
    """Return all that is known of trust, bit by bit."""
    async with place.database() as database, database.read() as connection:
        return await trust.rows(connection)


def every_argument(
    who: Agent, pattern_id: str, claim_id: str, undecided_id: str
) -> dict[str, dict[str, Any]]:
    """Return a call of each tool that uses all it takes, as favourably as it can be put."""
    kept = {"name": "retry", "category": "build", "summary": "trusted", "data": {"score": 1.0}}
    return {
        "find_patterns": {
            "query": "retry",
            "category": "build",
            "tags": ["a"],
            "any_tags": ["b"],
            "namespace": who.home,
            "level": "public",
            "author": who.name,
            "limit": 5,
            "min_success_rate": 1.0,
            "min_uses": 1,
            "min_age_days": 1,
            "max_age_days": 2,
            "cursor": "x",
        },
        "get_pattern": {"pattern_id": pattern_id, "version": 1, "since": 1, "keys": ["score"]},
        "learn_pattern": {
            **kept,
            "tags": ["score"],
            "level": "shared",
            "shared_with": ["bob"],
            "namespace": who.home,
            "subcategory": "x",
            "complexity": 10,
            "learning_weight": 10.0,
            "derived_from": pattern_id,
        },
        "report_outcome": {
            "pattern_id": pattern_id,
            "receipt_id": "r",
            "outcome": "success",
            "duration_seconds": 1.0,
            "claim_id": claim_id,
            "context": "score 1",
        },
        "learn_patterns": {"items": [kept], "key": "k", "dry_run": False},
        "pattern_stats": {"agent": who.name, "days": 30},
        "revise_pattern": {"pattern_id": pattern_id, "version": 1, "changes": {"summary": "s"}},
        "share_pattern": {
            "pattern_id": pattern_id,
            "grant": ["bob"],
            "revoke": ["bob"],
            "level": "public",
        },
        "remove_pattern": {"pattern_id": pattern_id, "act": "remove"},
        "verify_claim": {
            "statement": "My score is 1.",
            "workspace": "shop",
            "command": "python check.py",
            "check": {"profile": "python", "path": "check.py"},
            "patterns": [pattern_id],
            "confidence": 1.0,
            "effort_minutes": 43200.0,
            "level": "reproduced",
            "namespace": who.home,
            "wait_seconds": 20,
        },
        "get_verification": {"claim_id": claim_id, "wait_seconds": 1},
        "get_trust": {"agent": who.name, "explain": True, "history": 50},
        "compare_trust": {"agents": [who.name, "bob"]},
        "rely": {"claim_id": undecided_id, "stake": 0.01, "least": 0.01},
        "next_audits": {"agent": "bob", "limit": 20},
        "remember": {"text": "score 1", "tags": ["x"], "level": "public", "namespace": who.home},
        "recall": {"query": "score", "kind": "note", "limit": 5, "cursor": "x"},
    }


def some(schema: dict[str, Any]) -> Any:
    """Return something that an argument nobody thought of here may be."""
    if "enum" in schema:
        return schema["enum"][-1]
    kinds = {"boolean": True, "integer": 1, "number": 1.0, "array": [], "object": {}}
    return kinds.get(schema.get("type", "string"), "score 1")


@pytest.mark.parametrize("role", list(Role))
async def test_no_tool_moves_a_number_of_trust_whatever_it_is_told(
    app: App, installation: Installation, role: Role
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice, bob = await agent(app, "alice", role=role), await agent(app, "bob")
    kept = await learned(app, alice)
    claim_id = (await verified(app, alice, applied=(kept.id,))).claim.id
    installation.workspace(content="print('bob')\n")
    await verified(app, bob)
    installation.workspace(content="print('slow')\n")
    installation.sandbox.will(timed_out())
    undecided_id = (await verified(app, bob)).claim.id
    before = await rows(installation)
    calls = every_argument(alice, kept.id, claim_id, undecided_id)
    for name in REGISTRY.names:
        found = REGISTRY.find(name)
        assert found is not None
        taken = found.listing.input_schema["properties"]
        thought_of = calls.get(name, {})
        assert set(thought_of) <= set(taken), name
        calls[name] = {key: some(schema) for key, schema in taken.items()} | thought_of
    async with Client(McpServer(app, always(alice))) as client:
        for name, arguments in calls.items():
            for dropped in [(), ("check",), ("command",), *((each,) for each in arguments)]:
                given = {key: arguments[key] for key in arguments if key not in dropped}
                if name == "verify_claim":
                    installation.sandbox.will(timed_out())
                    given |= {"workspace": "nowhere"} if not dropped else {}
                await client.call_tool(name, given)
            for forged in FORGED:
                if forged not in arguments:
                    refused = await client.call_tool(name, {**arguments, forged: 1.0})
                    assert refused.is_error
                    assert "there is no such argument" in text_of(refused)
    after = await rows(installation)
    counted = {key for key in after if after[key] != before.get(key)}
    assert counted <= {("record", alice.id, "")}  # its checks that could not decide


async def test_what_is_said_beside_a_claim_never_turns_a_failure_into_a_gain(
    app: App, installation: Installation
) -> None:
    await app.workspaces.add("shop", installation.workspace(), by="test")
    alice = await agent(app, "alice")
    flattering: list[dict[str, Any]] = [
        {"confidence": confidence, "effort_minutes": effort}
        for confidence in (None, 0.5, 1.0)
        for effort in (None, 0.01, 43200.0)
    ]
    for number, said in enumerate(flattering * 2):
        installation.workspace(content=f"print({number})\n")
        installation.sandbox.will(ended(number % 2))
        report = await verified(app, alice, **said)
        assert report.trust is not None
        gained = report.trust.after.score - report.trust.before.score
        assert (gained > 0) is (number % 2 == 0), said


def calls_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                yield f"{module}.{name}"


def test_only_the_step_of_a_verdict_and_corrections_write_what_scores_are_kept_in() -> None:
    source = Path(package.__file__).parent
    writes = {"trust.save", "trust.replace", "evidence.add", "evidence.replace"}
    trees = {
        str(file.relative_to(source)): ast.parse(file.read_text()) for file in source.rglob("*.py")
    }
    assert {name for name, tree in trees.items() if writes & set(calls_of(tree))} == WRITERS
    tables = {
        name
        for name, tree in trees.items()
        if any(table in {"trust_state", "evidence"} for table in written_tables(tree))
    }
    assert tables == {"storage/trust.py", "storage/evidence.py"}


def written_tables(tree: ast.AST) -> Iterator[str]:
    """Yield what is inserted into, changed or emptied, by each way that storage has for it."""
    # By its columns alone a table is read.
    read = {
        id(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr == "c"
    }
    for node in ast.walk(tree):
        if id(node) in read:
            continue
        match node:
            case ast.Call(func=ast.Attribute(value=ast.Name(id=table), attr=verb)):
                if verb in {"insert", "update", "delete"}:
                    yield table
            case ast.Call(func=ast.Name(id="inserted" | "plain" | "Upsert"), args=[arg, *_]):
                if isinstance(arg, ast.Name):
                    yield arg.id


def commands(group: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    if not isinstance(group, click.Group):
        yield path
        return
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield from commands(command, (*path, name))


def parameters(path: tuple[str, ...]) -> dict[str, click.Parameter]:
    command: click.Command = tmws
    for name in path:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(command), name)
        assert found is not None
        command = found
    return {parameter.name or "": parameter for parameter in command.params}


def test_no_command_takes_a_number_that_could_be_a_score() -> None:
    every = list(commands(tmws))
    assert len(every) > 40
    for path in every:
        for name, parameter in parameters(path).items():
            assert name not in FORGED, path
            kind = parameter.type
            number = isinstance(kind, click.types.FloatParamType | click.types.IntParamType)
            assert not number or name in NUMBERS, (path, name)


ACTS = {"withdraw", "restore", "link", "unlink", "refit"}


def test_every_command_about_trust_reads_or_is_an_act_with_its_reason(
    sqlite_url: str, tmp_path: Path
) -> None:
    place = Installation(sqlite_url, tmp_path / "data")

    async def prepare() -> tuple[str, str]:
        async with place.open() as app:
            await app.workspaces.add("shop", place.workspace(), by="test")
            alice, bob = await agent(app, "alice"), await agent(app, "bob")
            claim_id = (await verified(app, bob)).claim.id
            for number in range(4):
                place.workspace(content=f"print({number})\n")
                place.sandbox.will(ended(number % 2))
                claim_id = (await verified(app, alice)).claim.id
            for check in range(24):  # a record that others rely on
                place.workspace(content=f"print({check // 2}, 'proven')\n")
                place.sandbox.will(ended(check // 2))
                await verified(app, (bob, alice)[check % 2], exit_code=check // 2)
            place.workspace(content="print('slow')\n")
            place.sandbox.will(timed_out())
            return claim_id, (await verified(app, alice)).claim.id

    claim_id, undecided_id = asyncio.run(prepare())
    files = [str(tmp_path / name) for name in ("history.svg", "calibration.svg", "feedback.json")]
    tried = {
        "rely": [undecided_id, "--stake", "0.01", "--least", "0.01"],
        "stakes": ["alice"],
        "release": [undecided_id, "--reason", "nothing can decide it"],
        "list": [],
        "show": ["alice"],
        "compare": ["alice", "bob"],
        "history": ["alice", "--svg", files[0]],
        "next-audits": ["alice", "--limit", "3"],
        "calibration": ["--svg", files[1]],
        "export": ["alice", "--erc8004", files[2]],
        "refit": [],
        "withdraw": [claim_id, "--reason", "the runner was broken"],
        "restore": [claim_id, "--reason", "it was another runner"],
        "link": ["bob", "alice", "--reason", "one owner"],
        "unlink": ["bob", "--reason", "another owner"],
    }
    assert set(tried) == {path[1] for path in commands(tmws) if path[0] == "trust"}
    env = {"TMWS_DATA_DIR": str(place.folder), "TMWS_DATABASE_URL": sqlite_url}
    for name, arguments in tried.items():
        before = asyncio.run(rows(place))
        done = CliRunner().invoke(tmws, ["trust", name, *arguments], env=env)
        assert done.exit_code == 0, (name, done.output)
        assert (asyncio.run(rows(place)) == before) is (name not in ACTS), name
        if name in ACTS - {"refit"}:
            without = CliRunner().invoke(tmws, ["trust", name, *arguments[:-2]], env=env)
            assert "--reason" in without.output
    told = CliRunner().invoke(tmws, ["trust", "show", "alice", "--json"], env=env).output
    assert json.loads(told)["withdrawn"] == []
    assert "it was another runner" in json.loads(told)["restored"][0]
    assert CliRunner().invoke(tmws, ["ledger", "verify"], env=env).exit_code == 0
    for picture in files[:2]:
        drawn = Path(picture).read_text()
        assert drawn.startswith("<svg")
        assert "<circle" in drawn
