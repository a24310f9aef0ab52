"""``cyme-branch broker``: look at the embedded broker, and stop it."""

from __future__ import annotations

from typing import Any

import click

from cyme.adapters.embedded_broker import EmbeddedBroker, EmbeddedState
from cyme.programs.options import options, split
from cyme.settings import read_settings, shared_dir

_KEYS = ("cluster", "state-dir")
_STOP_TIMEOUT_S = 15.0
_NOT_RUNNING = 3  # as "systemctl status" says of a service that does not run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def broker() -> None:
    """Look at the embedded broker of this user and cluster, or stop it.

    It is shared by the branches of one user and cluster on this machine, and outlives them, as
    workers do.
    """


@broker.command()
@options(_KEYS)
def status(**given: Any) -> int:
    """Say whether it runs, and where; the exit code is 3 if it does not."""
    report = _embedded(given).status()
    match report.state:
        case EmbeddedState.STOPPED:
            click.echo(f"The embedded broker does not run. Its directory is {report.directory}.")
            return _NOT_RUNNING
        case EmbeddedState.SILENT:
            click.echo(
                "The embedded broker runs and does not answer: it loads its data, or hangs. "
                f"Its directory is {report.directory}."
            )
            return 1
    if report.service is not None:
        service = report.service
        click.echo(
            f"The embedded broker runs at {service.broker.masked_url} as process {service.pid}. "
            f"Its directory is {report.directory}."
        )
    return 0


@broker.command()
@options(_KEYS)
def stop(**given: Any) -> int:
    """Stop it; messages that wait, its address and its password are kept for its next start.

    Branches that use it start it again, so stop those first.
    """
    if _embedded(given).stop(_STOP_TIMEOUT_S):
        click.echo("The embedded broker is stopped.")
    else:
        click.echo("The embedded broker does not run.")
    return 0


def _embedded(given: dict[str, Any]) -> EmbeddedBroker:
    flags, file = split(given)
    settings = read_settings(flags, file).settings
    return EmbeddedBroker(shared_dir(settings), settings.cluster)
