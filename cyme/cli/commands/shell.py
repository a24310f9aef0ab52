"""``cyme shell``: Python with the client and the models at hand."""

from __future__ import annotations

import sys
from typing import Any

import click

import cyme
from cyme.cli.options import Command, pass_session
from cyme.cli.session import Session


@click.command(
    "shell",
    cls=Command,
    examples="""
    cyme shell
    cyme -a shop shell                          with that app as 'app'
    echo 'print(client.all())' | cyme shell
    """,
    help="Start Python (IPython where it is installed) with the client at hand as 'client', the "
    "app of -a as 'app', and the classes of cyme.client.",
)
@click.option("-c", "--command", "code", metavar="CODE", help="Run this and end.")
@click.option("--plain", is_flag=True, help="Python's own shell, though there is IPython.")
@pass_session
def command(session: Session, code: str | None, plain: bool) -> int:
    """Start Python."""
    names = _names(session)
    if code is not None or not sys.stdin.isatty():
        source = code if code is not None else sys.stdin.read()
        exec(compile(source, "<cyme shell>", "exec"), names)  # noqa: S102 - what a shell is for
        return 0
    banner = (
        f"cyme {cyme.__version__}, Python {sys.version.split()[0]}: {session.url}\n"
        f"There are {', '.join(sorted(name for name in names if name[0] != '_'))}."
    )
    if not plain and _start_ipython(names, banner):
        return 0
    import code as console  # noqa: PLC0415 - only for a shell

    _complete_lines(names)
    console.interact(banner=banner, local=names, exitmsg="")
    return 0


def _names(session: Session) -> dict[str, Any]:
    from cyme import client as models  # noqa: PLC0415 - all of the client, only here

    names: dict[str, Any] = {name: getattr(models, name) for name in getattr(models, "__all__", ())}
    names.update(__name__="__main__", client=session.client)
    if session.app is not None:
        names["app"] = session.client.get(session.app)
    return names


def _start_ipython(names: dict[str, Any], banner: str) -> bool:
    try:
        from IPython import start_ipython  # type: ignore[import-not-found]  # noqa: PLC0415
    except ImportError:
        return False
    print(banner, file=sys.stderr)  # noqa: T201 - words for the person at the terminal
    start_ipython(argv=[], user_ns=names, display_banner=False)
    return True


def _complete_lines(names: dict[str, Any]) -> None:
    try:
        import readline  # noqa: PLC0415 - not on every Python
        import rlcompleter  # noqa: PLC0415 - as above
    except ImportError:
        return
    readline.set_completer(rlcompleter.Completer(names).complete)
    readline.parse_and_bind("tab: complete")
