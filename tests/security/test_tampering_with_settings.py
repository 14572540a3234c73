"""What administrators set is found where it was changed beside the ledger."""

from __future__ import annotations

import pytest

from tests.integration.services import Installation, agent
from tests.security.tampering import Attacker, Original, audited, said
from tests.security.test_tampering_beside import named
from tmws.domain.claims import Level
from tmws.domain.environments import environment
from tmws.domain.quotas import Allowed

SECRET = "ab" * 32
LOCK = "six==1.17.0 --hash=sha256:" + SECRET + "\n"
WEB = environment("web", LOCK, ["pytest_six"])
QUESTIONS = b'{"call": "shop:add", "cases": [{"arguments": [1, 2], "returns": 3}]}'


@pytest.mark.parametrize(
    ("statement", "index", "what"),
    [
        ("UPDATE agents SET role = 'admin' WHERE name = 'bob'", 2, "agent agent_"),
        ("UPDATE agents SET role = 'root' WHERE name = 'bob'", 2, "agent agent_"),
        ("UPDATE agents SET name = 'carol' WHERE name = 'alice'", 1, "agent agent_"),
        ("UPDATE memberships SET position = -1 WHERE namespace = 'lab'", 7, "agent agent_"),
        ("DELETE FROM memberships WHERE namespace = 'lab'", 7, "agent agent_"),
        (
            "INSERT INTO memberships (agent_id, namespace, position) "
            "SELECT id, 'lab', 1 FROM agents WHERE name = 'bob'",
            2,
            "agent agent_",
        ),
        (
            "UPDATE credentials SET secret_sha256 = :secret WHERE agent_id = "
            "(SELECT id FROM agents WHERE name = 'bob') AND revoked_at IS NULL",
            8,
            "secret of agent_",
        ),
        ("UPDATE credentials SET revoked_at = NULL", 8, "secret of agent_"),
        ("UPDATE credentials SET revoked_at = created_at", 1, "secret of agent_"),
        (
            "INSERT INTO credentials (id, agent_id, secret_sha256, created_at) "
            "SELECT 'credential_0', id, :secret, created_at FROM agents WHERE name = 'alice'",
            1,
            "secret of agent_",
        ),
        ("UPDATE workspaces SET root = '/' WHERE name = 'shop'", 0, "workspace shop"),
        ("UPDATE workspace_environments SET workspace = 'shop'", 11, "environment of spare"),
        ("UPDATE environments SET lock = 'x==1'", 10, "environment web"),
        ("UPDATE environments SET digest = :secret", 10, "environment web"),
        ("UPDATE environments SET plugins = '[\"evil\"]'", 10, "environment web"),
        ("UPDATE environments SET plugins = 'x'", 10, "environment web"),
        (
            "UPDATE workspace_environments SET environment = NULL",
            11,
            "environment of spare",
        ),
        ("UPDATE namespaces SET least_level = NULL", 12, "least level of lab"),
        ("UPDATE namespaces SET least_level = 'any' WHERE name = 'lab'", 12, "least level of lab"),
        ("DELETE FROM switches", 13, "switched-off tool recall"),
        ("UPDATE switches SET reason = 'x'", 13, "switched-off tool recall"),
        ("UPDATE trusted SET workspace = 'spare'", 14, "held check sums"),
        (
            "UPDATE trusted SET digest = (SELECT evidence_digest FROM claims WHERE id = :refuted)",
            14,
            "held check sums",
        ),
        ("UPDATE trusted SET kind = 'checker'", 14, "held check sums"),
        ("DELETE FROM trusted", 14, "held check sums"),
        ("UPDATE workspaces SET removed_at = NULL", 17, "workspace old"),
        ("UPDATE workspaces SET removed_at = 1 WHERE name = 'spare'", 9, "workspace spare"),
        (
            "UPDATE agents SET disabled_because = NULL WHERE name = 'lena'",
            15,
            "disabled agent agent_",
        ),
        (
            "UPDATE agents SET disabled_because = 'x' WHERE name = 'lena'",
            15,
            "disabled agent agent_",
        ),
        ("UPDATE quotas SET allowed_mib = 1048576", 18, "quota of agent_"),
        ("UPDATE quotas SET allowed_mib = NULL", 18, "quota of agent_"),
        ("UPDATE quotas SET allowed_daily_writes = 500", 18, "quota of agent_"),
    ],
    ids=named,
)
async def test_what_an_administrator_set_and_another_changed_is_found_at_its_entry(
    attacker: Attacker, original: Original, statement: str, index: int, what: str
) -> None:
    await administered(attacker.place)
    assert (await audited(attacker.place)).holds
    await attacker.does(statement, secret=SECRET, refuted=original.claims[1])
    report = said(await audited(attacker.place))
    assert f"{index}: The {what}" in report
    assert f"was changed beside the ledger: not what entry {index} says." in report


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        (
            "INSERT INTO agents (id, name, role, created_at) VALUES ('agent_0', 'eve', 'admin', 0)",
            "agent agent_0",
        ),
        ("INSERT INTO workspaces (name, root, created_at) VALUES ('all', '/', 0)", "workspace all"),
        ("UPDATE namespaces SET least_level = 'observed'", "least level of default"),
        (
            "INSERT INTO switches (tool, reason, disabled_at) VALUES ('recall', 'x', 0)",
            "switched-off tool recall",
        ),
        (
            "INSERT INTO agents (id, name, role, created_at, disabled_because) "
            "VALUES ('agent_0', 'eve', 'agent', 0, 'x')",
            "disabled agent agent_0",
        ),
        (
            "INSERT INTO trusted (kind, name, workspace, source, digest, created_at) "
            "SELECT 'ref', 'mine', 'shop', 'here', evidence_digest, 0 FROM claims "
            "WHERE id = :claim",
            "trusted ref mine",
        ),
    ],
    ids=named,
)
async def test_what_stands_and_no_entry_tells_of_is_found(
    attacker: Attacker, original: Original, statement: str, what: str
) -> None:
    await attacker.does(statement, claim=original.claims[0])
    told = f"None: The {what} was changed beside the ledger: no entry tells of it."
    assert told in said(await audited(attacker.place))


