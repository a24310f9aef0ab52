"""The kinds of things there are: their names and what a table shows of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cyme.cli.faults import BadUsage, did_you_mean
from cyme.cli.text import figures
from cyme.cli.text.paint import state_paint
from cyme.cli.text.tables import Column, Row


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of things.

    Attributes:
        plural: Its name.
        singular: The name of one.
        short: Other names.
        key: The member that names one.
        columns: What a table shows.
    """

    plural: str
    singular: str
    short: tuple[str, ...]
    key: str
    columns: Sequence[Column]

    def name_of(self, row: Row) -> str:
        """Return the name of one, as ``-o name`` prints it."""
        return f"{self.singular}/{row.get(self.key)}"

    def columns_for(self, *, wide: bool) -> Sequence[Column]:
        """Return what a table, or a wide one, shows."""
        return [column for column in self.columns if wide or not column.wide]


def _text(name: str, title: str | None = None, **options: Any) -> Column:
    return Column(title or name.upper().replace("_", " "), lambda row: text_of(row.get(name)),
                  **options)  # fmt: skip


def _number(name: str, title: str | None = None, **options: Any) -> Column:
    return _text(name, title, right=True, **options)


def _state(name: str = "state") -> Column:
    return Column("STATE", lambda row: text_of(row.get(name)), paint=state_paint)


def _age(name: str, title: str = "AGE", *, wide: bool = False) -> Column:
    return Column(
        title, lambda row: figures.age_since(row.get(name), datetime.now(UTC)), right=True,
        wide=wide,
    )  # fmt: skip


def _measure(name: str, title: str, write: object, **options: Any) -> Column:
    def value(row: Row) -> str:
        measured = row.get(name)
        return write(measured) if isinstance(measured, int | float) else ""  # type: ignore[operator]

    return Column(title, value, right=True, **options)


def text_of(value: object) -> str:
    """Return a member as a cell shows it; nothing where there is nothing."""
    match value:
        case None | "":
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:g}"
        case Mapping():
            return ",".join(f"{name}={text_of(each)}" for name, each in value.items())
        case list() | tuple():
            return ",".join(text_of(each) for each in value)
    return str(value)


def concurrency(row: Row) -> str:
    """Return the limits of a worker's concurrency: ``4``, or ``1-10``."""
    least, most = row.get("min_concurrency"), row.get("max_concurrency")
    if most is None or least is None or least == most:
        return text_of(most if most is not None else least)
    return f"{least}-{most}"


def _broker(row: Row) -> str:
    broker = row.get("broker")
    return str(broker.get("url") or "") if isinstance(broker, Mapping) else ""


def _count(name: str) -> Column:
    return Column(name.upper(), lambda row: str(len(row.get(name) or ())), right=True)


def _subject(row: Row) -> str:
    if row.get("instance"):
        return f"instance/{row['instance']}"
    data = row.get("data") or {}
    if data.get("alert"):
        noun = str(data["alert"]).partition("-")[0]
        return f"{noun}/{text_of(data.get('subject'))}"
    for noun in ("queue", "app", "branch"):
        # The branch of an event is the one that saw it; the one that it is about is in its data.
        name = data.get(noun) or row.get(noun)
        if name and (
            noun != "branch" or str(row.get("kind", "")).startswith(("branch", "cluster"))
        ):
            return f"{noun}/{name}"
    return ""


def _data(row: Row, name: str) -> str:
    data = row.get("data")
    return text_of(data.get(name)) if isinstance(data, Mapping) else ""


