"""``cyme delete``: apps, instances, queues, consumers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import click

from cyme.cli import deeds, kinds, waiting
from cyme.cli.completing import typed_names
from cyme.cli.faults import BadUsage
from cyme.cli.options import NOWAIT, Command, pass_session, takes
from cyme.cli.reading import Wanted, labels_in, rows_of
from cyme.cli.selection import count
from cyme.cli.session import Session

_DELETED = (kinds.APPS, kinds.INSTANCES, kinds.QUEUES, kinds.CONSUMERS)


@click.command(
    "delete",
    cls=Command,
    examples="""
    cyme delete instance w1 w2
    cyme delete instances -a shop --all --yes
    cyme delete instances -l zone=a
    cyme delete queue orders -a shop
    cyme delete consumer w1 orders
    cyme delete app shop --force                with all that belongs to it
    """,
    help="Delete things. You are asked first on a terminal; a script that deletes several says "
    "--yes. Workers end warmly.",
)
@click.argument(
    "words", nargs=-1, required=True, metavar="TYPE [NAME]...", shell_complete=typed_names(_DELETED)
)
@takes(NOWAIT)
@click.option("--all", "everything", is_flag=True, help="All of them; of the app with -a.")
@click.option(
    "-l", "--selector", "labels", multiple=True, metavar="KEY=VALUE", help="Those with this label."
)
@click.option(
    "--force", is_flag=True, help="Also where others depend on it, or its branch is gone."
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--missing-ok", is_flag=True, help="It is no error if there is none.")
@click.option("--wait", is_flag=True, help="Wait until instances are gone.")
@pass_session
def command(
    session: Session,
    words: Sequence[str],
    everything: bool,
    labels: Sequence[str],
    force: bool,
    yes: bool,
    missing_ok: bool,
    wait: bool,
) -> int:
    """Delete things."""
    kind, names = kinds.split_types(words, _DELETED)
    if kind is kinds.CONSUMERS:
        return _delete_consumers(session, names, yes=yes, missing_ok=missing_ok)
    if names and (everything or labels):
        raise BadUsage("Name what to delete, or choose it with --all or --selector.")
    if not names:
        if not everything and not labels:
            raise BadUsage(f"Which {kind.plural}? Name them, or say --all.")
        rows = rows_of(session, kind, Wanted(labels=labels_in(labels)))
        names = [str(row[kind.key]) for row in rows]
        if not names:
            session.say(f"There are no {kind.plural} to delete.")
            return 0
    what = names[0] if len(names) == 1 else count(names, kind.singular)
    article = f"the {kind.singular} " if len(names) == 1 else ""
    session.confirm(f"Delete {article}{what}", count=len(names), yes=yes)
    code = deeds.each_of(session, names, _deed(session, kind, force=force), missing_ok=missing_ok)
    if wait and kind is kinds.INSTANCES and not code:
        waiting.wait_for(session, names, waiting.is_gone, what="gone", timeout_s=None)
    return code


def _deed(session: Session, kind: kinds.Kind, *, force: bool) -> Callable[[str], None]:
    if kind is kinds.APPS:
        return lambda name: deeds.delete_app(session, name, force=force)
    if kind is kinds.INSTANCES:
        return lambda name: deeds.delete_instance(session, name, force=force)
    app = session.need_app()
    return lambda name: deeds.delete_queue(session, app, name, force=force)


def _delete_consumers(
    session: Session, names: Sequence[str], *, yes: bool, missing_ok: bool
) -> int:
    if len(names) < 2:  # noqa: PLR2004 - an instance and a queue
        raise BadUsage("Say: cyme delete consumer INSTANCE QUEUE.")
    instance, *queues = names
    session.confirm(
        f"Have {instance} consume from {', '.join(queues)} no more", count=len(queues), yes=yes
    )
    return deeds.each_of(
        session,
        queues,
        lambda queue: deeds.delete_consumer(session, instance, queue),
        missing_ok=missing_ok,
    )
