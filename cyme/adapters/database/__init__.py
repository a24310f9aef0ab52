"""The database: records and kept results, on SQLite, PostgreSQL or MySQL/MariaDB.

``store`` is what others use. Under it ``writer`` queues work and ``session`` does it, in the one
native thread that ever touches the database; ``sqlite`` and ``servers`` know what differs.
"""

from cyme.adapters.database.store import Database

__all__ = ["Database"]
