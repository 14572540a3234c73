"""Which verdicts stand, said once, in SQL: a withdrawn one decides nothing."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.domain.claims import Verdict
from tmws.storage.prepared import plain
from tmws.storage.tables import evidence

_PLAIN = plain(evidence).c


def withdrawn(claim_id: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Return the condition that an administrator took the verdict of a claim back."""
    return sa.exists().where(_PLAIN.id == claim_id, _PLAIN.withdrawn.is_not(None))


def decided(claims: sa.FromClause) -> sa.ColumnElement[bool]:
    """Return the condition on `claims`, by any name, that a verdict stands that says something."""
    return sa.and_(
        claims.c.verdict != Verdict.INCONCLUSIVE.value,
        ~withdrawn(claims.c.id),
    )
