"""``cyme context``: branches that have a name."""

from __future__ import annotations

import click

from cyme.cli import completing
from cyme.cli.contexts import Context, read_config, write_config
from cyme.cli.environment import config_path
from cyme.cli.faults import BadUsage
from cyme.cli.options import HELP_NAMES, OUTPUT, WIDTH_MAX, Command, pass_session, takes
from cyme.cli.printing import form_of, print_data
from cyme.cli.session import Session
from cyme.cli.text.tables import Column, table_lines
from cyme.client.addresses import address_of

_COLUMNS = (
    Column("", lambda row: "*" if row["current"] else " "),
    Column("NAME", lambda row: row["name"], flexible=True),
    Column("URLS", lambda row: ",".join(row["urls"]), flexible=True),
    Column("TOKEN", lambda row: "yes" if row["token"] else "no"),
    Column("APP", lambda row: row["app"] or "", flexible=True),
)


class _Context(Command, click.Group):
    """A command with commands."""


def _complete(_ctx: click.Context, _parameter: click.Parameter, incomplete: str) -> list[str]:
    return completing.contexts(incomplete)


@click.group(
    "context",
    cls=_Context,
    context_settings={**HELP_NAMES, "max_content_width": WIDTH_MAX},
    examples="""
    cyme context set prod https://cyme-a:8443 https://cyme-b:8443 --app shop
    cyme login --context prod                   asks for the token
    cyme context use prod
    cyme context show                           what is talked to, and why
    cyme --context staging get instances        another one, once
    """,
    help="Choose among branches that have a name. They are kept in "
    "$XDG_CONFIG_HOME/cyme/config.toml, which only you can read.",
)
def command() -> None:
    """Choose among branches."""


@command.command("list", cls=Command, help="List the contexts; the current one has a star.")
@takes(OUTPUT)
@pass_session
def list_contexts(session: Session) -> None:
    """List the contexts."""
    config = read_config()
    rows = [
        {
            "name": name,
            "urls": list(context.urls),
            "token": context.token is not None,
            "app": context.app,
            "ca": context.ca,
            "current": name == config.current,
        }
        for name, context in sorted(config.contexts.items())
    ]
    form = form_of(session)
    if form.name == "name":
        session.out_lines(f"context/{row['name']}" for row in rows)
    elif not form.is_table:
        print_data(session, {"items": rows}, form)
    elif rows:
        session.out_lines(table_lines(_COLUMNS, rows, width=session.width, colour=session.colour))
    else:
        session.say("There are no contexts. 'cyme context set NAME URL' makes one.")


@command.command("use", cls=Command, help="Talk to the branches of this context from now on.")
@click.argument("name", shell_complete=_complete)
@pass_session
def use(session: Session, name: str) -> None:
    """Choose a context."""
    config = read_config()
    context = config.context(name)
    write_config(config.with_context(name, context, use=True))
    session.say(f"From now on it is {name}, at {', '.join(context.urls) or 'the usual address'}.")


@command.command("set", cls=Command, help="Make a context, or change it.")
@click.argument("name", shell_complete=_complete)
@click.argument("urls", nargs=-1, metavar="[URL]...")
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(dir_okay=False),
    help="Certificates to trust instead of the system's; empty for those.",
)
@click.option("--app", "default_app", metavar="APP", help="The app unless another is named.")
@click.option("--use", "is_current", is_flag=True, help="Use it from now on.")
@pass_session
def set_context(
    session: Session,
    name: str,
    urls: tuple[str, ...],
    ca: str | None,
    default_app: str | None,
    is_current: bool,
) -> None:
    """Make or change a context."""
    config = read_config()
    before = config.contexts.get(name, Context())
    try:
        given = tuple(address_of(url).url for url in urls)
    except ValueError as exc:
        raise BadUsage(str(exc)) from exc
    if not given and not before.urls:
        raise BadUsage("Where are its branches? Say: cyme context set NAME URL.")
    context = Context(
        urls=given or before.urls,
        # A token belongs to the branches that it was given for.
        token=before.token if not given or set(given) <= set(before.urls) else None,
        ca=before.ca if ca is None else ca or None,
        app=before.app if default_app is None else default_app or None,
    )
    write_config(config.with_context(name, context, use=is_current))
    session.say(f"The context {name} is kept in {config_path()}.")
    if before.token and not context.token:
        session.warn(f"Its token was for other URLs and is gone; 'cyme login --context {name}'.")


@command.command("delete", cls=Command, help="Forget a context, its token included.")
@click.argument("name", shell_complete=_complete)
@pass_session
def delete(session: Session, name: str) -> None:
    """Forget a context."""
    write_config(read_config().without(name))
    session.say(f"The context {name} is deleted.")


@command.command("none", cls=Command, help="Use no context, but find a branch on this machine.")
@pass_session
def none(session: Session) -> None:
    """Use no context."""
    config = read_config()
    write_config(type(config)(None, config.contexts))
    session.say("No context is used from now on.")


@command.command("show", cls=Command, help="Show what is talked to, and why.")
@takes(OUTPUT)
@pass_session
def show(session: Session) -> None:
    """Show what is talked to."""
    chosen = session.chosen
    form = form_of(session)
    if not form.is_table:
        print_data(
            session,
            {
                "context": chosen.context,
                "urls": list(chosen.urls),
                "why": chosen.why,
                "token_from": chosen.token_from or None,
                "ca": chosen.ca,
                "app": session.app,
            },
            form,
        )
        return
    session.out(f"branch   {', '.join(chosen.urls)}")
    session.out(f"because  {chosen.why}")
    session.out(f"token    {'from ' + chosen.token_from if chosen.token_from else 'none'}")
    if chosen.ca:
        session.out(f"trusts   {chosen.ca}")
    if session.app:
        session.out(f"app      {session.app}")
