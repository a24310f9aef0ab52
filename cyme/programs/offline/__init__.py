"""A branch's directory without its HTTP server: what ``-L`` works on.

    with open_directory(Path("instances")) as client:
        client.add("foo")

The same client, whatever the branch does:

* it serves HTTP: it is asked over HTTP, with the administrator's token of the directory;
* it does not run: its records are read and written in its directory, under its lock, by the code
  that serves them otherwise; it takes them up when it starts;
* it runs without HTTP: a copy of its records is read, and nothing is written.
"""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from cyme.adapters.celery_multi import CeleryMulti
from cyme.adapters.celery_multi.worker_logs import WorkerLogFiles
from cyme.adapters.clock import SystemClock
from cyme.adapters.database import Database
from cyme.adapters.directory import ID_FILE, BranchDirectory
from cyme.adapters.embedded_broker import EmbeddedBroker
from cyme.api.app import create_app
from cyme.client import Client
from cyme.core.branches import BranchState
from cyme.core.model import BranchId, Broker
from cyme.errors import DatabaseUnusable, DirectoryLocked, DirectoryUnusable
from cyme.programs.broker_choice import LAST_RESORT
from cyme.programs.layout import BACKUPS_DIR, DATABASE_FILE, WORKERS_DIR
from cyme.programs.offline.asleep import (
    AsleepMembers,
    AsleepService,
    AsleepSupervisor,
    NoControls,
    NoTasks,
    OwnersToken,
)
from cyme.programs.offline.transport import InProcess
from cyme.programs.registry import ADMIN_TOKEN_FILE, running
from cyme.runtime.journal import Journal
from cyme.runtime.replica import Replica
from cyme.settings import Settings, read_settings, shared_dir

CLOSE_TIMEOUT_S = 10.0
RESERVE_TIMEOUT_S = 10.0
COPY_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Records:
    """Where a branch's records are, and what belongs to them.

    Attributes:
        url: The database.
        branch: The branch.
        backups: Where a backup goes before a migration.
        workers: Where the logs of its workers are.
    """

    url: str
    branch: str
    backups: Path
    workers: Path


def open_directory(
    directory: Path | None = None,
    *,
    broker: str | None = None,
    ca: str | Path | None = None,
    timeout_s: float = 30.0,
) -> Client:
    """Return a client of the branch that lives in a directory; close it when done.

    Args:
        directory: The branch's directory; the one that ``cyme-branch`` would take if None, which
            the settings file and ``CYME_INSTANCE_DIR`` can name.
        broker: The URL of the broker of new apps, where the branch does not run; what the branch
            would take if None.
        ca: Certificates to trust where the branch runs and serves TLS.
        timeout_s: How long a call may take, in seconds.

    Raises:
        DirectoryUnusable: No branch lives there, or its files cannot be used.
        DatabaseUnusable: Its records cannot be read.
        SettingsError: The environment or the settings file says something impossible.
    """
    settings = read_settings({}, None).settings
    path = (directory or settings.instance_dir).absolute().resolve()
    if not (path / ID_FILE).is_file():
        raise DirectoryUnusable(
            f"No branch lives in {path}. Name a branch's directory with -D, or start the branch "
            "once, which makes it."
        )
    client = _running_client(path, settings, ca=ca, timeout_s=timeout_s)
    if client is not None:
        return client
    with ExitStack() as opened:
        transport = _transport(path, settings, broker, opened)
        opened.pop_all()
    # What cannot be done now cannot be done in a moment either: nobody else works on it.
    return Client(transport=transport, timeout_s=timeout_s, retries=0)


def _running_client(
    path: Path, settings: Settings, *, ca: str | Path | None, timeout_s: float
) -> Client | None:
    """Return a client of the branch if it runs and serves HTTP."""
    for branch in running(shared_dir(settings)):
        if branch.url is not None and Path(branch.directory).resolve() == path:
            return Client(branch.url, token=_admin_token(path), ca=ca, timeout_s=timeout_s)
    return None


