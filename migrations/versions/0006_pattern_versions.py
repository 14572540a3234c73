"""Versions of patterns, removal, and where a pattern comes from."""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_NAMES = "uq_patterns_namespace_owner_id_name"
_LIVING = "uq_patterns_living_name"
_AUTHOR = "fk_patterns_author_id_agents"
_REMOVED = "(SELECT id FROM patterns WHERE removed_at IS NOT NULL)"
_OPTIONAL = ("subcategory", "complexity", "author_trust", "removed_at", "forgotten_at")
_NEW: dict[str, sa.types.TypeEngine[Any]] = {
    "subcategory": sa.String(length=50),
    "complexity": sa.Integer(),
    "learning_weight": sa.Double(),
    "origin": sa.String(length=16),
    "source": sa.Text(),
    "author_id": sa.String(length=40),
    "author_trust": sa.Double(),
    "written_at": sa.BigInteger(),
    "removed_at": sa.BigInteger(),
    "forgotten_at": sa.BigInteger(),
}


def upgrade() -> None:
    """Every pattern there is becomes its own first version, written by its owner."""
    for name, kind in _NEW.items():
        op.add_column("patterns", sa.Column(name, kind, nullable=True))
    op.execute(
        "UPDATE patterns SET learning_weight = 1.0, origin = 'own', source = '', "
        "author_id = owner_id, written_at = created_at"
    )
    with _alone(), op.batch_alter_table("patterns") as batch:
        for name, kind in _NEW.items():
            if name not in _OPTIONAL:
                batch.alter_column(name, existing_type=kind, nullable=False)
        batch.drop_constraint(_NAMES, type_="unique")
        batch.create_foreign_key(_AUTHOR, "agents", ["author_id"], ["id"])
    op.create_index(
        _LIVING,
        "patterns",
        ["namespace", "owner_id", "name"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "pattern_versions",
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("category", sa.String(length=50), nullable=False),
        sa.Column("subcategory", sa.String(length=50), nullable=True),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("complexity", sa.Integer(), nullable=True),
        sa.Column("learning_weight", sa.Double(), nullable=False),
        sa.Column("author_id", sa.String(length=40), nullable=False),
        sa.Column("author_trust", sa.Double(), nullable=True),
        sa.Column("written_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["author_id"], ["agents.id"], name="fk_pattern_versions_author_id_agents"
        ),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_pattern_versions_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("pattern_id", "version", name="pk_pattern_versions"),
    )
    op.create_index(
        "ix_pattern_versions_author_id_written_at",
        "pattern_versions",
        ["author_id", "written_at"],
        unique=False,
    )
    op.create_table(
        "pattern_acts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("agent_id", sa.String(length=40), nullable=True),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["agent_id"], ["agents.id"], name="fk_pattern_acts_agent_id_agents"
        ),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_pattern_acts_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pattern_acts"),
    )
    op.create_index("ix_pattern_acts_agent_id_at", "pattern_acts", ["agent_id", "at"], unique=False)
    op.add_column("uses", sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    op.add_column(
        "documents", sa.Column("removed", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Keep the newest version of what nobody removed; removed patterns go for good."""
    op.execute("DELETE FROM words WHERE rowid IN (SELECT id FROM documents WHERE removed)")
    op.execute("DELETE FROM vectors WHERE length(vector) = 0")
    op.execute("DELETE FROM documents WHERE removed")
    op.drop_column("documents", "removed")
    op.drop_index("ix_pattern_acts_agent_id_at", table_name="pattern_acts")
    op.drop_table("pattern_acts")
    op.drop_index("ix_pattern_versions_author_id_written_at", table_name="pattern_versions")
    op.drop_table("pattern_versions")
    for table in ("pattern_tags", "pattern_grants", "agent_usage"):
        op.execute(f"DELETE FROM {table} WHERE pattern_id IN {_REMOVED}")  # noqa: S608
    op.execute(
        "DELETE FROM use_vectors WHERE use_id IN "  # noqa: S608
        f"(SELECT id FROM uses WHERE pattern_id IN {_REMOVED})"
    )
    op.execute(f"DELETE FROM uses WHERE pattern_id IN {_REMOVED}")  # noqa: S608
    op.execute("DELETE FROM patterns WHERE removed_at IS NOT NULL")
    op.drop_column("uses", "version")
    op.drop_index(_LIVING, table_name="patterns")
    with _alone(), op.batch_alter_table("patterns") as batch:
        batch.drop_constraint(_AUTHOR, type_="foreignkey")
        for name in _NEW:
            batch.drop_column(name)
        batch.create_unique_constraint(_NAMES, ["namespace", "owner_id", "name"])


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Set aside whatever refers to patterns: SQLite changes constraints by a new table only."""
    connection = op.get_bind()
    if connection.dialect.name != "sqlite":
        yield
        return
    aside = _referring(connection)
    query = sa.text(
        "SELECT sql FROM sqlite_master WHERE tbl_name = :name AND sql IS NOT NULL "
        "ORDER BY type DESC"  # a table before its indexes
    )
    made = [sql for name in aside for sql in connection.scalars(query, {"name": name})]
    for name in reversed(aside):
        op.execute(f"CREATE TABLE aside_{name} AS SELECT * FROM {name}")  # noqa: S608
        op.drop_table(name)
    yield
    for statement in made:
        connection.exec_driver_sql(statement)
    for name in aside:
        op.execute(f"INSERT INTO {name} SELECT * FROM aside_{name}")  # noqa: S608
        op.drop_table(f"aside_{name}")


def _referring(connection: sa.Connection) -> list[str]:
    """Return the tables that refer to patterns, and those that refer to them, in this order."""
    inspector = sa.inspect(connection)
    found: list[str] = []
    for name, _ in inspector.get_sorted_table_and_fkc_names():
        keys = inspector.get_foreign_keys(name) if name else []
        if name and {key["referred_table"] for key in keys} & {"patterns", *found}:
            found.append(name)
    return found
