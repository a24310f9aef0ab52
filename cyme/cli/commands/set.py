"""``cyme set``: parameters of what exists."""

from __future__ import annotations

from collections.abc import Sequence

import click

from cyme.cli import deeds, kinds
from cyme.cli.completing import typed_names
from cyme.cli.faults import BadUsage
from cyme.cli.options import AT_A_TIME, NOWAIT, OUTPUT, Command, pass_session, takes
from cyme.cli.parameters import parameters_in, split_words
from cyme.cli.printing import print_written
from cyme.cli.reading import Wanted, rows_of
from cyme.cli.session import Session

_CHANGED = (kinds.APPS, kinds.INSTANCES, kinds.QUEUES)


@click.command(
    "set",
    cls=Command,
    examples="""
    cyme set instance w1 max_concurrency=4
    cyme set instance w1 labels.zone=b          one label; the others stay
    cyme set instance w1 pool=                  back to what its app says
    cyme set instance w1 pinned=false           it may move to other branches
    cyme set app shop env.DEBUG=1
    cyme set app shop workdir=/srv/shop-42 --rolling
    cyme set queue orders -a shop routing_key=orders.#
    """,
    help="Change parameters of apps, instances or queues. An empty value resets one. Some changes "
    "restart the worker, as the HTTP API's page tells. Of an app all instances take them up at "
    "once; with --rolling some at a time, and where one does not run with them it is set back and "
    "the app is not changed.",
)
@click.argument(
    "words",
    nargs=-1,
    required=True,
    metavar="TYPE NAME... PARAMETER=VALUE...",
    shell_complete=typed_names(_CHANGED),
)
@click.option("--rolling", is_flag=True, help="Restart the instances of the app in turn.")
@AT_A_TIME
@click.option("--wait-timeout", type=float, metavar="SECONDS", help="A turn.  [default: 120]")
@takes(OUTPUT, NOWAIT)
@pass_session
def command(
    session: Session,
    words: Sequence[str],
    rolling: bool,
    at_a_time: int | None,
    wait_timeout: float | None,
) -> int:
    """Change parameters."""
    names_and_type, parameters = split_words(words)
    if not names_and_type or not parameters:
        raise BadUsage("Say: cyme set TYPE NAME PARAMETER=VALUE.")
    kind, names = kinds.split_types(names_and_type, _CHANGED)
    if not names:
        raise BadUsage(f"Which {kind.singular}?")

    if rolling or at_a_time is not None:
        return _change_in_turn(session, kind, names, parameters, at_a_time, wait_timeout)

    def change(name: str) -> None:
        row = rows_of(session, kind, Wanted(names=[name]))[0]
        members = parameters_in(parameters, row)
        path = {
            kinds.APPS: (name,),
            kinds.INSTANCES: (str(row.get("app")), "instances", name),
            kinds.QUEUES: (str(row.get("app") or session.app), "queues", name),
        }[kind]
        print_written(session, kind, deeds.change(session, kind.singular, path, members))

    return deeds.each_of(session, names, change)


def _change_in_turn(
    session: Session,
    kind: kinds.Kind,
    names: Sequence[str],
    parameters: Sequence[str],
    at_a_time: int | None,
    timeout_s: float | None,
) -> int:
    from cyme.cli.rolling import STARTED_WITH, set_in_turn  # noqa: PLC0415 - on request only

    if kind is not kinds.APPS or len(names) != 1:
        raise BadUsage("One app at a time is changed with --rolling.")
    row = rows_of(session, kind, Wanted(names=names))[0]
    members = parameters_in(parameters, row)
    if None in members.values():
        raise BadUsage("What is reset cannot be taken up in turn; leave out --rolling.")
    others = sorted(set(members) - STARTED_WITH)
    if others:
        raise BadUsage(
            f"No worker restarts for {', '.join(others)}, so leave out --rolling. It is for "
            f"{', '.join(sorted(STARTED_WITH))}."
        )
    app = names[0]

    def write() -> None:
        print_written(session, kind, deeds.change(session, "app", (app,), members))

    return set_in_turn(session, app, members, write, at_a_time, timeout_s)
