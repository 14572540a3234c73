"""Uses added up once more: by who may read them, and over the weeks that trends compare."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_COUNTS = ("successes", "partials", "failures")
_CLASS = ("namespace", "level", "owner_id")
_SPANS = ("uses", "late", "good", "late_good")
# A trend compares the last four weeks with the four before, which lie in five.
_LATE, _ALL = 4, 9
_AGES = " UNION ALL ".join(f"SELECT {age} AS age" for age in range(_ALL))
# What changed in a row of use_weeks, by what happened to it.
_CHANGES = {
    "INSERT": ("NEW", "NEW.{0}"),
    "UPDATE": ("NEW", "NEW.{0} - OLD.{0}"),
    "DELETE": ("OLD", "-OLD.{0}"),
}
_MOVES = "namespace, level, owner_id, removed_at"


def upgrade() -> None:
    """Add up what is there, and let the database go on with every change."""
    op.create_table(
        "class_weeks",
        sa.Column("week", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("namespace", sa.String(length=64), nullable=False),
        sa.Column("level", sa.String(length=16), nullable=False),
        sa.Column("owner_id", sa.String(length=40), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _COUNTS),
        sa.PrimaryKeyConstraint("week", *_CLASS, name="pk_class_weeks"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "use_spans",
        sa.Column("week", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in _SPANS),
        sa.PrimaryKeyConstraint("week", "pattern_id", name="pk_use_spans"),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO class_weeks (week, {', '.join(_CLASS)}, {', '.join(_COUNTS)}) "  # noqa: S608  # our own names
        f"SELECT week, {', '.join(f'patterns.{name}' for name in _CLASS)}, "
        f"{', '.join(f'sum(use_weeks.{name})' for name in _COUNTS)} "
        "FROM use_weeks JOIN patterns ON patterns.id = use_weeks.pattern_id "
        f"WHERE removed_at IS NULL GROUP BY week, {', '.join(f'patterns.{n}' for n in _CLASS)}"
    )
    total = "successes + partials + failures"
    late = f"CASE WHEN age < {_LATE} THEN {{}} ELSE 0 END"
    sums = (total, late.format(total), "successes", late.format("successes"))
    op.execute(
        f"INSERT INTO use_spans (week, pattern_id, {', '.join(_SPANS)}) "  # noqa: S608  # our own names
        f"SELECT week + age, pattern_id, {', '.join(f'sum({each})' for each in sums)} "
        f"FROM use_weeks CROSS JOIN ({_AGES}) AS ages GROUP BY week + age, pattern_id"
    )
    for event, (row, changed) in _CHANGES.items():
        body = _spanned(row, changed) + " " + _classed(row, changed)
        _create_trigger(f"use_weeks_{event.lower()}", event, "use_weeks", body)
    body = f"{_moved('OLD', '-')} {_moved('NEW', '')}"
    _create_trigger("patterns_moved", f"UPDATE OF {_MOVES}", "patterns", body)


def downgrade() -> None:
    """Drop them; everything can be added up again."""
    for name, table in (
        *((f"use_weeks_{event.lower()}", "use_weeks") for event in _CHANGES),
        ("patterns_moved", "patterns"),
    ):
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {name}")
        else:
            op.execute(f"DROP TRIGGER {name} ON {table}")
            op.execute(f"DROP FUNCTION {name}()")
    op.drop_table("use_spans")
    op.drop_table("class_weeks")


def _spanned(row: str, changed: str) -> str:
    total = " + ".join(f"({changed.format(name)})" for name in _COUNTS)
    good = f"({changed.format('successes')})"
    late = f"CASE WHEN age < {_LATE} THEN {{}} ELSE 0 END"
    sums = ", ".join(f"{name} = use_spans.{name} + excluded.{name}" for name in _SPANS)
    return (
        f"INSERT INTO use_spans (week, pattern_id, {', '.join(_SPANS)}) "  # noqa: S608  # our own names
        f"SELECT {row}.week + age, {row}.pattern_id, {total}, {late.format(f'({total})')}, "
        f"{good}, {late.format(good)} FROM ({_AGES}) AS ages WHERE {total} <> 0 OR {good} <> 0 "
        f"ON CONFLICT (week, pattern_id) DO UPDATE SET {sums};"
    )


def _classed(row: str, changed: str) -> str:
    counts = ", ".join(changed.format(name) for name in _COUNTS)
    some = " OR ".join(f"({changed.format(name)}) <> 0" for name in _COUNTS)
    return _into_class_weeks(
        f"SELECT {row}.week, {', '.join(f'kept.{name}' for name in _CLASS)}, {counts} "  # noqa: S608  # our own names
        f"FROM patterns AS kept WHERE kept.id = {row}.pattern_id "
        f"AND kept.removed_at IS NULL AND ({some})"
    )


def _moved(row: str, sign: str) -> str:
    counts = ", ".join(f"{sign}weeks.{name}" for name in _COUNTS)
    return _into_class_weeks(
        f"SELECT weeks.week, {', '.join(f'{row}.{name}' for name in _CLASS)}, {counts} "  # noqa: S608  # our own names
        f"FROM use_weeks AS weeks WHERE weeks.pattern_id = {row}.id AND {row}.removed_at IS NULL"
    )


def _into_class_weeks(selected: str) -> str:
    sums = ", ".join(f"{name} = class_weeks.{name} + excluded.{name}" for name in _COUNTS)
    return (
        f"INSERT INTO class_weeks (week, {', '.join(_CLASS)}, {', '.join(_COUNTS)}) {selected} "
        f"ON CONFLICT (week, {', '.join(_CLASS)}) DO UPDATE SET {sums};"
    )


def _create_trigger(name: str, event: str, table: str, body: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON {table} BEGIN {body} END")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
