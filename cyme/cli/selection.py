"""Which instances a command is about: those that are named, all of an app, those with labels."""

from __future__ import annotations

from collections.abc import Callable, Sequence, Sized
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import kinds
from cyme.cli.faults import BadUsage
from cyme.cli.options import Decorator
from cyme.cli.reading import Wanted, labels_in, rows_of

if TYPE_CHECKING:
    from cyme.cli.session import Session
    from cyme.cli.text.tables import Row


def complete_names(*kind: str) -> Callable[[click.Context, click.Parameter, str], list[Any]]:
    """Return what completes names of kinds, asking the branch."""

    def complete(ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[Any]:
        from cyme.cli.completing import names  # noqa: PLC0415 - only for completion

        return [found for each in kind for found in names(ctx, each, incomplete)]

    return complete


INSTANCE = complete_names("instance")
BRANCH = complete_names("branch")
APP_NAME = complete_names("app")
QUEUE = complete_names("queue")


def selects_instances(function: Any) -> Any:
    """Give a command the arguments and options that choose instances."""
    for decorate in reversed(_SELECTORS):
        function = decorate(function)
    return function


_SELECTORS: Sequence[Decorator] = (
    click.argument("names", nargs=-1, metavar="[INSTANCE]...", shell_complete=INSTANCE),
    click.option("--all", "everything", is_flag=True, help="All of the app, or of the cluster."),
    click.option("-l", "--selector", "labels", multiple=True, metavar="KEY=VALUE",
                 help="Those with this label; several must all be there."),
    click.option("--branch", metavar="ID", help="Those on this branch.", shell_complete=BRANCH),
)  # fmt: skip


def selected(
    session: Session,
    names: Sequence[str],
    *,
    everything: bool,
    labels: Sequence[str],
    branch: str | None,
) -> list[Row]:
    """Return the instances that the words of a command choose.

    Raises:
        BadUsage: They choose none, or in two ways at once.
        CommandFailed: One that is named is not there.
    """
    chosen = everything or bool(labels) or branch is not None
    if names and chosen:
        raise BadUsage("Name instances, or choose them with --all, --selector or --branch.")
    if not names and not chosen:
        raise BadUsage(
            "Which instances? Name them, or choose them with --all, --selector or --branch."
        )
    wanted = Wanted(
        names=[name.removeprefix("instance/") for name in dict.fromkeys(names)],
        labels=labels_in(labels),
        branch=branch,
    )
    return rows_of(session, kinds.INSTANCES, wanted)


def count(rows: Sized, noun: str = "instance") -> str:
    """Return ``1 instance`` or ``3 instances``."""
    return f"{len(rows)} {noun}{'' if len(rows) == 1 else 's'}"
