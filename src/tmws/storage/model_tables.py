"""The table of models; `storage.tables` offers it with all others."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.storage.columns import Moment, metadata

# Which model serves an arm of search, and which one is to take its place once it has read all.
serving = sa.Table(
    "serving",
    metadata,
    sa.Column("arm", sa.String(16), primary_key=True),
    sa.Column("stage", sa.String(16), primary_key=True),
    sa.Column("embedder", sa.String(64), nullable=False),
    sa.Column("backend", sa.String(64), nullable=False),
    sa.Column("model", sa.String(64)),
    sa.Column("dimension", sa.Integer),
    sa.Column("since", Moment, nullable=False),
)
