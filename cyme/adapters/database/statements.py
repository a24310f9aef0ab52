"""SQL for one connection: what peewee builds once is used for every row."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import peewee

from cyme.adapters.database.models import Table
from cyme.adapters.database.records import Row


def run(db: peewee.Database, sql: str, parameters: Sequence[object] = ()) -> Any:
    """Run one statement and return the driver's cursor."""
    return db.execute_sql(sql, parameters)  # type: ignore[no-untyped-call]  # peewee's gap


class Inserts:
    """Inserts rows of any table, with the statement that its dialect wants.

    Building a statement takes ten times as long as running it, and the thread that runs it keeps
    the hub from the interpreter meanwhile.
    """

    def __init__(self) -> None:
        self._statements: dict[tuple[type[Table], bool], str] = {}

    def run(
        self, db: peewee.Database, table: type[Table], rows: Iterable[Row], *, replace: bool
    ) -> int:
        """Insert rows.

        Args:
            db: An open connection; always one of the same kind.
            table: Where to.
            rows: Values for all fields of the table.
            replace: Whether a row replaces one of the same key; else that one stays.

        Returns:
            How many rows were written, as far as the driver counts.
        """
        fields = table.field_names()
        values = [[row[name] for name in fields] for row in rows]
        if not values:
            return 0
        statement = self._statements.get((table, replace))
        if statement is None:
            statement = _insert_statement(db, table, replace=replace)
            self._statements[table, replace] = statement
        cursor = db.cursor()  # type: ignore[no-untyped-call]  # peewee's gap
        cursor.executemany(statement, values)
        return int(cursor.rowcount)


def _insert_statement(db: peewee.Database, table: type[Table], *, replace: bool) -> str:
    fields = table.field_names()
    query: Any = table.insert(dict.fromkeys(fields))
    if not replace:
        query = query.on_conflict_ignore()
    else:
        keys = table.key_names()
        # MySQL looks at every unique key of the table and lets none be named.
        target = {} if isinstance(db, peewee.MySQLDatabase) else {"conflict_target": keys}
        kept = [getattr(table, name) for name in fields if name not in keys]
        query = query.on_conflict(preserve=kept, **target)
    context: Any = db.get_sql_context()
    statement: str = context.sql(query).query()[0]
    return statement
