"""Numbered migrations, each run once and in order.

A migration is text and never changes once it is released: what it makes must not depend on what
the models look like later. Words in braces are the dialect's (``types`` of a backend). MySQL
commits every statement of a schema by itself, so each can be repeated after a crash: what is there
is not made again, and what is filled is not filled again.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class AddColumn:
    """A column that is added to a table unless it is there; SQL has no words for that.

    Attributes:
        table: The table.
        name: The column.
        definition: Its type, and what the rows that are there have in it.
    """

    table: str
    name: str
    definition: str

    @property
    def sql(self) -> str:
        """The statement that adds it."""
        return f"ALTER TABLE {self.table} ADD COLUMN {self.name} {self.definition}"


@dataclass(frozen=True, slots=True)
class Migration:
    """A step from one schema to the next.

    Attributes:
        version: The schema that the step leads to, from 1, without gaps.
        statements: SQL, and columns to add, in order.
    """

    version: int
    statements: tuple[str | AddColumn, ...]


_SPEC_COLUMNS = """
    broker_id VARCHAR(64),
    result_backend {text},
    pool {text},
    min_concurrency BIGINT,
    max_concurrency BIGINT,
    arguments {text},
    extra_config {text},
    is_enabled BOOLEAN,
    celery_app {text},
    workdir {text},
    python {text},
    env {text},
"""

_STAMP_COLUMNS = """
    stamp_ms BIGINT NOT NULL,
    stamp_counter BIGINT NOT NULL,
    stamp_origin VARCHAR(128) NOT NULL,
"""

_COMMON_COLUMNS = """
    version BIGINT NOT NULL,
    created_at {double} NOT NULL,
    updated_at {double} NOT NULL,
    deleted BOOLEAN NOT NULL
"""

_BROKER_KEY = ", FOREIGN KEY (broker_id) REFERENCES cyme_broker (digest)"

#: Where the schema's version stands is needed before any migration is.
META_TABLE = """
CREATE TABLE IF NOT EXISTS cyme_meta (
    name VARCHAR(64) NOT NULL PRIMARY KEY,
    value {text} NOT NULL
) {table_options}
"""

MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        1,
        (
            """
            CREATE TABLE IF NOT EXISTS cyme_broker (
                digest VARCHAR(64) NOT NULL PRIMARY KEY,
                url {text} NOT NULL,
                hostname {text},
                port INTEGER,
                userid {text},
                password {text},
                virtual_host {text} NOT NULL
            ) {table_options}
            """,
            "CREATE TABLE IF NOT EXISTS cyme_app (name VARCHAR(128) NOT NULL PRIMARY KEY,"
            + _SPEC_COLUMNS
            + _STAMP_COLUMNS
            + _COMMON_COLUMNS
            + _BROKER_KEY
            + ") {table_options}",
            """
            CREATE TABLE IF NOT EXISTS cyme_instance (
                name VARCHAR(128) NOT NULL PRIMARY KEY,
                app VARCHAR(128) NOT NULL,
                home VARCHAR(128) NOT NULL,
                owner VARCHAR(128) NOT NULL,
                epoch BIGINT NOT NULL,
                queues {text} NOT NULL,
                pinned BOOLEAN NOT NULL,
            """
            + _SPEC_COLUMNS
            + _COMMON_COLUMNS
            + _BROKER_KEY
            + ") {table_options}",
            """
            CREATE TABLE IF NOT EXISTS cyme_queue (
                app VARCHAR(128) NOT NULL,
                name VARCHAR(128) NOT NULL,
                exchange {text},
                exchange_type {text},
                routing_key {text},
                options {text},
            """
            + _STAMP_COLUMNS
            + _COMMON_COLUMNS
            + ", PRIMARY KEY (app, name)) {table_options}",
            """
            CREATE TABLE IF NOT EXISTS cyme_result (
                task_id VARCHAR(128) NOT NULL PRIMARY KEY,
                payload_bytes BIGINT NOT NULL,
                expires_at {double} NOT NULL,
                payload {blob} NOT NULL
            ) {table_options}
            """,
        ),
    ),
    # Labels, and what instances of several branches are merged by. A stamp without an origin is
    # none: it is filled in with when and where the instance was changed last.
    Migration(
        2,
        (
            AddColumn("cyme_app", "labels", "{text}"),
            AddColumn("cyme_instance", "labels", "{text}"),
            AddColumn("cyme_instance", "generation", "BIGINT NOT NULL DEFAULT 1"),
            AddColumn("cyme_instance", "stamp_ms", "BIGINT NOT NULL DEFAULT 0"),
            AddColumn("cyme_instance", "stamp_counter", "BIGINT NOT NULL DEFAULT 0"),
            AddColumn("cyme_instance", "stamp_origin", "VARCHAR(128) NOT NULL DEFAULT ''"),
            """
            UPDATE cyme_instance SET stamp_ms = ROUND(updated_at * 1000), stamp_origin = owner
            WHERE stamp_origin = ''
            """,
        ),
    ),
)
