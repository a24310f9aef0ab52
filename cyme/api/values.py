"""What the value of one parameter may be, with the limits.

The description of a type completes 'it must be ...' in an error, and is what OpenAPI says of it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from cyme.core.task_filter import LIMIT_MAX as TASKS_MAX
from cyme.core.worker_logs import LINES_MAX

TEXT_CHARS_MAX = 8192
LABELS_CHARS_MAX = 4096
CONCURRENCY_MAX = 10_000
COUNT_MAX = 2**53 - 1
WAIT_S_MAX = 600.0
DELAY_S_MAX = 366 * 24 * 3600.0
EVENTS_MAX = 1_000

Text = Annotated[
    str,
    Meta(max_length=TEXT_CHARS_MAX, description=f"a text of at most {TEXT_CHARS_MAX} characters"),
]
Path = Annotated[
    str,
    Meta(pattern="^/", max_length=4096, description="an absolute path of at most 4096 characters"),
]
Concurrency = Annotated[
    int,
    Meta(ge=1, le=CONCURRENCY_MAX, description=f"a whole number from 1 to {CONCURRENCY_MAX}"),
]
Port = Annotated[int, Meta(ge=1, le=65535, description="a port number from 1 to 65535")]
Hostname = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9._:-]+$",
        max_length=255,
        description="a host name or an address without scheme, port or brackets",
    ),
]
Url = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9+._-]*://[^\s]*$",
        max_length=2048,
        description="a URL such as amqp://user:password@host:5672/vhost",
    ),
]
Name = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="a name of 1 to 128 letters, digits, '.', '_' and '-'",
    ),
]
Pool = Annotated[
    Literal["prefork", "threads", "gevent", "eventlet", "solo"],
    Meta(description="one of prefork, threads, gevent, eventlet, solo"),
]
RoleName = Annotated[
    Literal["viewer", "operator", "admin"], Meta(description="one of viewer, operator, admin")
]
Flag = Annotated[bool, Meta(description="true or false")]
Names = Annotated[
    list[Name], Meta(max_length=1000, description="names, as a list or separated by commas")
]
FewNames = Annotated[
    list[Name], Meta(max_length=100, description="at most 100 names, separated by commas")
]
Environment = Annotated[
    dict[str, str], Meta(max_length=1000, description="a JSON object of names and texts")
]
Labels = Annotated[
    Annotated[str, Meta(max_length=LABELS_CHARS_MAX)] | dict[str, str],
    Meta(description="labels such as zone=a,disk=ssd, or a JSON object of them"),
]
Count = Annotated[
    int, Meta(ge=0, le=COUNT_MAX, description="a whole number, 0 or more: how many you expect")
]
Options = Annotated[dict[str, Any], Meta(description="a JSON object")]
Seconds = Annotated[
    float, Meta(ge=0, le=WAIT_S_MAX, description=f"a number of seconds from 0 to {WAIT_S_MAX:g}")
]
Delay = Annotated[
    float, Meta(ge=0, le=DELAY_S_MAX, description="a number of seconds from 0 to a year")
]
Moment = Annotated[
    datetime, Meta(tz=True, description="a moment with its time zone, as 2030-01-31T12:00:00Z")
]
Since = Annotated[
    Annotated[float, Meta(ge=0, le=DELAY_S_MAX)] | Annotated[datetime, Meta(tz=True)],
    Meta(description="a number of seconds ago, up to a year, or a moment with its time zone"),
]
Kinds = Annotated[
    list[
        Annotated[
            str,
            Meta(
                pattern=r"^[a-z-]+\.([a-z-]+|\*)$",
                max_length=64,
                description="a kind of event such as instance.started or instance.*",
            ),
        ]
    ],
    Meta(max_length=100, description="kinds of events, such as instance.started,broker.*"),
]
EventCount = Annotated[
    int, Meta(ge=0, le=EVENTS_MAX, description=f"a whole number from 0 to {EVENTS_MAX}")
]
Texts = Annotated[
    list[Annotated[str, Meta(max_length=256)]],
    Meta(max_length=100, description="words, as a list or separated by commas"),
]
TaskCount = Annotated[
    int, Meta(ge=1, le=TASKS_MAX, description=f"a whole number from 1 to {TASKS_MAX}")
]
Expiry = Annotated[
    Annotated[float, Meta(ge=0, le=DELAY_S_MAX)] | Annotated[datetime, Meta(tz=True)],
    Meta(description="a number of seconds from 0 to a year, or a moment with its time zone"),
]
Priority = Annotated[int, Meta(ge=0, le=9, description="a whole number from 0 to 9")]
Retries = Annotated[int, Meta(ge=0, le=100, description="a whole number from 0 to 100")]
Timeout = Annotated[
    float, Meta(gt=0, le=3600, description="a number of seconds over 0, up to 3600")
]
LineCount = Annotated[
    int, Meta(ge=0, le=LINES_MAX, description=f"a whole number from 0 to {LINES_MAX}")
]


class BrokerFields(Struct, kw_only=True, frozen=True):
    """A broker as replies print it, so that what was read can be sent back."""

    hostname: Hostname | None = None
    port: Port | None = None
    userid: Text | None = None
    password: Text | None = None
    virtual_host: Text | None = None
    url: Url | None = None


BrokerValue = Annotated[
    Url | BrokerFields, Meta(description="a URL such as redis://host:6379/0, or the five fields")
]


def moment_meant(since: float | datetime | None, now: float) -> float | None:
    """Return the moment that a ``Since`` means, in seconds since 1970, UTC; None if nobody said.

    Args:
        since: A moment, or a number of seconds ago.
        now: The present moment, in seconds since 1970.
    """
    if isinstance(since, datetime):
        return since.timestamp()
    return None if since is None else now - since
