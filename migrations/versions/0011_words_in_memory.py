"""The words of documents beside them, weighed in memory; no index of words in the database."""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

from tmws.domain.patterns import searchable
from tmws.domain.text import terms

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_STEP = 500

_DOCUMENTS = sa.table(
    "documents",
    *(sa.column(name) for name in ("id", "item_id", "namespace", "revision", "terms")),
    sa.column("removed", sa.Boolean),
)
_NAMESPACES = sa.table("namespaces", sa.column("name"), sa.column("revision"))
_PATTERNS = sa.table(
    "patterns", *(sa.column(name) for name in ("id", "name", "category", "summary", "data"))
)
_TAGS = sa.table("pattern_tags", sa.column("pattern_id"), sa.column("tag"))
_MEMORIES = sa.table("memories", *(sa.column(name) for name in ("id", "text", "tags")))
_SYSTEM = sa.text("level = 'system'")


def upgrade() -> None:
    """Cut the words of everything again and drop the index that held them."""
    op.add_column(
        "documents", sa.Column("revision", sa.BigInteger(), nullable=False, server_default="0")
    )
    op.add_column("documents", sa.Column("terms", sa.Text(), nullable=False, server_default=""))
    newest = sa.select(_NAMESPACES.c.revision).where(_NAMESPACES.c.name == _DOCUMENTS.c.namespace)
    op.get_bind().execute(_DOCUMENTS.update().values(revision=newest.scalar_subquery()))
    update = (
        _DOCUMENTS.update()
        .where(_DOCUMENTS.c.item_id == sa.bindparam("key"), ~_DOCUMENTS.c.removed)
        .values(terms=sa.bindparam("cut"))
    )
    for step in _steps():
        op.get_bind().execute(update, step)
    op.drop_table("words")
    op.drop_index("ix_documents_namespace_kind", table_name="documents")
    op.create_index(
        "ix_documents_namespace_kind_revision", "documents", ["namespace", "kind", "revision"]
    )
    op.create_index("ix_documents_owner_id_namespace", "documents", ["owner_id", "namespace"])
    op.create_index(
        "ix_documents_system",
        "documents",
        ["namespace"],
        sqlite_where=_SYSTEM,
        postgresql_where=_SYSTEM,
    )


def _steps() -> Iterator[list[dict[str, str]]]:
    connection = op.get_bind()
    tags: dict[str, list[str]] = {}
    for row in connection.execute(sa.select(_TAGS).order_by(_TAGS.c.tag)):
        tags.setdefault(row.pattern_id, []).append(row.tag)
    texts = [
        (
            row.id,
            searchable(
                row.name,
                row.category,
                tuple(tags.get(row.id, ())),
                row.summary,
                json.loads(row.data),
            ),
        )
        for row in connection.execute(sa.select(_PATTERNS))
    ]
    for row in connection.execute(sa.select(_MEMORIES)):
        texts.append((row.id, "\n".join([row.text, *json.loads(row.tags)])))
    cut = [{"key": key, "cut": f" {' '.join(terms(text))} "} for key, text in texts]
    return (cut[start : start + _STEP] for start in range(0, len(cut), _STEP))


def downgrade() -> None:
    """Make the index of words again."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE VIRTUAL TABLE words USING fts5(terms, "
            'tokenize = "unicode61 remove_diacritics 0")'
        )
        op.execute(
            "INSERT INTO words (rowid, terms) "
            "SELECT id, trim(terms) FROM documents WHERE NOT removed"
        )
    else:
        op.execute("CREATE TABLE words (rowid BIGINT PRIMARY KEY, terms TSVECTOR NOT NULL)")
        op.execute("CREATE INDEX ix_words_terms ON words USING gin (terms)")
        op.execute(
            "INSERT INTO words (rowid, terms) "
            "SELECT id, to_tsvector('simple', terms) FROM documents WHERE NOT removed"
        )
    for name in ("namespace_kind_revision", "owner_id_namespace", "system"):
        op.drop_index(f"ix_documents_{name}", table_name="documents")
    op.create_index("ix_documents_namespace_kind", "documents", ["namespace", "kind"])
    op.drop_column("documents", "terms")
    op.drop_column("documents", "revision")
