"""``cyme create``: apps, instances, queues and consumers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import deeds, kinds, waiting
from cyme.cli.completing import typed_names
from cyme.cli.faults import BadUsage
from cyme.cli.options import NOWAIT, OUTPUT, Command, pass_session, takes
from cyme.cli.parameters import parameters_in, split_words
from cyme.cli.printing import print_written
from cyme.cli.selection import BRANCH, QUEUE
from cyme.cli.session import Session, present

if TYPE_CHECKING:
    from cyme.cli.text.tables import Row

_EXAMPLES = """
cyme create app shop broker=amqp://user@host// password=@secret.txt
cyme create app shop celery_app=shop.tasks workdir=/srv/shop python=/srv/shop/venv/bin/python
cyme create queue orders -a shop
cyme create instance w1 -a shop --queues orders --wait
cyme create instance -a shop max_concurrency=8 labels.zone=a -o name
cyme create consumer w1 orders
"""
_CREATED = (kinds.APPS, kinds.INSTANCES, kinds.QUEUES, kinds.CONSUMERS)


@click.command(
    "create",
    cls=Command,
    examples=_EXAMPLES,
    help="Create an app, an instance, a queue, or a consumer (INSTANCE QUEUE). "
    "Parameters are those of the HTTP API, as NAME=VALUE; @FILE is a value from a file, @- from "
    "standard input. An instance without a name gets one.",
)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="TYPE [NAME]... [PARAMETER=VALUE]...",
    shell_complete=typed_names(_CREATED),
)
@takes(OUTPUT, NOWAIT)
@click.option(
    "-q",
    "--queues",
    metavar="NAMES",
    shell_complete=QUEUE,
    help="Of an instance: what it consumes from, by commas.",
)
@click.option(
    "--branch", metavar="ID", shell_complete=BRANCH, help="Of an instance: where it is placed."
)
@click.option("--exist-ok", is_flag=True, help="Change what exists already, and do not fail.")
@click.option("--wait", is_flag=True, help="Wait until the worker of an instance runs.")
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="So long.  [default: 120]")
@pass_session
def command(
    session: Session,
    words: Sequence[str],
    queues: str | None,
    branch: str | None,
    exist_ok: bool,
    wait: bool,
    wait_timeout: float | None,
) -> int:
    """Create something."""
    names_and_type, parameters = split_words(words)
    if not names_and_type:
        raise BadUsage("Create what? Say: cyme create TYPE NAME.")
    kind, names = kinds.split_types(names_and_type, _CREATED)
    members = parameters_in(parameters) | present({"queues": queues, "branch": branch})
    if kind is not kinds.INSTANCES and (queues or branch or wait):
        raise BadUsage("--queues, --branch and --wait are for instances.")
    deed = _deed(session, kind, names, members, may_exist=exist_ok)
    things: Sequence[str | None] = names[1:] if kind is kinds.CONSUMERS else names or (None,)
    written: list[Row] = []
    code = deeds.each_of(session, things, lambda name: written.append(deed(name)))
    if wait:
        made = [str(each["name"]) for each in written]
        waiting.wait_for(session, made, waiting.is_running, what="running", timeout_s=wait_timeout)
        written = [session.get("instances", name) for name in made]
    print_written(session, kind, written[0] if len(things) == len(written) == 1 else written)
    return code


def _deed(
    session: Session,
    kind: kinds.Kind,
    names: Sequence[str],
    members: dict[str, Any],
    *,
    may_exist: bool,
) -> Callable[[Any], Row]:
    """Return what creates one thing of a kind by its name; of an instance that may be None."""
    if kind is kinds.CONSUMERS:
        if len(names) < 2:  # noqa: PLR2004 - an instance and a queue
            raise BadUsage("Say: cyme create consumer INSTANCE QUEUE.")
        return lambda queue: deeds.add_consumer(session, names[0], queue)
    if kind is kinds.INSTANCES:
        app = session.need_app()
        return lambda name: deeds.create_instance(session, app, name, members, may_exist=may_exist)
    if not names:
        raise BadUsage(f"What shall the {kind.singular} be called?")
    if kind is kinds.APPS:
        return lambda name: deeds.create_app(session, name, members, may_exist=may_exist)
    app = session.need_app()
    return lambda name: deeds.create_queue(session, app, name, members, may_exist=may_exist)
