"""What there is to say of a branch that has started."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from pathlib import Path

from cyme.core.model import masked
from cyme.programs.banner import Facts
from cyme.programs.binding import is_loopback, url_of
from cyme.programs.broker_choice import DefaultBroker
from cyme.programs.clustering import Clustering, Served
from cyme.programs.layout import DATABASE_FILE
from cyme.programs.registry import ADMIN_TOKEN_FILE
from cyme.runtime.replica import Replica
from cyme.settings import Loaded, Settings


def served_of(settings: Settings, listening: socket.socket | None, log: Path | None) -> Served:
    """Return where a branch serves HTTP, and where it logs."""
    url = port = None
    if listening is not None:
        url = url_of(listening, "https" if settings.tls_cert else "http")
        port = listening.getsockname()[1]
    return Served(url=url, port=port, logfile=None if log is None else str(log))


def warnings_of(loaded: Loaded, listening: socket.socket | None, cluster: Clustering) -> list[str]:
    """Return what may harm whoever runs a branch as it was told to."""
    settings = loaded.settings
    warnings: list[str] = []
    if _is_exposed(listening) and settings.tls_cert is None:
        warnings.append(
            "tokens and passwords travel unprotected (--insecure): whoever sees the traffic "
            "can use them"
        )
    if os.geteuid() == 0:
        warnings.append(
            "it runs as root, and so do its workers: whoever may create them runs code as "
            "root; start it as another user, or with --uid"
        )
    if cluster.is_exposed and settings.broker is None:
        warnings.append(
            "the embedded broker is reached from this machine alone, and branches on other "
            "machines cannot use it: name one that all can reach with CYME_BROKER"
        )
    if "numc" in loaded.sources:
        warnings.append(
            "-C/--numc is only shown with the branch: one process serves all requests at once"
        )
    return warnings


def facts_of(
    loaded: Loaded,
    listening: socket.socket | None,
    *,
    branch_id: str,
    directory: Path,
    log: Path | None,
    default: DefaultBroker,
    replica: Replica,
    cluster: Clustering,
    warnings: Sequence[str],
) -> Facts:
    """Return what is told of a branch once it is ready.

    Args:
        loaded: What it was told.
        listening: Where it serves HTTP, None if nowhere.
        branch_id: Its id.
        directory: Its directory.
        log: Where it logs to, None for standard error.
        default: The broker of apps that name none.
        replica: Its records.
        cluster: Its part in the cluster.
        warnings: What may go wrong, in words.
    """
    settings = loaded.settings
    admin_token = directory / ADMIN_TOKEN_FILE
    return Facts(
        branch_id=branch_id,
        pid=os.getpid(),
        url=served_of(settings, listening, log).url,
        cluster=cluster.described(),
        directory=directory,
        database=masked(settings.database or str(directory / DATABASE_FILE)),
        broker=default.broker.masked_url,
        broker_kind=default.kind,
        log=str(log) if log is not None else "standard error",
        settings_file=loaded.file,
        admin_token=admin_token if admin_token.exists() else None,
        needs_token=_is_exposed(listening) or settings.require_token,
        tells_certificate=settings.tls_cert is not None,
        instances=len(replica.instances_owned()),
        stops_workers=settings.stop_workers_at_exit,
        warnings=warnings,
    )


def _is_exposed(listening: socket.socket | None) -> bool:
    return listening is not None and not is_loopback(listening)
