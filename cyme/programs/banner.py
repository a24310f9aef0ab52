"""What a branch says when it is ready: what runs where, and how to go on."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cyme

_LABEL_COLUMNS = 13
_COLUMNS_MIN = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to say; every URL is masked.

    Attributes:
        branch_id: The branch.
        pid: Its process id.
        url: Where HTTP is served, or None.
        cluster: Its cluster, in a few words.
        directory: The branch's directory.
        database: The database.
        broker: The default broker.
        broker_kind: How it came to be that, in a few words.
        log: Where the log goes.
        settings_file: The settings file that was read, or None.
        admin_token: The file with the administrator's token, or None if it is gone.
        needs_token: Whether every caller needs a token.
        tells_certificate: Whether curl must be told the certificate's authority.
        instances: How many instances this branch owns.
        stops_workers: Whether its workers stop with it.
        warnings: What an operator should mind.
    """

    branch_id: str
    pid: int
    url: str | None
    cluster: str
    directory: Path
    database: str
    broker: str
    broker_kind: str
    log: str
    settings_file: Path | None
    admin_token: Path | None
    needs_token: bool
    tells_certificate: bool
    instances: int
    stops_workers: bool = False
    warnings: Sequence[str] = ()


def banner(facts: Facts, columns: int) -> str:
    """Return the text for a terminal.

    Args:
        facts: What there is to say.
        columns: The width of the terminal, in characters.
    """
    lines = [
        f"Cyme {cyme.__version__}: branch {facts.branch_id!r} is ready (process {facts.pid}).",
        *(f"  {label:{_LABEL_COLUMNS}}{text}" for label, text in _rows(facts)),
        *(_wrapped("mind:", warning, columns) for warning in facts.warnings),
    ]
    if facts.url is not None:
        lines += ["To go on, in another terminal:", *(f"  {each}" for each in _commands(facts))]
    lines.append(f"Ctrl-C stops the branch; {fate_of_workers(facts.stops_workers)}.")
    return "\n".join(lines)


def fate_of_workers(stop_with_it: bool) -> str:
    """Say what becomes of the workers when their branch stops."""
    if stop_with_it:
        return "its workers stop with it"
    return "its workers run on and its next start takes them over"


def summary(facts: Facts) -> str:
    """Return the same for a log, on one line."""
    return ", ".join(f"{label.strip()} {text}" for label, text in _rows(facts))


def _rows(facts: Facts) -> Sequence[tuple[str, str]]:
    rows = [
        ("HTTP", facts.url or "none (--without-http)"),
        *([("page", f"{facts.url}/admin/")] if facts.url is not None else []),
        ("cluster", facts.cluster),
        ("directory", str(facts.directory)),
        ("database", facts.database),
        ("broker", f"{facts.broker} ({facts.broker_kind})"),
        ("log", facts.log),
        ("workers", _workers(facts)),
    ]
    if facts.settings_file is not None:
        rows.append(("settings", str(facts.settings_file)))
    if facts.admin_token is not None:
        rows.append(("admin token", str(facts.admin_token)))
    return rows


def _wrapped(label: str, text: str, columns: int) -> str:
    indent = " " * (_LABEL_COLUMNS + 2)
    return textwrap.fill(
        text,
        max(columns, _COLUMNS_MIN),
        initial_indent=f"  {label:{_LABEL_COLUMNS}}",
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _workers(facts: Facts) -> str:
    match facts.instances:
        case 0:
            return "no instances yet"
        case 1:
            return "1 instance"
        case number:
            return f"{number} instances"


def _commands(facts: Facts) -> Sequence[str]:
    options = " --cacert CA.pem" if facts.tells_certificate else ""
    if facts.needs_token and facts.admin_token is not None:
        options += f' -H "Authorization: Bearer $(cat {facts.admin_token})"'
    trust = "CYME_CA=CA.pem " if facts.tells_certificate else ""
    return (
        f"{trust}cyme create app foo                   # an app named foo",
        f"{trust}cyme create instance -a foo --wait    # a Celery worker for it",
        f"{trust}cyme top                              # all of it, live",
        "or over HTTP:",
        f"curl{options} -X PUT {facts.url}/foo/               # an app named foo",
        f"curl{options} -X PUT {facts.url}/foo/instances/     # a Celery worker for it",
    )
