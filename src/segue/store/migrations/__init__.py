"""The schema's history, applied by alembic when a store is opened (`segue.store.sql.opening`)."""