INSTANCES = Kind("instances", "instance", ("inst", "in", "i"), "name", (
    _text("name", flexible=True),
    _text("app", flexible=True),
    _state(),
    _text("branch", flexible=True),
    _text("queues", flexible=True),
    Column("CONC", concurrency, right=True),
    _number("restarts"),
    _age("created_at"),
    _age("since", "IN STATE", wide=True),
    _text("pool", wide=True),
    Column("PID", lambda row: text_of((row.get("pids") or [None])[0]), wide=True, right=True),
    _text("labels", wide=True, flexible=True),
    Column("BROKER", _broker, wide=True, flexible=True),
    _text("reason", flexible=True),
))  # fmt: skip
APPS = Kind("apps", "app", ("a",), "name", (
    _text("name", flexible=True),
    _count("instances"),
    _text("pool"),
    Column("CONC", concurrency, right=True),
    Column("BROKER", _broker, flexible=True),
    _age("created_at"),
    _text("celery_app", wide=True, flexible=True),
    _text("workdir", wide=True, flexible=True),
    _text("python", wide=True, flexible=True),
    _text("result_backend", wide=True, flexible=True),
    _text("labels", wide=True, flexible=True),
))  # fmt: skip
QUEUES = Kind("queues", "queue", ("q",), "name", (
    _text("name", flexible=True),
    _text("app", flexible=True),
    _number("depth"),
    _number("consumers"),
    _measure("oldest_s", "OLDEST", figures.age),
    _measure("in_rate", "IN/S", figures.rate, wide=True),
    _measure("out_rate", "OUT/S", figures.rate, wide=True),
    _text("exchange", flexible=True, wide=True),
    _text("exchange_type", "TYPE", wide=True),
    _text("routing_key", flexible=True, wide=True),
    _text("options", flexible=True, wide=True),
    _text("trouble", flexible=True),
))  # fmt: skip
BRANCHES = Kind("branches", "branch", ("br", "b"), "id", (
    _text("id", flexible=True),
    _state(),
    _text("url", "URL", flexible=True),
    _number("instances"),
    _measure("load", "LOAD", lambda load: f"{load:.2f}"),
    Column("DRAINED", lambda row: "yes" if row.get("drained") else "no"),
    _age("since", "IN STATE"),
    _text("version"),
    _number("capacity", wide=True),
    _text("address", wide=True, flexible=True),
    _text("labels", wide=True, flexible=True),
    _measure("heard_s", "HEARD", figures.seconds, wide=True),
    _measure("hub_lag_s", "LAG", figures.seconds, wide=True),
    _number("sup_interval", "INTERVAL", wide=True),
    _text("loglevel", wide=True),
))  # fmt: skip
CONSUMERS = Kind("consumers", "consumer", ("con", "c"), "queue", (
    _text("instance", flexible=True),
    _text("queue", flexible=True),
    _text("app", flexible=True),
    _text("branch", flexible=True),
    _state(),
))  # fmt: skip
TASKS = Kind("tasks", "task", ("t",), "uuid", (
    _text("uuid"),
    _text("name", flexible=True),
    _state(),
    _text("queue", flexible=True),
    _text("instance", flexible=True),
    _age("at"),
    _measure("runtime_s", "RUNTIME", figures.seconds),
    _text("app", wide=True, flexible=True),
    _text("url", "URL", wide=True, flexible=True),
    _text("exception", flexible=True),
))  # fmt: skip
EVENTS = Kind("events", "event", ("ev", "e"), "id", (
    Column("AT", lambda row: figures.clock_time(row.get("at"))),
    _text("kind"),
    Column("SUBJECT", _subject, flexible=True),
    Column("APP", lambda row: text_of(row.get("app")), wide=True, flexible=True),
    _text("branch", wide=True, flexible=True),
    Column("BY", lambda row: _data(row, "by"), wide=True),
    _text("reason", flexible=True, folds=True),
))  # fmt: skip
TOKENS = Kind("tokens", "token", ("tok",), "name", (
    _text("name", flexible=True),
    _text("role"),
    _age("created_at"),
))  # fmt: skip
ALERTS = Kind("alerts", "alert", ("al",), "subject", (
    _text("kind"),
    _text("subject", flexible=True),
    _text("app", flexible=True),
    _age("since"),
    _text("reason", flexible=True, folds=True),
))  # fmt: skip

KINDS = (APPS, INSTANCES, QUEUES, CONSUMERS, BRANCHES, TASKS, EVENTS, ALERTS, TOKENS)
_BY_NAME: Mapping[str, Kind] = {
    name: kind for kind in KINDS for name in (kind.plural, kind.singular, *kind.short)
}


def kind_named(word: str) -> Kind:
    """Return the kind that one of its names names.

    Raises:
        BadUsage: There is none.
    """
    kind = _BY_NAME.get(word.lower())
    if kind is None:
        known = [name for each in KINDS for name in (each.plural, each.singular)]
        raise BadUsage(
            f"There is no type {word!r}.{did_you_mean(word, known)} "
            f"There are {', '.join(each.plural for each in KINDS)}."
        )
    return kind


def split_types(words: Sequence[str], among: Sequence[Kind]) -> tuple[Kind, list[str]]:
    """Return the kind and the names in ``instance w1 w2`` or ``instance/w1 instance/w2``.

    Raises:
        BadUsage: There is no such kind, it is not one of ``among``, or there are several.
    """
    first, _, name = words[0].partition("/")
    kind = kind_named(first)
    if kind not in among:
        raise BadUsage(
            f"This cannot be done with {kind.plural}, but with "
            f"{', '.join(each.plural for each in among)}."
        )
    names = [name] if name else []
    for word in words[1:]:
        other, slash, rest = word.partition("/")
        if not slash and "/" in words[0]:
            raise BadUsage(f"{word!r} has no type, as {words[0]!r} has.")
        if slash and other.lower() not in _BY_NAME:
            raise BadUsage(
                f"{word!r} is not a name. If {other!r} is the app, write "
                f"'{words[0]} {rest} -a {other}'."
            )
        if slash and kind_named(other) is not kind:
            raise BadUsage(f"{word!r} is of another type than {words[0]!r}; one call a type.")
        names.append(rest if slash else word)
    return kind, names
