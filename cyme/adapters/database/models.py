# ruff: noqa: D106 - a table's settings need no sentence
"""The tables as peewee sees them; ``migrations`` makes them.

No model is bound to a database: every query names the one that it runs on, so that several
branches can live in one process.

Only brokers are referred to by foreign key. The app of an instance and of a queue is named and
not referred to, because records of other branches arrive in any order.
"""

from __future__ import annotations

from peewee import (
    BigIntegerField,
    BlobField,
    BooleanField,
    CharField,
    CompositeKey,
    DoubleField,
    ForeignKeyField,
    IntegerField,
    Model,
    TextField,
)

from cyme.core.names import NAME_CHARS_MAX

DIGEST_CHARS = 64
TASK_ID_CHARS_MAX = 128


class Table(Model):
    """What all tables share."""

    class Meta:
        legacy_table_names = False

    @classmethod
    def field_names(cls) -> list[str]:
        """Return the names of the fields, in the order of an insert."""
        return list(cls._meta.sorted_field_names)

    @classmethod
    def key_names(cls) -> list[str]:
        """Return the names of the fields that make up the primary key."""
        keys = cls._meta.get_primary_keys()  # type: ignore[no-untyped-call]  # peewee's gap
        return [field.name for field in keys]

    @classmethod
    def table_name(cls) -> str:
        """Return the name of the table."""
        return str(cls._meta.table_name)


class Meta(Table):
    """What the database says of itself: its schema, its branch, who wrote it."""

    name = CharField(max_length=64, primary_key=True)
    value = TextField()

    class Meta:
        table_name = "cyme_meta"


class Broker(Table):
    """A message broker: its URL, and what the URL says in columns of their own.

    The key is the SHA-256 of the URL, which a writer knows without asking.
    """

    digest = CharField(max_length=DIGEST_CHARS, primary_key=True)
    url = TextField()
    hostname = TextField(null=True)
    port = IntegerField(null=True)
    userid = TextField(null=True)
    password = TextField(null=True)
    virtual_host = TextField()

    class Meta:
        table_name = "cyme_broker"


class Specified(Table):
    """The columns of a ``WorkerSpec``; null means that it is not given here."""

    broker = ForeignKeyField(Broker, null=True, column_name="broker_id", backref="+")
    result_backend = TextField(null=True)
    pool = TextField(null=True)
    min_concurrency = BigIntegerField(null=True)
    max_concurrency = BigIntegerField(null=True)
    arguments = TextField(null=True)
    extra_config = TextField(null=True)
    is_enabled = BooleanField(null=True)
    celery_app = TextField(null=True)
    workdir = TextField(null=True)
    python = TextField(null=True)
    env = TextField(null=True)  # a JSON object
    labels = TextField(null=True)  # a JSON object


class App(Specified):
    """An application."""

    name = CharField(max_length=NAME_CHARS_MAX, primary_key=True)
    stamp_ms = BigIntegerField()
    stamp_counter = BigIntegerField()
    stamp_origin = CharField(max_length=NAME_CHARS_MAX)
    version = BigIntegerField()
    created_at = DoubleField()
    updated_at = DoubleField()
    deleted = BooleanField()

    class Meta:
        table_name = "cyme_app"


class Instance(Specified):
    """A worker under management."""

    name = CharField(max_length=NAME_CHARS_MAX, primary_key=True)
    app = CharField(max_length=NAME_CHARS_MAX)
    home = CharField(max_length=NAME_CHARS_MAX)
    owner = CharField(max_length=NAME_CHARS_MAX)
    epoch = BigIntegerField()
    generation = BigIntegerField()
    stamp_ms = BigIntegerField()
    stamp_counter = BigIntegerField()
    stamp_origin = CharField(max_length=NAME_CHARS_MAX)
    version = BigIntegerField()
    queues = TextField()  # a JSON list
    pinned = BooleanField()
    created_at = DoubleField()
    updated_at = DoubleField()
    deleted = BooleanField()

    class Meta:
        table_name = "cyme_instance"


class Queue(Table):
    """A queue declaration."""

    app = CharField(max_length=NAME_CHARS_MAX)
    name = CharField(max_length=NAME_CHARS_MAX)
    exchange = TextField(null=True)
    exchange_type = TextField(null=True)
    routing_key = TextField(null=True)
    options = TextField(null=True)  # a JSON object
    stamp_ms = BigIntegerField()
    stamp_counter = BigIntegerField()
    stamp_origin = CharField(max_length=NAME_CHARS_MAX)
    version = BigIntegerField()
    created_at = DoubleField()
    updated_at = DoubleField()
    deleted = BooleanField()

    class Meta:
        table_name = "cyme_queue"
        primary_key = CompositeKey("app", "name")


class KeptResult(Table):
    """The result of a task, kept for those who ask later."""

    task_id = CharField(max_length=TASK_ID_CHARS_MAX, primary_key=True)
    payload = BlobField()
    payload_bytes = BigIntegerField()
    expires_at = DoubleField()

    class Meta:
        table_name = "cyme_result"


TABLES: tuple[type[Table], ...] = (Meta, Broker, App, Instance, Queue, KeptResult)
