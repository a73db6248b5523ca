"""What alembic runs for an upgrade: on the connection it is given, inside the transaction that holds the write lock."""

from alembic import context

from segue.store.sql.schema import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE, transactional_ddl=False)
context.run_migrations()
