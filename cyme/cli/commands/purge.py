"""``cyme purge``: throw the messages of a queue away."""

from __future__ import annotations

import click

from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.printing import print_data
from cyme.cli.selection import QUEUE
from cyme.cli.session import Session


@click.command(
    "purge",
    cls=Command,
    examples="cyme purge orders -a shop",
    help="Throw the messages of a queue away, after showing how many there are. They cannot be "
    "had back.",
)
@click.argument("words", nargs=-1, required=True, metavar="[APP] QUEUE", shell_complete=QUEUE)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@takes(OUTPUT)
@pass_session
def command(session: Session, words: tuple[str, ...], yes: bool) -> int:
    """Purge a queue."""
    if len(words) > 2:  # noqa: PLR2004 - an app and a queue
        raise BadUsage("One queue a call.")
    app = words[0] if len(words) > 1 else session.need_app()
    queue = words[-1]
    stats = session.get(app, "queues", queue, "stats")
    depth = stats.get("depth")
    if stats.get("error"):
        session.warn(f"The queue cannot be looked at: {stats['error']}")
    if depth == 0:
        session.say(f"The queue {queue} of the app {app} is empty.")
        return Exit.OK
    many = "an unknown number of messages" if depth is None else f"{depth} messages"
    session.confirm(
        f"Throw away {many} of the queue {queue} of the app {app}",
        count=2 if depth is None else depth,
        yes=yes,
    )
    done = session.post(app, "queues", queue, "purge", expect=depth)
    session.say(f"{done['purged']} messages are gone.")
    if session.given.output is not None:
        print_data(session, done)
    return Exit.OK
