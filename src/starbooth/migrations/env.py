"""How Alembic runs our migrations: on the connection that `starbooth.base.database.migrate` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=None,
    version_table="alembic_version",
    version_table_schema="starbooth",
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
