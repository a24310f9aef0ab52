"""``cyme token``: the tokens of a branch."""

from __future__ import annotations

import sys
from typing import Any

import click

from cyme.cli import environment, kinds
from cyme.cli.deeds import each_of
from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage
from cyme.cli.options import (
    HELP_NAMES,
    NO_HEADERS,
    OUTPUT,
    WIDTH_MAX,
    Command,
    pass_session,
    takes,
)
from cyme.cli.printing import print_data, print_rows
from cyme.cli.reading import Wanted, here, rows_of
from cyme.cli.selection import BRANCH, complete_names
from cyme.cli.session import Session, present
from cyme.client.messages import path_of

_BRANCH = click.option(
    "--branch",
    metavar="ID",
    shell_complete=BRANCH,
    help="The branch that knows it.  [default: the one that is asked]",
)

_ALL = click.option(
    "--all-branches", is_flag=True, help="All branches of the cluster in place of one."
)


class _Token(Command, click.Group):
    """A command with commands."""


@click.group(
    "token",
    cls=_Token,
    context_settings={**HELP_NAMES, "max_content_width": WIDTH_MAX},
    examples="""
    cyme token create prometheus --role viewer --all-branches > cyme.token
    cyme token list
    cyme token revoke prometheus --all-branches
    """,
    help="Make, list and revoke tokens of a branch. A viewer may read, an operator may also create "
    "and change what runs, an administrator may also choose the code that runs.",
)
def command() -> None:
    """Tokens of a branch."""


@command.command(
    "create", cls=Command, help="Make a token and print it, the only time that it is shown."
)
@click.argument("name")
@click.option(
    "-r",
    "--role",
    type=click.Choice(["viewer", "operator", "admin"]),
    default="operator",
    show_default=True,
    help="What its bearer may do.",
)
@_BRANCH
@_ALL
@takes(OUTPUT)
@pass_session
def create(session: Session, name: str, role: str, branch: str | None, all_branches: bool) -> Exit:
    """Make a token."""
    first, *others = _branches(session, branch, all_branches=all_branches)

    def know(branch: str, secret: str | None = None) -> Any:
        return session.calls.value(
            "PUT",
            path_of("branches", branch, "tokens", name),
            members=present({"role": role, "secret": secret}),
            is_idempotent=secret is not None,
        )

    made = know(first)
    # It is shown before the others are told, so that it is not lost if one cannot be.
    session.say(f"This is the token {name!r} of the branch {first}, with the role {role}.")
    if environment.is_terminal(sys.stdout):
        session.say("Keep it: it is not shown again.")
    if session.given.output is not None:
        print_data(session, made)
    else:
        session.out(str(made["token"]))
    session.flush()

    def share(branch: str) -> None:
        if branch != first:
            know(branch, str(made["token"]))
            session.say(f"The branch {branch} knows it too.")

    return each_of(session, [first, *others], share)


@command.command("list", cls=Command, help="List the names and roles of tokens.")
@_BRANCH
@takes(OUTPUT, NO_HEADERS)
@pass_session
def list_tokens(session: Session, branch: str | None) -> None:
    """List tokens."""
    rows = rows_of(session, kinds.TOKENS, Wanted(branch=branch))
    print_rows(session, kinds.TOKENS, rows)


@command.command("revoke", cls=Command, help="Make a token invalid from now on.")
@click.argument("name", shell_complete=complete_names("token"))
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--force", is_flag=True, help="Also the token that this command is using.")
@_BRANCH
@_ALL
@pass_session
def revoke(
    session: Session, name: str, yes: bool, force: bool, branch: str | None, all_branches: bool
) -> Exit:
    """Revoke a token."""
    branches = _branches(session, branch, all_branches=all_branches)
    whose = "all branches" if all_branches else f"the branch {branches[0]}"
    session.confirm(f"Revoke the token {name} of {whose}", count=1, yes=yes)

    def forget(branch: str) -> None:
        session.delete("branches", branch, "tokens", name, force=force or None)
        session.say(f"The token {name} of the branch {branch} is revoked.")

    return each_of(session, branches, forget)


def _branches(session: Session, branch: str | None, *, all_branches: bool) -> list[str]:
    """Return the branches that are meant, the one that is asked first."""
    if not all_branches:
        return [branch or here(session)]
    if branch is not None:
        raise BadUsage("Say --branch or --all-branches, not both.")
    asked = here(session)
    return [asked, *(name for name in session.get("branches") if name != asked)]
