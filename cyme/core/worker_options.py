"""Options of ``celery worker`` that a user may give in ``arguments``.

The list is closed: an option that is not in it is refused, because Celery's own parsers turn
some values into code. Read from Celery 5.7's ``celery.bin.worker`` and ``celery.bin.celery``.
"""

from __future__ import annotations

import difflib
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from cyme.core.access import Role
from cyme.errors import InvalidRequest

PARAMETER = "arguments"

#: Characters of ``arguments`` at most.
ARGUMENTS_CHARS_MAX = 4096


#: So much of a name that is not known is compared with those that are.
NAME_CHARS_COMPARED = 64


class Kind(StrEnum):
    """What value an option or a setting takes, as it reads after 'takes'."""

    FLAG = "no value"
    INTEGER = "a whole number, 0 or more"
    NUMBER = "a number, 0 or more"
    BOOLEAN = "true or false"
    CHOICE = "one of"
    TEXT = "a text"
    JSON = "a JSON value"


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One option of ``celery worker``.

    Attributes:
        names: How it may be spelled; the first is how Cyme spells it.
        kind: What value it takes.
        choices: The values of a ``CHOICE``.
        role: Who may give it; None: nobody, Cyme gives it.
        instead: For an option that Cyme gives: what to do instead.
    """

    names: tuple[str, ...]
    kind: Kind = Kind.TEXT
    choices: tuple[str, ...] = ()
    role: Role | None = Role.OPERATOR
    instead: str = ""


@dataclass(frozen=True, slots=True)
class Arguments:
    """What ``arguments`` says.

    Attributes:
        options: Spelling and value (None for a flag), each option once, in order.
        admin_only: Those that only an administrator may give.
    """

    options: tuple[tuple[str, str | None], ...] = ()
    admin_only: tuple[str, ...] = ()


_LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "FATAL")


def _safe(*names: str, kind: Kind = Kind.FLAG, choices: tuple[str, ...] = ()) -> Option:
    return Option(names=names, kind=kind, choices=choices)


def _admin(*names: str, kind: Kind = Kind.TEXT) -> Option:
    return Option(names=names, kind=kind, role=Role.ADMIN)


def _managed(*names: str, instead: str, kind: Kind = Kind.TEXT) -> Option:
    return Option(names=names, kind=kind, role=None, instead=instead)


_USE = "use the parameter {} instead"
_OURS = "Cyme sets it for every instance"
_QUEUES = "use the parameter queues, or the consumers of the instance, instead"

OPTIONS: tuple[Option, ...] = (
    _safe("--loglevel", "-l", kind=Kind.CHOICE, choices=_LOG_LEVELS),
    _safe("-O", "--optimization", kind=Kind.CHOICE, choices=("default", "fair")),
    _safe("--prefetch-multiplier", kind=Kind.INTEGER),
    _safe("--disable-prefetch"),
    _safe("-E", "--task-events", "--events"),
    _safe("--time-limit", kind=Kind.NUMBER),
    _safe("--soft-time-limit", kind=Kind.NUMBER),
    _safe("--max-tasks-per-child", kind=Kind.INTEGER),
    _safe("--max-memory-per-child", kind=Kind.INTEGER),
    _safe("--pool-start-method", kind=Kind.CHOICE, choices=("fork", "spawn")),
    _safe("--without-gossip"),
    _safe("--without-mingle"),
    _safe("--without-heartbeat"),
    _safe("--heartbeat-interval", kind=Kind.INTEGER),
    _safe("-B", "--beat"),
    _safe("-C", "--no-color"),
    _safe("-q", "--quiet"),
    # What follows imports code, reads files that may hold code, changes who the worker runs as,
    # or destroys messages at every restart.
    _admin("--include", "-I"),
    _admin("--scheduler"),
    _admin("-s", "--schedule-filename", "--schedule"),
    _admin("--loader"),
    _admin("--config"),
    _admin("--uid"),
    _admin("--gid"),
    _admin("--purge", "--discard", kind=Kind.FLAG),
    _managed("-A", "--app", instead=_USE.format("celery_app")),
    _managed("-b", "--broker", instead=_USE.format("broker")),
    _managed("--result-backend", instead=_USE.format("result_backend")),
    _managed("--workdir", instead=_USE.format("workdir")),
    _managed("--executable", instead=_USE.format("python")),
    _managed("-P", "--pool", instead=_USE.format("pool")),
    _managed("-c", "--concurrency", instead=_USE.format("max_concurrency")),
    _managed("--autoscale", instead="use max_concurrency and min_concurrency instead"),
    _managed("-Q", "--queues", instead=_QUEUES),
    _managed("-X", "--exclude-queues", instead=_QUEUES),
    _managed("-n", "--hostname", instead=_OURS),
    _managed("--pidfile", instead=_OURS),
    _managed("-f", "--logfile", instead=_OURS),
    _managed("-S", "--statedb", instead=_OURS),
    _managed("-D", "--detach", instead="Cyme watches the worker itself", kind=Kind.FLAG),
    _managed("--umask", instead="start cyme-branch with --umask instead"),
    _managed("--skip-checks", instead="set CELERY_SKIP_CHECKS in env instead", kind=Kind.FLAG),
    _managed("--version", "--help", instead="a worker that only prints does no work"),
)

_BY_NAME = {name: option for option in OPTIONS for name in option.names}


def read_arguments(text: str) -> Arguments:
    """Read the options in ``text``, which is written as on a command line.

    Args:
        text: At most 4096 characters; quoted as for a POSIX shell, and read by none.

    Raises:
        InvalidRequest: It holds something that is not an option of the list, or a bad value.
    """
    if len(text) > ARGUMENTS_CHARS_MAX:
        raise _fault(f"has {len(text)} characters; at most {ARGUMENTS_CHARS_MAX} are allowed")
    if not text.isprintable():
        raise _fault("holds a control character or a line break; write it in one line")
    try:
        words = shlex.split(text)
    except ValueError as exc:
        raise _fault(f"cannot be split into words ({exc}); check its quotes") from exc
    given: dict[str, str | None] = {}
    admin_only: list[str] = []
    for option, value in _options(iter(words)):
        name = option.names[0]
        given[name] = value
        if option.role is Role.ADMIN and name not in admin_only:
            admin_only.append(name)
    return Arguments(tuple(given.items()), tuple(admin_only))


def _options(words: Iterator[str]) -> Iterator[tuple[Option, str | None]]:
    for word in words:
        if word.startswith("--") and len(word) > 2:  # noqa: PLR2004 - the two dashes
            yield _long(word, words)
        elif word.startswith("-") and word not in ("-", "--"):
            yield from _short(word, words)
        else:
            raise _fault(_not_an_option(word))


def _not_an_option(word: str) -> str:
    if word == "--" or "=" in word:
        return f"{word!r} is not an option; Celery settings belong into extra_config"
    return f"{word!r} is not an option of celery worker, nor the value of one"


def _long(word: str, words: Iterator[str]) -> tuple[Option, str | None]:
    name, equals, value = word.partition("=")
    option = _known(name)
    if option.kind is Kind.FLAG:
        if equals:
            raise _fault(f"{name} takes no value")
        return option, None
    return option, checked_value(PARAMETER, name, value if equals else next(words, None), option)


def _short(word: str, words: Iterator[str]) -> Iterator[tuple[Option, str | None]]:
    """Read ``-B``, ``-BE``, ``-lINFO`` or ``-l INFO``."""
    rest = word[1:]
    while rest:
        name, rest = f"-{rest[0]}", rest[1:]
        option = _known(name)
        if option.kind is Kind.FLAG:
            yield option, None
        else:
            yield option, checked_value(PARAMETER, name, rest or next(words, None), option)
            return


def _known(name: str) -> Option:
    option = _BY_NAME.get(name)
    if option is None:
        raise _fault(f"{name} is not an option of celery worker{suggestion(name, _BY_NAME)}")
    if option.role is None:
        raise _fault(f"{name} cannot be given here: {option.instead}")
    return option


def checked_value(parameter: str, name: str, value: str | None, option: Option) -> str:
    """Return an option's value if it is of the option's kind.

    Raises:
        InvalidRequest: There is none, or it is of another kind.
    """
    if value and not value.startswith("-") and _fits(option, value):
        return value
    wanted = f"{option.kind} {', '.join(option.choices)}".rstrip()
    raise InvalidRequest.of(parameter, f"{name} takes {wanted}, not {value or 'nothing'!r}")


def _fits(option: Option, value: str) -> bool:
    match option.kind:
        case Kind.INTEGER:
            return is_integer(value)
        case Kind.NUMBER:
            return is_number(value)
        case Kind.CHOICE:
            # Some letters outside ASCII become letters of ASCII when they are written large.
            return value.isascii() and (value in option.choices or value.upper() in option.choices)
        case _:
            return True


def is_integer(value: str) -> bool:
    """Tell whether ``value`` is a whole number, 0 or more, of at most nine digits."""
    return value.isascii() and value.isdigit() and len(value) <= 9  # noqa: PLR2004 - as it says


def is_number(value: str) -> bool:
    """Tell whether ``value`` is a decimal number, 0 or more."""
    whole, _, fraction = value.partition(".")
    return is_integer(whole) and (fraction == "" or is_integer(fraction))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return ``; did you mean ...?`` if there is a name that is like ``name``, else nothing."""
    close = difflib.get_close_matches(name[:NAME_CHARS_COMPARED], known, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def _fault(detail: str) -> InvalidRequest:
    return InvalidRequest.of(PARAMETER, detail)