def _admin_token(path: Path) -> str | None:
    try:
        return (path / ADMIN_TOKEN_FILE).read_text(encoding="ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _transport(path: Path, settings: Settings, broker: str | None, opened: ExitStack) -> InProcess:
    place = BranchDirectory(path)
    try:
        place.open()
    except DirectoryLocked:
        return _copied(path, settings, opened)
    opened.callback(place.close)
    branch = place.branch_id(None)
    url = settings.database
    if url is None:
        if not (path / DATABASE_FILE).is_file():
            raise DatabaseUnusable(
                f"There is no database in {path}. If the branch keeps its records elsewhere, name "
                "that database with CYME_DATABASE."
            )
        url = _sqlite_url(path / DATABASE_FILE)
    default = _default_broker(settings, broker)
    records = _Records(url, branch, backups=path / BACKUPS_DIR, workers=path / WORKERS_DIR)
    return _served(records, settings, default, opened, may_write=True)


def _copied(path: Path, settings: Settings, opened: ExitStack) -> InProcess:
    """Return what reads a copy of the records of a branch that runs without HTTP."""
    file = path / DATABASE_FILE
    if settings.database is not None or not file.is_file():
        raise DirectoryLocked(
            f"The branch in {path} runs, serves no HTTP and keeps its records elsewhere. Start it "
            "with HTTP, or stop it first."
        )
    copies = Path(tempfile.mkdtemp(prefix="cyme-"))
    opened.callback(shutil.rmtree, copies, ignore_errors=True)
    try:
        with (
            closing(
                sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=COPY_TIMEOUT_S)
            ) as source,
            closing(sqlite3.connect(copies / DATABASE_FILE)) as copy,
        ):
            source.backup(copy)
    except sqlite3.Error as exc:
        raise DatabaseUnusable(f"The records in {file} cannot be read: {exc}.") from exc
    branch = (path / ID_FILE).read_text(encoding="utf-8").strip()
    url = _sqlite_url(copies / DATABASE_FILE)
    records = _Records(url, branch, backups=copies / BACKUPS_DIR, workers=path / WORKERS_DIR)
    return _served(records, settings, LAST_RESORT, opened, may_write=False)


def _served(
    records: _Records,
    settings: Settings,
    default: Broker,
    opened: ExitStack,
    *,
    may_write: bool,
) -> InProcess:
    """Return what answers the client's requests from the records in a database."""
    branch = records.branch
    database = Database(records.url, branch_id=branch, backup_dir=records.backups)
    database.open()
    opened.callback(database.close, CLOSE_TIMEOUT_S)
    clock = SystemClock()
    replica = Replica(database, clock, branch)
    replica.load()
    # Whoever may write holds the branch's lock, so that it does not run.
    workers = CeleryMulti(records.workers, environment={}) if may_write else None
    state = BranchState.LEFT if may_write else BranchState.ALIVE
    service = AsleepService(
        replica=replica,
        supervisor=AsleepSupervisor(workers, replica, clock),
        brokers=NoControls(),
        tasks=NoTasks(),
        journal=Journal(clock, branch),
        members=AsleepMembers(BranchId(branch), settings, state),
        clock=clock,
        default_broker=default,
        default_result_backend=settings.result_backend,
        logs=WorkerLogFiles(records.workers),
    )
    opened.callback(service.stop, CLOSE_TIMEOUT_S)
    token = OwnersToken()
    app = create_app(service, tokens=token, open_access=False)
    close: Callable[[], None] = opened.pop_all().close
    return InProcess(
        app,
        token=token.secret,
        name=f"the directory of branch {branch!r}",
        may_write=may_write,
        on_close=close,
    )


def _default_broker(settings: Settings, broker: str | None) -> Broker:
    """Return the broker of new apps, as the branch would choose it; nothing is started."""
    named = broker or settings.broker
    if named is not None:
        return Broker(named)
    embedded = EmbeddedBroker(shared_dir(settings), settings.cluster)
    return embedded.reserve(RESERVE_TIMEOUT_S) or LAST_RESORT


def _sqlite_url(file: Path) -> str:
    return f"sqlite://{quote(str(file))}"
