"""The databases and installations that integration tests use."""

from tests.integration.conftest import (
    alice,
    app,
    database_url,
    installation,
    postgres,
    postgres_url,
    sqlite_url,
)
from tests.security.tampering import attacker, copy, original, place

__all__ = [
    "alice", "app", "attacker", "copy", "database_url", "installation", "original", "place",
    "postgres", "postgres_url", "sqlite_url",
]  # fmt: skip
