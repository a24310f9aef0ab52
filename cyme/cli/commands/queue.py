"""``cyme queue``: a URL for a worker to request."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import click

from cyme.cli.faults import BadUsage
from cyme.cli.moments import later_in
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.printing import form_of, print_data
from cyme.cli.selection import APP_NAME, QUEUE
from cyme.cli.session import Session
from cyme.cli.tasks import finish
from cyme.client.info import plain
from cyme.client.tasks import queue_url

_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


@click.command(
    "queue",
    cls=Command,
    examples="""
    cyme queue shop orders http://shop.example/import
    cyme queue shop orders http://shop.example/import -d user=george --wait
    cyme queue shop orders http://shop.example/import -X PUT -d @order.json --countdown 60
    """,
    help="Queue a URL for a worker of an app to request, and print the id of the task. The URL, "
    "its query and the body reach the target as they are.",
)
@click.argument("app_name", metavar="APP", shell_complete=APP_NAME)
@click.argument("queue", shell_complete=QUEUE)
@click.argument("url")
@click.option(
    "-X",
    "--request",
    "method",
    metavar="VERB",
    help="The verb of the worker's request.  [default: GET, with -d POST]",
)
@click.option(
    "-d", "--data", metavar="TEXT", help="The body; @FILE is that of a file, @- of standard input."
)
@click.option(
    "-t",
    "--content-type",
    metavar="TYPE",
    help="What the body is.  [default: JSON where it looks so, else a form]",
)
@click.option(
    "--countdown",
    "countdown_s",
    type=float,
    metavar="SECONDS",
    help="Not before so many seconds from now.",
)
@click.option("--eta", metavar="MOMENT", help="Not before this moment.")
@click.option("--expires", metavar="WHEN", help="Not later than in so long (90s, 10m), or then.")
@click.option("--priority", type=click.IntRange(0, 9), metavar="0-9", help="Its priority.")
@click.option(
    "--retries",
    type=click.IntRange(0, 100),
    metavar="N",
    help="How often to try again after a failed connection or an answer of 5xx.",
)
@click.option(
    "--task-timeout",
    "task_timeout_s",
    type=float,
    metavar="SECONDS",
    help="How long the worker's request may take.",
)
@click.option("--wait", is_flag=True, help="Wait for the answer and print it.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="So long.  [default: 60]")
@takes(OUTPUT)
@pass_session
def command(
    session: Session,
    app_name: str,
    queue: str,
    url: str,
    method: str | None,
    data: str | None,
    content_type: str | None,
    eta: str | None,
    expires: str | None,
    task_timeout_s: float | None,
    wait: bool,
    wait_timeout: float | None,
    **options: Any,
) -> int:
    """Queue a URL."""
    body = _body(data)
    task = queue_url(
        session.calls,
        app_name,
        queue,
        url,
        method=(method or ("GET" if body is None else "POST")).upper(),
        body=body,
        content_type=content_type or _type_of(body),
        eta=_moment(eta),
        expires=later_in(expires),
        timeout_s=task_timeout_s,
        **options,
    )
    if wait:
        session.say(f"It is the task {task.uuid}.")
        return finish(session, app_name, task.uuid, wait_timeout)
    form = form_of(session)
    if form.name == "name":
        session.out(f"task/{task.uuid}")
    elif form.is_table:
        session.out(task.uuid)
    else:
        print_data(session, plain(task.info), form)
    return 0


def _body(data: str | None) -> bytes | None:
    if data is None:
        return None
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    if data == "@-":
        return sys.stdin.buffer.read()
    try:
        return Path(data[1:]).read_bytes()
    except OSError as exc:
        raise BadUsage(f"{data[1:]} cannot be read: {exc.strerror}.") from exc


def _type_of(body: bytes | None) -> str | None:
    if body is None:
        return None
    return _JSON if body.lstrip()[:1] in {b"{", b"["} else _FORM


def _moment(text: str | None) -> datetime | None:
    if text is None:
        return None
    moment = later_in(text)
    if not isinstance(moment, datetime):
        raise BadUsage(f"{text!r} is no moment, as 2030-01-31T12:00:00Z is one.")
    return moment
