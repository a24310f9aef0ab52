"""What a branch says when it is ready: what runs where, and how to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cyme

_LABEL_COLUMNS = 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What there is to say; every URL is masked.

    Attributes:
        branch_id: The branch.
        pid: Its process id.
        url: Where HTTP is served, or None.
        directory: The branch's directory.
        database: The database.
        broker: The default broker.
        broker_kind: How it came to be that, in a few words.
        log: Where the log goes.
        settings_file: The settings file that was read, or None.
        admin_token: The file with the administrator's token, or None if it is gone.
        needs_token: Whether every caller needs a token.
        tells_certificate: Whether curl must be told the certificate's authority.
        adopted: How many workers of an earlier run were found running.
        instances: How many instances this branch owns.
        warnings: What an operator should mind.
    """

    branch_id: str
    pid: int
    url: str | None
    directory: Path
    database: str
    broker: str
    broker_kind: str
    log: str
    settings_file: Path | None
    admin_token: Path | None
    needs_token: bool
    tells_certificate: bool
    adopted: int
    instances: int
    warnings: Sequence[str] = ()


def banner(facts: Facts) -> str:
    """Return the text for a terminal."""
    lines = [
        f"Cyme {cyme.__version__}: branch {facts.branch_id!r} is ready (process {facts.pid}).",
        *(f"  {label:{_LABEL_COLUMNS}}{text}" for label, text in _rows(facts)),
        *(f"  {'mind:':{_LABEL_COLUMNS}}{warning}" for warning in facts.warnings),
    ]
    if facts.url is not None:
        lines += ["To go on, in another terminal:", *(f"  {each}" for each in _commands(facts))]
    lines.append("Ctrl-C stops the branch; its workers run on and its next start takes them over.")
    return "\n".join(lines)


def summary(facts: Facts) -> str:
    """Return the same for a log, on one line."""
    return ", ".join(f"{label.strip()} {text}" for label, text in _rows(facts))


def _rows(facts: Facts) -> Sequence[tuple[str, str]]:
    rows = [
        ("HTTP", facts.url or "none (--without-http)"),
        ("directory", str(facts.directory)),
        ("database", facts.database),
        ("broker", f"{facts.broker} ({facts.broker_kind})"),
        ("log", facts.log),
        ("workers", _workers(facts)),
    ]
    if facts.settings_file is not None:
        rows.append(("settings", str(facts.settings_file)))
    if facts.admin_token is not None:
        rows.append(("admin token", f"in {facts.admin_token}"))
    return rows


def _workers(facts: Facts) -> str:
    if not facts.instances:
        return "no instances yet"
    noun = "instance" if facts.instances == 1 else "instances"
    return f"{facts.instances} {noun}, {facts.adopted} found running"


def _commands(facts: Facts) -> Sequence[str]:
    options = " --cacert CA.pem" if facts.tells_certificate else ""
    if facts.needs_token and facts.admin_token is not None:
        options += f' -H "Authorization: Bearer $(cat {facts.admin_token})"'
    return (
        f"curl{options} -X PUT {facts.url}/foo/               # an app named foo",
        f"curl{options} -X PUT {facts.url}/foo/instances/     # a Celery worker for it",
        f"curl{options} {facts.url}/foo/instances/            # its workers' names",
    )
