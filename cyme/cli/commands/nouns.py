"""``cyme apps``, ``cyme instances.add``, ``cyme queues delete`` ...: commands by noun.

They do through the same functions what ``get``, ``create`` and ``delete`` do. Their arguments stand
in a fixed order, and adding what exists already changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from cyme.cli import deeds, kinds
from cyme.cli.commands.describe import describe
from cyme.cli.faults import did_you_mean
from cyme.cli.options import (
    HELP_NAMES,
    NO_HEADERS,
    NOWAIT,
    OUTPUT,
    WIDTH_MAX,
    Command,
    pass_session,
    takes,
)
from cyme.cli.parameters import json_object
from cyme.cli.printing import Form, print_data, print_rows, print_written
from cyme.cli.reading import Wanted, rows_of
from cyme.cli.selection import APP_NAME, BRANCH, INSTANCE, QUEUE
from cyme.cli.session import Session, present

if TYPE_CHECKING:
    from cyme.cli.text.tables import Row

_TEXT: Mapping[str, Any] = {"required": False}
_FORCE = click.option(
    "--force", is_flag=True, help="Also where others depend on it, or its branch is gone."
)


class Noun(Command, click.Group):
    """A noun with its actions; without one it lists."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the action that the words name."""
        word, *rest = args
        command = self.get_command(ctx, {"all": "list"}.get(word, word))
        if command is None and self is consumers:
            # What stands after this noun is an instance, whose consumers are listed.
            return "list", self.commands["list"], args
        if command is None and not ctx.resilient_parsing:
            known = [*self.commands, "all"]
            raise click.UsageError(
                f"{self.name} has no {word!r}.{did_you_mean(word, known)} "
                f"There are {', '.join(known)}.",
                ctx,
            )
        return word, command, rest


def _noun(kind: kinds.Kind, summary: str) -> Noun:
    noun = Noun(
        name=kind.plural,
        help=summary,
        invoke_without_command=True,
        params=[OUTPUT(), NO_HEADERS()],
        context_settings={**HELP_NAMES, "max_content_width": WIDTH_MAX},
    )

    @click.pass_context
    def listed(ctx: click.Context) -> None:
        if ctx.invoked_subcommand is None:
            ctx.invoke(noun.commands["list"])

    noun.callback = listed
    return noun


def _action(noun: Noun, name: str, summary: str, *options: Any) -> Callable[[Any], Any]:
    def decorate(function: Any) -> Any:
        taken = takes(*options)(pass_session(function))
        made = click.command(name, cls=Command, help=summary)(taken)
        noun.add_command(made)
        return function

    return decorate


def _list(session: Session, kind: kinds.Kind, wanted: Wanted) -> None:
    rows = rows_of(session, kind, wanted)
    if session.given.format is not None:
        print_data(session, [row[kind.key] for row in rows], Form("json"))
    else:
        print_rows(session, kind, rows)


def _get(session: Session, kind: kinds.Kind, name: str) -> None:
    if session.given.format is not None:
        print_data(session, rows_of(session, kind, Wanted(names=[name]))[0], Form("json"))
    else:
        describe(session, kind, [name])


def _ok(session: Session, kind: kinds.Kind, name: str) -> None:
    """Print what the API replies to a deletion, where data is wanted."""
    if session.given.format is not None:
        print_data(session, {"ok": "ok"}, Form("json"))
    elif session.given.output is not None:
        print_rows(session, kind, [{kind.key: name}], single=True)


def _readable(kind: kinds.Kind, summary: str, complete: Callable[..., Any]) -> Noun:
    """Return a noun whose things can be listed, and shown one by one."""
    noun = _noun(kind, summary)

    @_action(noun, "list", f"List {kind.plural}.", OUTPUT, NO_HEADERS)
    def list_all(session: Session) -> None:
        _list(session, kind, Wanted(with_vitals=session.given.format is None))

    @_action(noun, "get", f"Show one of the {kind.plural}.", OUTPUT)
    @click.argument("name", shell_complete=complete)
    def get(session: Session, name: str) -> None:
        _get(session, kind, name)

    return noun


apps = _readable(kinds.APPS, "List the apps; or add, get, delete one.", APP_NAME)
instances = _readable(
    kinds.INSTANCES, "List instances; or add, get, delete, stats, autoscale one.", INSTANCE
)
queues = _readable(kinds.QUEUES, "List queues; or add, get, delete one.", QUEUE)
consumers = _noun(kinds.CONSUMERS, "List what an instance consumes from; or add, delete a queue.")
branches = _readable(kinds.BRANCHES, "List the branches; or get one.", BRANCH)


# --- apps -----------------------------------------------------------------------------------------


@_action(apps, "add", "Create an app, or change it.", OUTPUT, NOWAIT)
@click.argument("name")
@click.argument("broker", **_TEXT)
@click.argument("arguments", **_TEXT)
@click.argument("extra_config", **_TEXT)
def _add_app(session: Session, name: str, **given: str | None) -> None:
    written = deeds.create_app(session, name, present(given), may_exist=True)
    print_written(session, kinds.APPS, written)


