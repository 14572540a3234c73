"""What every table is made with: the metadata they stand in, and how a time is stored."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.engine import Dialect

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

DAY_MICROSECONDS = 86_400_000_000

LEDGER_INDEX = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
"""SQLite's INTEGER is the row's own number: no index of keys beside the rows."""


def microseconds(at: datetime) -> int:
    """Return the time since 1970 UTC; a naive one is refused rather than guessed at."""
    return (at - _EPOCH) // _MICROSECOND


def moment(stored: int) -> datetime:
    """Return the time, in UTC, that is stored as this number."""
    return _EPOCH + stored * _MICROSECOND


class Moment(sa.types.TypeDecorator[datetime]):
    """A point in time as microseconds since 1970 UTC: exact and sortable on both dialects."""

    impl = sa.BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002
        """Return the number that is stored."""
        return None if value is None else microseconds(value)

    def process_result_value(
        self,
        value: int | None,
        dialect: Dialect,  # noqa: ARG002
    ) -> datetime | None:
        """Return the time in UTC."""
        return None if value is None else moment(value)


metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
