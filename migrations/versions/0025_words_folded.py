"""Words are folded: texts that are not all ASCII are cut again, and their spelling is read again.

Revision ID: 0025
Revises: 0024
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import sqlalchemy as sa
from alembic import op

from tmws.domain.patterns import searchable
from tmws.domain.text import terms

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_STEP = 500
_SPELLING = "hashing-512-1"

_DOCUMENTS = sa.table(
    "documents",
    *(sa.column(name) for name in ("id", "item_id", "namespace", "revision", "terms")),
    sa.column("removed", sa.Boolean),
)
_NAMESPACES = sa.table("namespaces", sa.column("name"), sa.column("revision"))
_PATTERNS = sa.table(
    "patterns",
    *(sa.column(name) for name in ("id", "name", "category", "subcategory", "summary", "data")),
)
_TAGS = sa.table("pattern_tags", sa.column("pattern_id"), sa.column("tag"))
_MEMORIES = sa.table("memories", *(sa.column(name) for name in ("id", "text", "tags")))
_VECTORS = sa.table(
    "vectors",
    *(sa.column(name) for name in ("document_id", "embedder", "revision")),
    sa.column("vector", sa.LargeBinary),
)
_USES = sa.table("uses", *(sa.column(name) for name in ("id", "claim_id", "context")))
_CLAIMS = sa.table("claims", sa.column("id"), sa.column("statement"))
_USE_VECTORS = sa.table(
    "use_vectors",
    *(sa.column(name) for name in ("use_id", "embedder")),
    sa.column("vector", sa.LargeBinary),
)

_Text = tuple[str, str]
_NEWEST = (
    sa.select(_NAMESPACES.c.revision)
    .where(_NAMESPACES.c.name == _DOCUMENTS.c.namespace)
    .scalar_subquery()
)


def upgrade() -> None:
    """Cut what was cut at its marks, and take the vectors away that were made of such words.

    The words of ASCII texts and their vectors are what they were. Servers read the others
    again, as they read what an embedder did not answer for.
    """
    for texts in _steps(_texts()):
        ids = [item_id for item_id, _ in texts]
        _count_write(ids)
        cut = [{"key": item_id, "cut": f" {' '.join(terms(text))} "} for item_id, text in texts]
        op.get_bind().execute(
            _DOCUMENTS.update()
            .where(_DOCUMENTS.c.item_id == sa.bindparam("key"), ~_DOCUMENTS.c.removed)
            .values(terms=sa.bindparam("cut"), revision=_NEWEST),
            cut,
        )
        _empty_vectors(ids)
    _forget_uses()


def downgrade() -> None:
    """Have the spelling read again; words stay folded until their texts are written anew."""
    for texts in _steps(_texts()):
        ids = [item_id for item_id, _ in texts]
        _count_write(ids)
        _empty_vectors(ids)
    _forget_uses()


def _steps(texts: Iterator[_Text]) -> Iterator[list[_Text]]:
    while step := list(islice(texts, _STEP)):
        yield step


def _texts() -> Iterator[_Text]:
    """Yield id and text of what is not all ASCII."""
    every = ((item_id, text) for texts in (_patterns(), _memories()) for item_id, text in texts)
    return ((item_id, text) for item_id, text in every if not text.isascii())


def _pages(table: sa.TableClause) -> Iterator[Sequence[sa.Row[Any]]]:
    """Yield all rows in the order of their ids, some at a time."""
    after = ""
    while page := (
        op.get_bind()
        .execute(sa.select(table).where(table.c.id > after).order_by(table.c.id).limit(_STEP))
        .all()
    ):
        yield page
        after = page[-1].id


def _patterns() -> Iterator[_Text]:
    for page in _pages(_PATTERNS):
        tags: dict[str, list[str]] = {}
        for row in op.get_bind().execute(
            sa.select(_TAGS)
            .where(_TAGS.c.pattern_id.in_([row.id for row in page]))
            .order_by(_TAGS.c.tag)
        ):
            tags.setdefault(row.pattern_id, []).append(row.tag)
        for row in page:
            category = " ".join(filter(None, (row.category, row.subcategory)))
            told = tuple(tags.get(row.id, ()))
            yield row.id, searchable(row.name, category, told, row.summary, json.loads(row.data))


def _memories() -> Iterator[_Text]:
    for page in _pages(_MEMORIES):
        for row in page:
            yield row.id, "\n".join([row.text, *json.loads(row.tags)])


def _count_write(item_ids: Sequence[str]) -> None:
    held = sa.select(_DOCUMENTS.c.namespace).where(_DOCUMENTS.c.item_id.in_(item_ids))
    op.get_bind().execute(
        _NAMESPACES.update()
        .where(_NAMESPACES.c.name.in_(held))
        .values(revision=_NAMESPACES.c.revision + 1)
    )


def _empty_vectors(item_ids: Sequence[str]) -> None:
    """Leave empty vectors, by which every index learns that they are gone."""
    newest = (
        sa.select(_NAMESPACES.c.revision)
        .join_from(_DOCUMENTS, _NAMESPACES, _NAMESPACES.c.name == _DOCUMENTS.c.namespace)
        .where(_DOCUMENTS.c.id == _VECTORS.c.document_id)
        .scalar_subquery()
    )
    held = sa.select(_DOCUMENTS.c.id).where(_DOCUMENTS.c.item_id.in_(item_ids))
    op.get_bind().execute(
        _VECTORS.update()
        .where(_VECTORS.c.embedder == _SPELLING, _VECTORS.c.document_id.in_(held))
        .values(vector=b"", revision=newest)
    )


def _forget_uses() -> None:
    """Take the vectors of uses away; what is empty was forgotten for good and stays."""
    text = sa.func.coalesce(sa.func.nullif(_USES.c.context, ""), _CLAIMS.c.statement)
    rows = op.get_bind().execute(
        sa.select(_USES.c.id, text.label("text"))
        .select_from(_USES.outerjoin(_CLAIMS, _CLAIMS.c.id == _USES.c.claim_id))
        .where(text.is_not(None))
    )
    ids = [row.id for row in rows if not row.text.isascii()]
    for start in range(0, len(ids), _STEP):
        op.get_bind().execute(
            _USE_VECTORS.delete().where(
                _USE_VECTORS.c.embedder == _SPELLING,
                sa.func.length(_USE_VECTORS.c.vector) > 0,
                _USE_VECTORS.c.use_id.in_(ids[start : start + _STEP]),
            )
        )
