"""Uses added up by week, and indexes that hold what figures over patterns are taken from."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_INDEXES = {
    "ix_patterns_figures": (
        "patterns",
        [
            "level",
            "namespace",
            "owner_id",
            "category",
            "successes",
            "partials",
            "failures",
            "proven_successes",
            "proven_failures",
            "last_used_at",
            "removed_at",
            "id",
        ],
    ),
    "ix_patterns_last_used_at_created_at": ("patterns", ["last_used_at", "created_at"]),
    "ix_uses_pattern_id_at": ("uses", ["pattern_id", "at", "agent_id", "outcome", "share"]),
    "ix_uses_agent_id_at": ("uses", ["agent_id", "at"]),
}

# A use that is credited to several patterns is none of each.
# Weeks since 1969-12-29, the Monday before 1970 began; `at` is in microseconds.
_WEEK = "({row}at + 259200000000) / 604800000000"
_OUTCOMES = (("successes", "success"), ("partials", "partial"), ("failures", "failure"))
_TRIGGERS = {
    "uses_counted": ("INSERT", ("NEW",)),
    "uses_uncounted": ("DELETE", ("OLD",)),
    "uses_recounted": ("UPDATE OF pattern_id, outcome, at, share", ("OLD", "NEW")),
}


def upgrade() -> None:
    """Add up what is there, and let the database go on with every change of a use."""
    op.create_table(
        "use_weeks",
        sa.Column("pattern_id", sa.String(length=40), nullable=False),
        sa.Column("week", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("successes", sa.Integer(), nullable=False),
        sa.Column("partials", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["pattern_id"], ["patterns.id"], name="fk_use_weeks_pattern_id_patterns"
        ),
        sa.PrimaryKeyConstraint("pattern_id", "week", name="pk_use_weeks"),
        sqlite_with_rowid=False,
    )
    counted = ", ".join(
        f"sum(CASE WHEN outcome = '{outcome}' THEN 1 ELSE 0 END)" for _, outcome in _OUTCOMES
    )
    op.execute(
        "INSERT INTO use_weeks (pattern_id, week, successes, partials, failures) "  # noqa: S608  # our own names
        f"SELECT pattern_id, {_WEEK.format(row='')}, {counted} FROM uses "
        "WHERE share >= 1 GROUP BY 1, 2"
    )
    op.create_index(
        "ix_use_weeks_week",
        "use_weeks",
        ["week", "pattern_id", "successes", "partials", "failures"],
        unique=False,
    )
    for name, (table, columns) in _INDEXES.items():
        op.create_index(name, table, columns, unique=False)
    for name, (event, rows) in _TRIGGERS.items():
        body = " ".join(_one_more(row) if row == "NEW" else _one_less(row) for row in rows)
        _create_trigger(name, event, body)


def downgrade() -> None:
    """Drop them; everything can be added up again."""
    for name in _TRIGGERS:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {name}")
        else:
            op.execute(f"DROP TRIGGER {name} ON uses")
            op.execute(f"DROP FUNCTION {name}()")
    for name, (table, _) in _INDEXES.items():
        op.drop_index(name, table_name=table)
    op.drop_index("ix_use_weeks_week", table_name="use_weeks")
    op.drop_table("use_weeks")


def _one_more(row: str) -> str:
    values = ", ".join(_is(row, outcome) for _, outcome in _OUTCOMES)
    sums = ", ".join(f"{name} = use_weeks.{name} + excluded.{name}" for name, _ in _OUTCOMES)
    return (
        "INSERT INTO use_weeks (pattern_id, week, successes, partials, failures) "  # noqa: S608  # our own names
        f"VALUES ({row}.pattern_id, {_WEEK.format(row=row + '.')}, {values}) "
        f"ON CONFLICT (pattern_id, week) DO UPDATE SET {sums};"
    )


def _one_less(row: str) -> str:
    rest = ", ".join(f"{name} = {name} - {_is(row, outcome)}" for name, outcome in _OUTCOMES)
    return (
        f"UPDATE use_weeks SET {rest} "  # noqa: S608  # our own names
        f"WHERE pattern_id = {row}.pattern_id AND week = {_WEEK.format(row=row + '.')};"
    )


def _is(row: str, outcome: str) -> str:
    return f"CASE WHEN {row}.outcome = '{outcome}' AND {row}.share >= 1 THEN 1 ELSE 0 END"


def _create_trigger(name: str, event: str, body: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(f"CREATE TRIGGER {name} AFTER {event} ON uses BEGIN {body} END")
        return
    op.execute(
        f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN {body} RETURN NULL; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {name} AFTER {event} ON uses FOR EACH ROW EXECUTE FUNCTION {name}()"
    )
