"""Alembic's entry: the caller hands in a connection whose transaction is already open."""

from alembic import context

from tmws.storage.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
