"""The databases and installations that integration tests use."""

from tests.integration.conftest import (
    app,
    database_url,
    installation,
    postgres,
    postgres_url,
    sqlite_url,
)

__all__ = ["app", "database_url", "installation", "postgres", "postgres_url", "sqlite_url"]
