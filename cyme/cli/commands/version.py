"""``cyme version``: of this program, and of the branch that it talks to."""

from __future__ import annotations

import platform

import click

import cyme
from cyme.cli.options import OUTPUT, Command, pass_session, takes
from cyme.cli.printing import form_of, print_data
from cyme.cli.reading import here
from cyme.cli.session import Session


@click.command(
    "version",
    cls=Command,
    help="Show the versions of this program and of the branch that it talks to.",
)
@click.option("--client", "client_only", is_flag=True, help="Ask no branch.")
@takes(OUTPUT)
@pass_session
def command(session: Session, client_only: bool) -> None:
    """Show versions."""
    own = {"version": cyme.__version__, "python": platform.python_version()}
    branch = None if client_only else session.get("branches", here(session))
    form = form_of(session)
    if not form.is_table:
        told = {name: branch[name] for name in ("id", "version", "url")} if branch else None
        print_data(session, {"client": own, "branch": told}, form)
        return
    session.out(f"cyme {own['version']} (Python {own['python']})")
    if branch is not None:
        session.out(f"branch {branch['id']} {branch['version']} at {session.url}")
