"""Who is let in: whose secret it is, who calls, who is shut out, and where a server answers."""

from __future__ import annotations

from tests.mutation.target import Target

_AGENTS = "src/tmws/services/agents.py"
_IDENTITY = "src/tmws/faces/mcp/identity.py"

_UNSEEN = "the id of a row that nobody is shown"
_ASKED = "a caller without a token is looked up and found to be nobody"

TARGET = Target(
    sources={
        _AGENTS: (
            *(
                f"Agents.{name}"
                for name in (
                    *("create", "rotate", "disable", "enable", "local", "authenticate", "bearer"),
                    *("require_enabled", "_holding", "_named", "_new", "_new_secret"),
                )
            ),
            *("_known", "_enabled", "_require_free"),
        ),
        "src/tmws/services/gate.py": (),
        "src/tmws/storage/agents.py": (
            *("", "add", "named", "disable", "enable", "disabled_name", "holding"),
            *("revoke_credentials", "_select"),
        ),
        _IDENTITY: (),
        "src/tmws/faces/mcp/endpoint.py": ("McpEndpoint.__call__", "_shut_out"),
        "src/tmws/faces/http/server.py": ("_allowed", "_is_loopback"),
        "src/tmws/domain/agents.py": ("require_name", "may_name"),
    },
    tests=(
        "tests/unit/domain/test_agents.py",
        "tests/integration/test_agents.py",
        "tests/integration/test_door.py",
        "tests/integration/test_disabled_agents.py",
        "tests/integration/test_switches.py",
        "tests/integration/test_acts_promised.py",
        "tests/integration/test_learning.py::test_sharing_with_nobody_known_keeps_nothing",
        *("-k", "not postgres and not over_http and not on_stdio and not command_line"),
    ),
    excused={
        f"{_AGENTS} Agents.create: 'credential' → 'credentialx'": _UNSEEN,
        f"{_AGENTS} Agents.rotate: 'credential' → 'credentialx'": _UNSEEN,
        f"{_AGENTS} Agents.disable: agent.disabled_because or told → agent.disabled_because": (
            "who was disabled has a reason, unless enabled in that moment"
        ),
        f"{_AGENTS} Agents.local: _require_free(await agents.named(tx, agent.name)) → pass": (
            "the store itself holds a name once, and says so in the same way"
        ),
        f"{_AGENTS} Agents.local: raise → pass": "who was first is there; no agent is ever deleted",
        f"{_AGENTS} Agents._new_secret: '=' → '=x'": (
            "the last sign of 32 bytes is one of sixteen, and x is none of them"
        ),
        f"{_IDENTITY} AgentUser.__init__: '' → 'x'": "stands for a token, and nothing reads it",
        f"{_IDENTITY} Bearer.authenticate: '' → 'x'": _ASKED,
        f"{_IDENTITY} Bearer.authenticate: scheme.lower() != 'bearer' or not token → "
        "scheme.lower() != 'bearer'": _ASKED,
        "src/tmws/faces/http/server.py _is_loopback: return False → return None": (
            "as false as the other"
        ),
    },
)