@_action(apps, "delete", "Delete an app.", OUTPUT, NOWAIT)
@click.argument("name", shell_complete=APP_NAME)
@_FORCE
def _delete_app(session: Session, name: str, force: bool) -> None:
    deeds.delete_app(session, name, force=force)
    _ok(session, kinds.APPS, name)


# --- instances ------------------------------------------------------------------------------------


@_action(instances, "add", "Create an instance, or change it.", OUTPUT, NOWAIT)
@click.argument("name", **_TEXT)
@click.argument("broker", **_TEXT)
@click.argument("arguments", **_TEXT)
@click.argument("extra_config", **_TEXT)
def _add_instance(session: Session, name: str | None, **given: str | None) -> None:
    app = session.need_app()
    written = deeds.create_instance(session, app, name, present(given), may_exist=True)
    print_written(session, kinds.INSTANCES, written)


@_action(instances, "delete", "Delete an instance.", OUTPUT, NOWAIT)
@click.argument("name", shell_complete=INSTANCE)
@_FORCE
def _delete_instance(session: Session, name: str, force: bool) -> None:
    deeds.delete_instance(session, name, force=force)
    _ok(session, kinds.INSTANCES, name)


@_action(instances, "stats", "Show what a worker says of itself.", OUTPUT)
@click.argument("name", shell_complete=INSTANCE)
def _stats(session: Session, name: str) -> None:
    row = rows_of(session, kinds.INSTANCES, Wanted(names=[name]))[0]
    print_data(session, session.get(str(row["app"]), "instances", name, "stats"))


@_action(instances, "autoscale", "Show or set the limits of concurrency.", OUTPUT, NOWAIT)
@click.argument("name", shell_complete=INSTANCE)
@click.argument("most", metavar="[MAX]", required=False, type=click.IntRange(1))
@click.argument("least", metavar="[MIN]", required=False, type=click.IntRange(1))
def _autoscale(session: Session, name: str, most: int | None, least: int | None) -> None:
    show_or_set_limits(session, name, most, least)


def show_or_set_limits(session: Session, name: str, most: int | None, least: int | None) -> None:
    """Show the limits of an instance's concurrency, or set those that are given."""
    if most is None and least is None:
        found = deeds.limits(session, name)
        if session.given.format is None and session.given.output is None:
            session.out(f"{found['min']}-{found['max']}")
        else:
            print_data(session, found)
        return
    written = deeds.set_limits(session, name, most, least)
    if "max" in written:
        session.say(f"The instance {name} runs {written['min']} to {written['max']} at a time.")
    if session.given.format is not None or session.given.output is not None:
        print_data(session, written)


# --- queues ---------------------------------------------------------------------------------------


@_action(queues, "add", "Declare a queue, or change it; OPTIONS are a JSON object.", OUTPUT, NOWAIT)
@click.argument("name")
@click.argument("exchange", **_TEXT)
@click.argument("exchange_type", **_TEXT)
@click.argument("routing_key", **_TEXT)
@click.argument("options", **_TEXT)
def _add_queue(session: Session, name: str, options: str | None, **given: str | None) -> None:
    members = present({**given, "options": json_object(options, "options of a queue")})
    written: Row = deeds.create_queue(session, session.need_app(), name, members, may_exist=True)
    print_written(session, kinds.QUEUES, written)


@_action(queues, "delete", "Delete the declaration of a queue.", OUTPUT, NOWAIT)
@click.argument("name", shell_complete=QUEUE)
@_FORCE
def _delete_queue(session: Session, name: str, force: bool) -> None:
    deeds.delete_queue(session, session.need_app(), name, force=force)
    _ok(session, kinds.QUEUES, name)


# --- consumers ------------------------------------------------------------------------------------


@_action(consumers, "list", "List what an instance consumes from.", OUTPUT, NO_HEADERS)
@click.argument("instance", **_TEXT, shell_complete=INSTANCE)
def _list_consumers(session: Session, instance: str | None = None) -> None:
    _list(session, kinds.CONSUMERS, Wanted(names=[instance] if instance else []))


@_action(consumers, "add", "Have an instance consume from a queue.", OUTPUT, NOWAIT)
@click.argument("instance", shell_complete=INSTANCE)
@click.argument("queue", shell_complete=QUEUE)
def _add_consumer(session: Session, instance: str, queue: str) -> None:
    deeds.add_consumer(session, instance, queue)
    _ok(session, kinds.CONSUMERS, queue)


@_action(consumers, "delete", "Have an instance consume from a queue no more.", OUTPUT, NOWAIT)
@click.argument("instance", shell_complete=INSTANCE)
@click.argument("queue", shell_complete=QUEUE)
def _delete_consumer(session: Session, instance: str, queue: str) -> None:
    deeds.delete_consumer(session, instance, queue)
    _ok(session, kinds.CONSUMERS, queue)
