"""Contexts: branches that the user has named, kept in ``$XDG_CONFIG_HOME/cyme/config.toml``.

The file holds tokens, so it is readable for its owner alone, and it is replaced as a whole::

    current = "prod"

    [contexts.prod]
    urls = ["https://cyme-a:8443", "https://cyme-b:8443"]
    token = "cyme_o_..."
    ca = "/etc/cyme/ca.pem"
    app = "shop"
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cyme.cli.environment import config_path
from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed, did_you_mean

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}\Z")
_KEYS = ("urls", "token", "ca", "app")


@dataclass(frozen=True, slots=True)
class Context:
    """A branch, or several of one cluster, by a name.

    Attributes:
        urls: Where they are, the preferred one first.
        token: What is shown to them.
        ca: A file with the certificates to trust instead of the system's.
        app: The app that commands are about unless they name another.
    """

    urls: tuple[str, ...] = ()
    token: str | None = None
    ca: str | None = None
    app: str | None = None


@dataclass(frozen=True, slots=True)
class Config:
    """What the file holds."""

    current: str | None = None
    contexts: Mapping[str, Context] = field(default_factory=dict)

    def context(self, name: str) -> Context:
        """Return a context.

        Raises:
            CommandFailed: There is none of this name.
        """
        try:
            return self.contexts[name]
        except KeyError:
            raise CommandFailed(
                f"There is no context named {name!r}.{did_you_mean(name, self.contexts)} "
                "'cyme context list' shows them, 'cyme login --context NAME URL' makes one.",
                Exit.NOT_FOUND,
            ) from None

    def with_context(self, name: str, context: Context, *, use: bool) -> Config:
        """Return the same with one context more, or changed.

        Raises:
            BadUsage: The name can be none.
        """
        if not _NAME.match(name):
            raise BadUsage(
                f"{name!r} is no name of a context: take letters, digits, '.', '_' and '-'."
            )
        contexts = {**self.contexts, name: context}
        return replace(self, contexts=contexts, current=name if use else self.current)

    def without(self, name: str) -> Config:
        """Return the same without a context."""
        self.context(name)
        contexts = {each: kept for each, kept in self.contexts.items() if each != name}
        return Config(None if self.current == name else self.current, contexts)


def read_config(path: Path | None = None) -> Config:
    """Return what the file holds, nothing if there is none.

    Raises:
        CommandFailed: It cannot be read, or others could read the tokens in it.
    """
    path = path or config_path()
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            content = file.read()
    except FileNotFoundError:
        return Config()
    except OSError as exc:
        raise CommandFailed(f"{path} cannot be read: {exc.strerror}.", Exit.USAGE) from exc
    import tomllib  # noqa: PLC0415 - most commands meet no file

    try:
        data = tomllib.loads(content.decode())
        config = _config_of(data)
    except ValueError as exc:
        raise CommandFailed(f"{path} cannot be understood: {exc}.", Exit.USAGE) from exc
    if mode & (stat.S_IRWXG | stat.S_IRWXO) and any(
        each.token for each in config.contexts.values()
    ):
        raise CommandFailed(
            f"{path} holds tokens and others may read it. Say: chmod 600 {path}", Exit.USAGE
        )
    return config


def write_config(config: Config, path: Path | None = None) -> None:
    """Replace the file, readable for its owner alone.

    Raises:
        CommandFailed: It cannot be written.
    """
    import tempfile  # noqa: PLC0415 - what only reads does without

    path = path or config_path()
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=".config-")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(_lines(config)) + "\n")
                file.flush()
                os.fsync(file.fileno())
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as exc:
        raise CommandFailed(f"{path} cannot be written: {exc.strerror}.") from exc


def _config_of(data: Mapping[str, Any]) -> Config:
    contexts = data.get("contexts", {})
    if not isinstance(contexts, dict):
        raise ValueError("'contexts' is no table")  # noqa: TRY004 - told as all other faults of it
    current = data.get("current")
    if current is not None and not isinstance(current, str):
        raise ValueError("'current' is no text")
    return Config(current, {name: _context_of(name, given) for name, given in contexts.items()})


def _context_of(name: str, given: object) -> Context:
    if not isinstance(given, dict):
        raise ValueError(f"the context {name!r} is no table")  # noqa: TRY004 - as above
    unknown = sorted(set(given) - set(_KEYS))
    if unknown:
        raise ValueError(f"{unknown[0]!r} of the context {name!r} is not known")
    urls = given.get("urls", [])
    if isinstance(urls, str):
        urls = [urls]
    texts = [given.get(key) for key in _KEYS[1:]]
    if not all(isinstance(url, str) for url in urls) or not all(
        text is None or isinstance(text, str) for text in texts
    ):
        raise ValueError(f"the context {name!r} holds something that is no text")
    return Context(tuple(urls), *texts)


def _lines(config: Config) -> Iterator[str]:
    if config.current is not None:
        yield f"current = {_quoted(config.current)}"
    for name, context in sorted(config.contexts.items()):
        yield ""
        yield f"[contexts.{_quoted(name)}]"
        yield f"urls = [{', '.join(_quoted(url) for url in context.urls)}]"
        for key in _KEYS[1:]:
            value = getattr(context, key)
            if value is not None:
                yield f"{key} = {_quoted(value)}"


def _quoted(text: str) -> str:
    """Return a TOML basic string: what JSON escapes is escaped alike, DEL aside."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
