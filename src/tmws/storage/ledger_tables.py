"""The tables of the ledger; `tables` names them beside all others."""

from __future__ import annotations

import sqlalchemy as sa

from tmws.storage.columns import LEDGER_INDEX, metadata

ledger_entries = sa.Table(
    "ledger_entries",
    metadata,
    sa.Column("index", LEDGER_INDEX, primary_key=True, autoincrement=False),
    sa.Column("leaf", sa.Text, nullable=False),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
)

# Apart from the entries, so that an erasure never touches what is proven.
ledger_payloads = sa.Table(
    "ledger_payloads",
    metadata,
    sa.Column(
        "index",
        LEDGER_INDEX,
        sa.ForeignKey("ledger_entries.index"),
        primary_key=True,
        autoincrement=False,
    ),
    sa.Column("salt", sa.LargeBinary, nullable=False),
    sa.Column("payload", sa.Text, nullable=False),
)

ledger_head = sa.Table(
    "ledger_head",
    metadata,
    sa.Column("id", sa.Integer, primary_key=True),
    # Names the log in its checkpoints, so that two stores are never taken for one.
    sa.Column("origin", sa.String(64), nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("peaks", sa.Text, nullable=False),
)
