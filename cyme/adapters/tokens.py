"""The tokens of a branch: a file that holds their hashes, names and roles.

A token carries 256 bits of chance, so its plain SHA-256 cannot be turned back, and looking the hash
up in a table is safe: the time that this takes depends on the hash, which nobody can steer towards
one that is stored. A slow password hash would protect nothing and cost every request its time.

The file is replaced as a whole, under a lock, so that a command may change it beside a running
branch. The branch reads it again when it has changed.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import logging
import os
import re
import secrets
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cyme.core.access import Caller, Role, TokenInfo, TokenMade
from cyme.core.names import check_name
from cyme.errors import (
    Conflict,
    DirectoryUnusable,
    Fault,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
    TooLarge,
)

logger = logging.getLogger(__name__)

TOKENS_MAX = 1000
#: A change of the file is seen by a running branch within this time.
LOOK_PERIOD_S = 0.5
LOCK_TIMEOUT_S = 5.0
FIRST_ADMIN = "admin"

_CHANCE_BYTES = 32
_TOKEN_CHARS_MAX = 128
_SECRET = re.compile(r"cyme_[voa]_[A-Za-z0-9_-]{43}", re.ASCII)
#: A token made by chance has fewer different characters in less than one of a billion cases.
_DISTINCT_MIN = 14
_FILE_BYTES_MAX = 1024 * 1024
_LOCK_POLL_S = 0.05
_FORMAT = 1

#: What tells one state of the file from another; None where there is no file.
_Look = tuple[int, int, int] | None


@dataclass(frozen=True, slots=True)
class _Content:
    """The file, read.

    Attributes:
        tokens: By the token's SHA-256, in hexadecimal.
        had_admin: Whether the first administrator's token was made once; if it was revoked
            since, it stays revoked.
    """

    tokens: Mapping[str, TokenInfo]
    had_admin: bool


_NOTHING = _Content({}, had_admin=False)


class TokenFile:
    """The tokens in one file.

    Args:
        path: The file; it need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._callers: Mapping[str, Caller] = {}
        self._known: tuple[_Look] | None = None  # the file that was read
        self._faulty: tuple[_Look] | None = None  # the file that could not be
        self._next_look_at = 0.0

    def authenticate(self, token: str) -> Caller | None:
        """Return whose token it is, or None; takes a few microseconds.

        A file that cannot be read leaves valid what was valid before.
        """
        if time.monotonic() >= self._next_look_at:
            self._look_again()
        if len(token) > _TOKEN_CHARS_MAX or not token.isascii():
            return None
        return self._callers.get(_digest(token))

    @property
    def empty(self) -> bool:
        """Whether there is no token at all.

        Raises:
            DirectoryUnusable: The file cannot be read.
        """
        return not self._read().tokens

    def list(self) -> list[TokenInfo]:
        """Return all tokens by name.

        Raises:
            DirectoryUnusable: The file cannot be read.
        """
        return sorted(self._read().tokens.values(), key=lambda info: info.name)

    def create(self, name: str, role: Role) -> str:
        """Make a token and return it; it cannot be shown again.

        Raises:
            InvalidRequest: The name cannot be one.
            Conflict: There is a token of that name.
            TooLarge: There are ``TOKENS_MAX`` tokens already.
            DirectoryUnusable: The file cannot be read.
            StorageUnavailable: The file cannot be written; nothing was changed.
        """
        check_name("token", name)
        with self._locked():
            content = self._read()
            token = _new_token(role)
            self._write(_with_token(content, token, TokenInfo(name, role, time.time())))
        return token

    def put(self, name: str, role: Role, secret: str | None) -> TokenMade:
        """Make a token, or take one that another branch has made.

        Args:
            name: What it is called here.
            role: What its bearer may do.
            secret: The token itself, None to make one. The same one twice is no conflict.

        Raises:
            InvalidRequest: The name cannot be one, or the secret is none of a token of that role.
            Conflict: There is another token of that name, or this one under another name.
            TooLarge: There are ``TOKENS_MAX`` tokens already.
            DirectoryUnusable: The file cannot be read.
            StorageUnavailable: The file cannot be written; nothing was changed.
        """
        if secret is None:
            return TokenMade(name=name, role=role, token=self.create(name, role))
        check_name("token", name)
        _check_secret(secret, role)
        with self._locked():
            content = self._read()
            known = content.tokens.get(_digest(secret))
            if known is not None and (known.name, known.role) == (name, role):
                return TokenMade(name=name, role=role, token=secret, created=False)
            if known is not None:
                raise Conflict(f"That token is known already, as {known.name!r}.")
            self._write(_with_token(content, secret, TokenInfo(name, role, time.time())))
        return TokenMade(name=name, role=role, token=secret)

    def revoke(self, name: str) -> None:
        """Make a token worthless; running branches see it within ``LOOK_PERIOD_S``.

        Raises:
            NotFound: There is no token of that name.
            DirectoryUnusable: The file cannot be read.
            StorageUnavailable: The file cannot be written; nothing was changed.
        """
        with self._locked():
            content = self._read()
            kept = {key: info for key, info in content.tokens.items() if info.name != name}
            if len(kept) == len(content.tokens):
                raise NotFound("token", name, "Ask for the names: cyme-branch token list")
            self._write(_Content(kept, content.had_admin))

    def ensure_admin(self, secret_path: Path) -> bool:
        """At a first start, make an administrator's token and write it into a file.

        It is made once in the life of the token file: a revoked one does not come back, and
        where the user has named a token ``admin`` already, that one is left alone.

        Args:
            secret_path: Where the token is written, for its owner's eyes alone.

        Returns:
            Whether one was made.

        Raises:
            DirectoryUnusable: The token file cannot be read.
            StorageUnavailable: One of the files cannot be written.
        """
        with self._locked():
            content = self._read()
            if content.had_admin or any(i.name == FIRST_ADMIN for i in content.tokens.values()):
                return False
            token = _new_token(Role.ADMIN)
            info = TokenInfo(FIRST_ADMIN, Role.ADMIN, time.time())
            changed = _with_token(content, token, info)
            # The secret first: where only one of the two writes succeeds, it is made anew.
            _replace(secret_path, token + "\n")
            self._write(_Content(changed.tokens, had_admin=True))
        return True

    def _look_again(self) -> None:
        """Read the file if it is not what it was at the last look."""
        self._next_look_at = time.monotonic() + LOOK_PERIOD_S
        look = (self._look_at_file(),)
        if look == self._known:
            return
        try:
            content = self._read()
        except DirectoryUnusable as exc:
            if look != self._faulty:
                logger.error("%s The tokens read before it stay valid.", exc)  # noqa: TRY400 - foreseen
            self._faulty = look
            return
        self._known, self._faulty = look, None
        self._callers = {
            digest: Caller(info.role, info.name) for digest, info in content.tokens.items()
        }

    def _look_at_file(self) -> _Look:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> _Content:
        try:
            with self.path.open("rb") as source:
                return _parsed(source.read(_FILE_BYTES_MAX))
        except FileNotFoundError:
            return _NOTHING
        except (OSError, ValueError, KeyError, TypeError, AttributeError, InvalidRequest) as exc:
            raise DirectoryUnusable(
                f"The token file {self.path} cannot be read ({exc!r}). Put a copy of it back; if "
                "there is none, remove it and make the tokens anew: cyme-branch token create"
            ) from exc

    def _write(self, content: _Content) -> None:
        _replace(self.path, _formatted(content))
        self._next_look_at = 0.0

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other commands and the branch from changing the file meanwhile."""
        lock_path = self.path.with_suffix(".lock")
        try:
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as exc:
            raise StorageUnavailable(f"{lock_path} cannot be written: {exc.strerror}.") from exc
        try:
            deadline = time.monotonic() + LOCK_TIMEOUT_S
            while not _try_lock(descriptor):
                if time.monotonic() > deadline:
                    raise StorageUnavailable(
                        f"Another command holds {lock_path}; try again when it has ended."
                    )
                time.sleep(_LOCK_POLL_S)
            yield
        finally:
            os.close(descriptor)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _new_token(role: Role) -> str:
    return f"cyme_{role.label[0]}_{secrets.token_urlsafe(_CHANCE_BYTES)}"


def _check_secret(secret: str, role: Role) -> None:
    """Check that a token is of our form, and not one that somebody made up.

    Raises:
        InvalidRequest: It is not.
    """
    letter, chance = secret[5:6], secret[7:]
    if _SECRET.fullmatch(secret) is None or letter != role.label[0]:
        detail = f"is not a token of the role {role.label}; leave it out to have one made"
    elif len(set(chance)) < _DISTINCT_MIN:
        detail = "can be guessed; leave it out to have a token made"
    else:
        return
    raise InvalidRequest(f"The secret {detail}.", [Fault("secret", detail)])


def _with_token(content: _Content, token: str, info: TokenInfo) -> _Content:
    if any(other.name == info.name for other in content.tokens.values()):
        raise Conflict(
            f"There is a token named {info.name!r} already; choose another name, or revoke it "
            f"first: cyme-branch token revoke {info.name}"
        )
    if len(content.tokens) >= TOKENS_MAX:
        raise TooLarge(f"There are {TOKENS_MAX} tokens already; revoke those that nobody uses.")
    return _Content({**content.tokens, _digest(token): info}, content.had_admin)


def _parsed(data: bytes) -> _Content:
    """Take the file apart; what is wrong with it raises one of Python's own errors."""
    stored = json.loads(data)
    if stored["format"] != _FORMAT:
        raise ValueError(f"it has format {stored['format']}, not {_FORMAT}")
    tokens = {
        str(entry["sha256"]): TokenInfo(
            check_name("token", entry["name"]),
            Role[entry["role"].upper()],
            float(entry["created_at"]),
        )
        for entry in stored["tokens"]
    }
    return _Content(tokens, bool(stored["had_admin"]))


def _formatted(content: _Content) -> str:
    entries = [
        {
            "name": info.name,
            "role": info.role.label,
            "created_at": info.created_at,
            "sha256": digest,
        }
        for digest, info in content.tokens.items()
    ]
    stored = {"format": _FORMAT, "had_admin": content.had_admin, "tokens": entries}
    return json.dumps(stored, indent=2) + "\n"


def _replace(path: Path, text: str) -> None:
    """Replace a file by a private one, as a whole and durably.

    Raises:
        StorageUnavailable: It cannot be written; the old one stands.
    """
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        with os.fdopen(os.open(fresh, flags, 0o600), "w") as target:
            os.fchmod(target.fileno(), 0o600)
            target.write(text)
            target.flush()
            os.fsync(target.fileno())
        fresh.replace(path)
        _flush_directory(path.parent)
    except OSError as exc:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise StorageUnavailable.of(
            exc, f"{path} cannot be written: {exc.strerror}. It is as it was."
        ) from exc


def _flush_directory(directory: Path) -> None:
    """Make sure that a change of name is on the disk: a revoked token stays revoked."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