async def test_what_was_taken_back_leaves_nothing_to_be_found(copy: Installation) -> None:
    """Setting and unsetting in every order adds up to what stands."""
    await administered(copy)
    async with copy.open() as app:
        await app.tools.enable("recall", reason="well", by="ann")
        await app.held_checks.remove("sums", by="ann")
        await app.levels.require("lab", None, by="ann")
        await app.workspaces.choose_environment("spare", None, by="ann")
        await app.environments.remove("web", by="ann")
        await app.agents.rotate("bob", by="ann")
        await app.agents.enable("lena", reason="well", by="ann")
        await app.workspaces.add("spare", copy.workspace("third"), replace=True, by="ann")
        await app.workspaces.add("old", copy.workspace("old"), by="ann")
        await app.workspaces.remove("spare", reason="sold", by="ann")
        await app.agents.local()
        report = await app.audit.verify()
    assert report.holds, said(report)


async def administered(place: Installation) -> None:
    """Let an administrator set one thing of each kind; the entries follow the first seven."""
    async with place.open() as app:
        await agent(app, "lena", "home", "lab")
        await app.agents.rotate("bob", by="ann")
        await app.workspaces.add("spare", place.workspace("spare"), by="ann")
        await app.environments.add(WEB, LOCK, by="ann")
        await app.workspaces.choose_environment("spare", "web", by="ann")
        await app.levels.require("lab", Level.PINNED, by="ann")
        await app.tools.disable("recall", reason="maintenance", by="ann")
        await app.held_checks.add("sums", "shop", QUESTIONS, source="sums.json", by="ann")
        await app.agents.disable("lena", reason="misbehaves", by="ann")
        await app.workspaces.add("old", place.workspace("old"), by="ann")
        await app.workspaces.remove("old", reason="sold", by="ann")
        await app.agents.allow("lena", Allowed(mib=64), reason="keeps books", by="ann")
