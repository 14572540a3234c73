"""How much one agent keeps and writes: what is counted, given back, allowed and refused."""

from __future__ import annotations

from tests.mutation.target import Target

_STORAGE = "src/tmws/storage/quotas.py"
_SUM = "sa.func.octet_length(table.c.summary) + sa.func.octet_length(table.c.data)"

TARGET = Target(
    sources={
        "src/tmws/domain/quotas.py": (),
        "src/tmws/services/quotas.py": (),
        "src/tmws/storage/quotas.py": (),
        "src/tmws/services/agents.py": ("Agents.allow",),
    },
    tests=(
        "tests/unit/domain/test_quotas.py",
        "tests/integration/test_quotas.py",
        "tests/integration/test_quotas_of_one.py",
        "tests/integration/test_quotas_of_writes.py",
        "tests/integration/test_acts_promised.py",
        "tests/integration/test_disabled_agents.py::"
        "test_a_call_that_was_let_in_before_writes_nothing_more",
        *("-k", "not postgres and not administrator_sees and not the_command"),
    ),
    excused={
        f"{_STORAGE} : sa.or_(links.c.agent_id == _AGENT, links.c.owner_id == _AGENT, "
        "links.c.owner_id == _OWNER) → "
        "sa.or_(links.c.owner_id == _AGENT, links.c.owner_id == _OWNER)": (
            "an agent's own link is one of those to its owner"
        ),
        f"{_STORAGE} : 0 → 1 #2": "the first microsecond of 1970, or the second",
        "src/tmws/domain/quotas.py ahead: 0 < found <= _DAY_MICROSECONDS → "
        "0 <= found <= _DAY_MICROSECONDS": "none is none",
        f"{_STORAGE} count: found and (not found.counts) → not found.counts": (
            "what is restored was found before; the question is the type checker's"
        ),
        "src/tmws/services/agents.py Agents.allow: await self._notary.turn(tx) → pass": (
            "keeps two writers in one order, which SQLite does by itself"
        ),
        **{
            f"{_STORAGE} _octets: {fault}": "PostgreSQL's alone, which is not tried here"
            for fault in (
                "'postgresql' → 'postgresqlx'",
                f"return {_SUM} → return None",
                f"{_SUM} → {_SUM.replace('+', '-')}",
            )
        },
    },
)
