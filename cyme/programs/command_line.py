"""The command line of ``cyme-branch``: its commands, its help and its exit codes."""

from __future__ import annotations

import platform
import sys
from collections.abc import Sequence
from typing import Any

import click

import cyme
from cyme.errors import CymeError, StartupError
from cyme.programs import daemon
from cyme.programs.drivers import drivers_left_out
from cyme.programs.options import READY_FD, SectionedCommand, options, split
from cyme.settings import Loaded, read_settings

PROGRAM = "cyme-branch"

_INTERRUPTED = 130  # what a shell reports of a program that Ctrl-C ended

_HELP = """\
Run a branch: keep the Celery workers of this machine as its HTTP API is told.

Start one on every machine. Then create an app and a worker:

\b
  curl -X PUT http://localhost:8000/foo/
  curl -X PUT http://localhost:8000/foo/instances/
"""

_EPILOG = """\
Examples:
  cyme-branch                                a branch on 127.0.0.1:8000, with a broker of its own
  cyme-branch :8001 -i branch1 -D cyme/branch1/
  CYME_BROKER=amqp://user:password@host:5672/vhost cyme-branch
  cyme-branch --bind 0.0.0.0 --cluster-secret cyme.secret --join other-machine
  cyme-branch 0.0.0.0:8443 --tls-cert cert.pem --tls-key key.pem
  cyme-branch --detach --pidfile /run/cyme.pid -D /var/lib/cyme

Other commands (each has a --help of its own):
  cyme-branch token create|list|revoke       tokens for the HTTP API
  cyme-branch broker status|stop             the embedded broker
  cyme-branch secret FILE                    a secret for a cluster of several machines

Every option can also be set by a variable, CYME_ and its long name in capitals with underscores
(CYME_SUP_INTERVAL=5), or in the settings file by its long name (sup-interval = 5). A flag wins
over the variable, the variable over the file. A list is separated by commas in a variable.

Signals: TERM and INT stop the branch; its workers run on and the next start takes them over. A
second one ends it at once. HUP opens the log file anew; without a log file it is as TERM.
"""


def run(arguments: Sequence[str]) -> int:
    """Run a command line and return its exit code; no error of Cyme passes as a traceback."""
    try:
        return _dispatch(list(arguments))
    except click.exceptions.Exit as exc:
        return exc.exit_code
    except click.ClickException as exc:
        exc.show()
        return exc.exit_code
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except CymeError as exc:
        click.echo(f"{PROGRAM}: {exc}", err=True)
        return exc.exit_code if isinstance(exc, StartupError) else StartupError.exit_code


def _dispatch(arguments: list[str]) -> int:
    match arguments[:1]:
        case ["token"]:
            from cyme.programs.token_commands import token  # noqa: PLC0415 - the help needs none

            return _call(token, arguments[1:], f"{PROGRAM} token")
        case ["broker"]:
            from cyme.programs.broker_commands import broker  # noqa: PLC0415 - as above

            return _call(broker, arguments[1:], f"{PROGRAM} broker")
        case ["secret"]:
            from cyme.programs.secret_commands import secret  # noqa: PLC0415 - as above

            return _call(secret, arguments[1:], f"{PROGRAM} secret")
        case ["run"]:
            return _call(_run, arguments[1:], PROGRAM)
        case _:
            return _call(_run, arguments, PROGRAM)


def _call(command: click.Command, arguments: list[str], name: str) -> int:
    returned: object = command.main(arguments, prog_name=name, standalone_mode=False)
    return returned if isinstance(returned, int) else 0


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted:
        click.echo(f"{PROGRAM} {cyme.__version__} (Python {platform.python_version()})")
        ctx.exit()


@click.command(
    cls=SectionedCommand,
    help=_HELP,
    epilog=_EPILOG,
    options_metavar="[OPTIONS]",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@options()
@click.option(f"{daemon.READY_FLAG}", READY_FD, type=int, hidden=True)
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_version,
    help="Show the version and exit.",
)
def _run(**given: Any) -> int:
    ready_fd = given.pop(READY_FD)
    flags, file = split(given)
    loaded = read_settings(flags, file)
    warn(loaded)
    if loaded.settings.detach and ready_fd is None:
        return daemon.detach(sys.argv[1:])
    with drivers_left_out(loaded.settings.database):
        from cyme.programs.serve import serve  # noqa: PLC0415 - all that is heavy comes with it

    return serve(loaded, ready_fd=ready_fd)


def warn(loaded: Loaded) -> None:
    """Print what the person at the terminal should know of the settings."""
    for warning in loaded.warnings:
        click.echo(f"{PROGRAM}: warning: {warning}", err=True)
