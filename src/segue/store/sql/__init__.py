"""The state store on SQLite and PostgreSQL: SQLAlchemy Core for what is small, plain SQL on the driver where rows are many.

`database` opens and begins transactions, `sqlite` and `postgresql` say how each of the two does it, the other modules are
the tables by concept. The schema is made by `segue.store.migrations`.
"""

from segue.store.sql.store import SqlStore

__all__ = ["SqlStore"]
