"""``cyme-branch token``: make, list and revoke the tokens of a branch."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click

from cyme.adapters.tokens import TokenFile
from cyme.core.access import Role
from cyme.errors import DirectoryUnusable
from cyme.programs.options import options, split
from cyme.settings import read_settings

TOKENS_FILE = "tokens.json"

_KEYS = ("instance-dir",)
_ROLES = [role.label for role in Role]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def token() -> None:
    """Make, list or revoke the tokens that clients of a branch's HTTP API show.

    A viewer may read, an operator may also create and change what runs, an administrator may
    also choose the code that workers run. A running branch takes a change up at once.
    """


@token.command()
@click.argument("name")
@click.option(
    "-r",
    "--role",
    type=click.Choice(_ROLES),
    default=Role.OPERATOR.label,
    show_default=True,
    help="What its bearer may do.",
)
@options(_KEYS)
def create(name: str, role: str, **given: Any) -> None:
    """Make a token called NAME and print it, which is the only time that it is shown.

    Clients send it as 'Authorization: Bearer TOKEN'.
    """
    made = _tokens(given).create(name, Role[role.upper()])
    click.echo(
        f"This is the token {name!r} with the role {role}. Keep it: it is not shown again.",
        err=True,
    )
    click.echo(made)


@token.command("list")
@options(_KEYS)
def list_(**given: Any) -> None:
    """List the names and roles of the tokens; the tokens themselves are not kept."""
    tokens = _tokens(given).list()
    width = max([len("NAME"), *(len(each.name) for each in tokens)])
    click.echo(f"{'NAME':{width}}  ROLE      CREATED")
    for each in tokens:
        created = datetime.fromtimestamp(each.created_at, UTC)
        click.echo(f"{each.name:{width}}  {each.role.label:8}  {created:%Y-%m-%d %H:%M}Z")


@token.command()
@click.argument("name")
@options(_KEYS)
def revoke(name: str, **given: Any) -> None:
    """Make the token called NAME invalid from now on."""
    _tokens(given).revoke(name)
    click.echo(f"The token {name!r} is revoked.")


def _tokens(given: dict[str, Any]) -> TokenFile:
    flags, file = split(given)
    directory = read_settings(flags, file).settings.instance_dir.absolute()
    if not directory.is_dir():
        raise DirectoryUnusable(
            f"There is no branch directory {directory}. Name the branch's directory with -D, or "
            "start the branch once, which makes it."
        )
    return TokenFile(directory / TOKENS_FILE)
