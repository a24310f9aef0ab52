"""Where settings come from: flags before the environment before the file before the default.

Every complaint names the source and the key that it stands under, so that it can be found and
mended; none shows a value that may hold a password.
"""

from __future__ import annotations

import difflib
import os
import stat
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cyme.core.model import MASK, masked
from cyme.errors import SettingsError
from cyme.settings.rows import ENV_PREFIX, Setting
from cyme.settings.table import TABLE, Settings

DEFAULT_FILE = "cyme.toml"
FILE_BYTES_MAX = 1 << 20

#: The variable that names the settings file.
CONFIG_ENV = ENV_PREFIX + "CONFIG"

#: The secret that alerts are signed with, which stands in no file of settings and no flag.
ALERT_SECRET_ENV = ENV_PREFIX + "ALERT_SECRET"

#: Variables that Cyme's other programs and its workers read.
_FOREIGN = frozenset(
    {CONFIG_ENV, ALERT_SECRET_ENV, "CYME_TOKEN", "CYME_URL", "CYME_WORKER", "CYME_QUEUES"}
)
_LIKENESS_MIN = 0.8

#: What the flags of a command line gave: text, several texts, or True for a switch.
Flags = Mapping[str, str | bool | tuple[str, ...] | None]


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and how they came about.

    Attributes:
        settings: The values.
        sources: Where each came from, by its key; those left at their default are not in it.
        file: The settings file that was read, if one was.
        warnings: What the person who starts the program should know.
    """

    settings: Settings
    sources: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None
    warnings: tuple[str, ...] = ()


def load(
    flags: Flags, environ: Mapping[str, str], *, file: Path | None = None, here: Path
) -> Loaded:
    """Put the settings together.

    Args:
        flags: What the command line gave, by key; what it did not give is None, False or empty.
        environ: The environment variables.
        file: The settings file that the command line names.
        here: The directory whose ``cyme.toml`` is read when none is named.

    Raises:
        SettingsError: A value cannot be accepted, a key is not known, or the file not readable.
    """
    path = _find_file(file, environ, here)
    written = {} if path is None else _read_file(path)
    values: dict[str, object] = {}
    sources: dict[str, str] = {}
    for row in TABLE:
        given = flags.get(row.key)
        if given not in (None, False, ()):
            values[row.field], sources[row.key] = _from_flag(row, given), row.flag
        elif environ.get(row.env, "") != "":
            values[row.field] = _from_text(row, environ[row.env], row.env)
            sources[row.key] = row.env
        elif row.key in written:
            source = f"{row.key} in {path}"
            values[row.field], sources[row.key] = _from_file(row, written[row.key], source), source
    # The values have the types of their rows' kinds, which the table pairs with the fields.
    settings = Settings(**values)  # type: ignore[arg-type]
    return Loaded(settings, sources, path, tuple(_warnings(settings, sources, path, environ)))


# --- one value -----------------------------------------------------------------------------------


def _from_flag(row: Setting, given: str | bool | tuple[str, ...] | None) -> object:
    match given:
        case tuple():
            return tuple(item for text in given for item in _items(row, text, row.flag))
        case str():
            return _from_text(row, given, row.flag)
        case _:
            return given


def _from_text(row: Setting, text: str, source: str) -> object:
    if row.kind.is_list:
        return tuple(_items(row, text, source))
    return _parsed(row, text, source)


def _from_file(row: Setting, value: object, source: str) -> object:
    if row.kind.is_list:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise SettingsError(f'{source}: it takes a list of texts, as in ["one", "two"].')
        return tuple(_parsed(row, item, source) for item in value)
    # To Python a bool is an int, to the person who wrote it in a file it is not.
    if type(value) not in row.kind.file_types:
        raise SettingsError(f"{source}: it takes {_type_names(row)}.")
    return _parsed(row, str(value), source)


def _items(row: Setting, text: str, source: str) -> Iterable[object]:
    return (_parsed(row, item, source) for item in text.split(",") if item.strip())


def _parsed(row: Setting, text: str, source: str) -> object:
    try:
        return row.kind.parse(text)
    except ValueError as exc:
        raise SettingsError(f"{source}: {exc}.") from None


def _type_names(row: Setting) -> str:
    names = {str: 'text in quotes, as in "..."', bool: "true or false", int: "a whole number"}
    if float in row.kind.file_types:
        return "a number"
    return " or ".join(names[each] for each in row.kind.file_types)


# --- the file ------------------------------------------------------------------------------------


def _find_file(file: Path | None, environ: Mapping[str, str], here: Path) -> Path | None:
    if file is not None:
        return file
    if environ.get(CONFIG_ENV):
        return Path(environ[CONFIG_ENV]).expanduser()
    path = here / DEFAULT_FILE
    if not path.is_file():
        return None
    # A file that nobody named is taken only from somebody who could change the branch anyway.
    if path.stat().st_uid not in {0, os.getuid()}:
        raise SettingsError(
            f"{path} belongs to another user. If it is meant, name it: --config {DEFAULT_FILE}."
        )
    return path


def _read_file(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            raw = stream.read(FILE_BYTES_MAX + 1)
        if len(raw) > FILE_BYTES_MAX:
            raise SettingsError(f"{path} is too large for a settings file.")
        written = tomllib.loads(raw.decode())
    except OSError as exc:
        raise SettingsError(
            f"The settings file {path} cannot be read: {exc.strerror or exc}."
        ) from exc
    except UnicodeDecodeError as exc:
        raise SettingsError(f"{path} is not text in UTF-8.") from exc
    except tomllib.TOMLDecodeError as exc:
        raise SettingsError(f"{path} is not TOML: {exc}.") from None
    return {_known_key(key, path): value for key, value in written.items()}


def _known_key(written: str, path: Path) -> str:
    key = written.replace("_", "-")
    if any(row.key == key for row in TABLE):
        return key
    raise SettingsError(
        f"{path}: there is no setting {written!r}.{_suggestion(key, [row.key for row in TABLE])} "
        "cyme-branch --help lists them all."
    )


def _suggestion(word: str, words: list[str]) -> str:
    alike = difflib.get_close_matches(word, words, n=1, cutoff=0.6)
    return f" Did you mean {alike[0]!r}?" if alike else ""


# --- what to warn of -----------------------------------------------------------------------------


def _warnings(
    settings: Settings, sources: Mapping[str, str], path: Path | None, environ: Mapping[str, str]
) -> Iterable[str]:
    for row in TABLE:
        if not row.kind.is_secret or row.key not in sources:
            continue
        if not any(map(_holds_password, _urls(getattr(settings, row.field)))):
            continue
        source = sources[row.key]
        if source == row.flag:
            yield (
                f"{row.flag} holds a password, which every user of this machine can read in the "
                f"list of processes. Set {row.env} instead, or write it into {DEFAULT_FILE}."
            )
        elif path is not None and source.endswith(str(path)) and _readable_by_others(path):
            yield f"{path} holds a password and others can read it: chmod 600 {path}"
    known = [row.env for row in TABLE] + sorted(_FOREIGN)
    for name in sorted(environ):
        if name.startswith(ENV_PREFIX) and name not in known:
            alike = difflib.get_close_matches(name, known, n=1, cutoff=_LIKENESS_MIN)
            if alike:
                yield f"{name} is no setting and does nothing. Did you mean {alike[0]}?"


def _holds_password(url: str) -> bool:
    return MASK in masked(url)


def _readable_by_others(path: Path) -> bool:
    try:
        return bool(path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
    except OSError:
        return False


def describe(loaded: Loaded) -> Mapping[str, str]:
    """Return what was set, by key, fit to be logged."""
    shown = {}
    for row in TABLE:
        if row.key in loaded.sources:
            value = getattr(loaded.settings, row.field)
            shown[row.key] = _masked(value) if row.kind.is_secret else str(value)
    return shown


def _urls(value: object) -> Sequence[str]:
    """Return the URLs that a secret setting holds."""
    match value:
        case str():
            return (value,)
        case tuple():
            return tuple(map(str, value))
    return ()


def _masked(value: object) -> str:
    """Return a secret value as it may be logged; of several URLs how many, as paths tell too."""
    urls = _urls(value)
    return masked(urls[0]) if isinstance(value, str) else f"{len(urls)} of them"
