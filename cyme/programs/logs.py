"""Logs: one line a record, on standard error or in a file that logrotate may move.

A password should never reach a log call. The formatter masks what looks like one all the same,
because a foreign library's message or traceback may hold a URL that nobody here wrote.
"""

from __future__ import annotations

import logging
import re
import sys
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import WatchedFileHandler
from pathlib import Path
from types import TracebackType
from typing import Any

from cyme.core.model import MASK
from cyme.errors import SettingsError

logger = logging.getLogger(__name__)

#: Libraries that tell of every connection they open.
_CHATTY = ("amqp", "celery", "kombu", "peewee", "redis", "urllib3")

_URL_PASSWORD = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://[^\s:/@'\"]*):[^\s'\"]*@")
_TOKEN = re.compile(r"\b(cyme_[a-z]_)[A-Za-z0-9_-]{20,}")


class LineFormatter(logging.Formatter):
    """Writes a record as one line, and the lines of a traceback, indented, under it."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(name)s: %(message)s")

    def formatTime(  # noqa: N802 - the base class names it
        self,
        record: logging.LogRecord,
        datefmt: str | None = None,  # noqa: ARG002 - the base class's signature
    ) -> str:
        """Return when the record was made, in ISO 8601 and UTC as in the API's replies."""
        made = datetime.fromtimestamp(record.created, UTC)
        return f"{made:%Y-%m-%dT%H:%M:%S}.{int(record.msecs):03d}Z"

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, without anything that looks like a secret."""
        record.message = record.getMessage()
        record.asctime = self.formatTime(record, self.datefmt)
        lines = [self.formatMessage(record)]
        if record.exc_info:
            lines += self.formatException(record.exc_info).splitlines()
        if record.stack_info:
            lines += self.formatStack(record.stack_info).splitlines()
        return without_secrets("\n    ".join(map(_printable, lines)))


def _printable(text: str) -> str:
    """Return ``text`` with escapes for what would end a line or order a terminal about."""
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() or character == "\t" else repr(character)[1:-1]
        for character in text
    )


def without_secrets(text: str) -> str:
    """Return ``text`` with the passwords of URLs and Cyme's tokens replaced by asterisks."""
    return _TOKEN.sub(rf"\g<1>{MASK}", _URL_PASSWORD.sub(rf"\g<1>:{MASK}@", text))


def log_to_stderr(level: str) -> None:
    """Send the records of ``level`` and above to standard error."""
    _replace_handlers(logging.StreamHandler(sys.stderr))
    logging.getLogger().setLevel(level)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLogger().level))
    logging.captureWarnings(capture=True)


def log_to_file(path: Path) -> None:
    """Send what goes to standard error so far to a file, readable for its owner alone.

    Raises:
        SettingsError: The file cannot be written.
    """
    try:
        path.touch(mode=0o600, exist_ok=True)
        handler = WatchedFileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as exc:
        raise SettingsError(
            f"--logfile: {path} cannot be written ({exc.strerror or exc}). Name a file in a "
            "directory that exists and that this user may write to."
        ) from exc
    _replace_handlers(handler)


def reopen() -> bool:
    """Open the log file anew if it was moved; tell whether the log goes to a file at all."""
    for handler in _files():
        handler.acquire()
        try:
            handler.reopenIfNeeded()
        finally:
            handler.release()
    return goes_to_file()


def rotate(bytes_max: int, kept: int) -> None:
    """Rename the log file if it is larger than ``bytes_max``, and begin another one.

    Args:
        bytes_max: Bytes.
        kept: How many earlier files are kept: ``<name>.1`` is the latest.
    """
    for handler in _files():
        path = Path(handler.baseFilename)
        try:
            if path.stat().st_size <= bytes_max or not path.is_file():
                continue
            for number in range(kept - 1, 0, -1):
                with suppress(FileNotFoundError):
                    _numbered(path, number).rename(_numbered(path, number + 1))
            path.rename(_numbered(path, 1))
            path.touch(mode=0o600)
        except OSError as exc:
            logger.warning("the log %s cannot be rotated: %s", path, exc)
    reopen()


def _numbered(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def goes_to_file() -> bool:
    """Tell whether the log goes to a file."""
    return bool(_files())


def log_failures_of_greenlets(hub: Any) -> None:
    """Have the tracebacks of greenlets that nobody waits for logged instead of printed.

    Args:
        hub: gevent's hub.
    """

    def log(
        context: object,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # Of a thread, gevent tells the hub what it also raises where the result is waited for.
        level = logging.DEBUG if isinstance(context, tuple) else logging.ERROR
        exc_info = None if kind is None or error is None else (kind, error, traceback)
        logger.log(level, "%r failed", context, exc_info=exc_info)

    hub.print_exception = log


def _files() -> list[WatchedFileHandler]:
    return [each for each in logging.getLogger().handlers if isinstance(each, WatchedFileHandler)]


def _replace_handlers(handler: logging.Handler) -> None:
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    for former in list(root.handlers):
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
