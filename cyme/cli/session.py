"""One run of the command: what it talks to, what it says, and what it asks.

Data goes to standard output, words to standard error.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from cyme.cli import environment
from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed
from cyme.cli.text.clean import one_line
from cyme.cli.text.paint import Paint, painted
from cyme.client.messages import path_of

if TYPE_CHECKING:
    from cyme.cli.discovery import Chosen
    from cyme.cli.options import Given
    from cyme.client import Client
    from cyme.client.calls import Calls
    from cyme.client.connections import Connections
    from cyme.client.messages import Opened

TIMEOUT_S = 30.0
RETRIES = 2
#: Where a branch asks for a longer wait than this, its reason is told and nobody waits.
PATIENCE_S = 2.0
#: From so many things on, a script must say that it means it.
MANY = 2


class Session:
    """What a command works with.

    Args:
        given: What the command line says that is no matter of one command.
    """

    def __init__(self, given: Given) -> None:
        self.given = given
        self._opened: list[Any] = []

    # --- what it talks to -------------------------------------------------------------------------

    @cached_property
    def chosen(self) -> Chosen:
        """What it talks to, and why."""
        from cyme.cli.discovery import choose  # noqa: PLC0415 - not for what works locally

        return choose(self.given.url, self.given.context)

    @cached_property
    def calls(self) -> Calls:
        """What asks the branch, or its directory."""
        from cyme.client.calls import Calls  # noqa: PLC0415 - only where something is asked

        self._log()
        if self.given.local:
            calls = self.client.calls
        else:
            calls = Calls(
                self._connections(),
                timeout_s=self._timeout_s,
                retries=RETRIES,
                patience_s=PATIENCE_S,
            )
        self._opened.append(calls.transport)
        return calls

    @cached_property
    def client(self) -> Client:
        """The client of Python programs, over the same connections."""
        if self.given.local:
            from cyme.cli.local import local_client  # noqa: PLC0415 - it loads a whole branch

            return local_client(self.given, self._timeout_s)
        from cyme.client.client import Client  # noqa: PLC0415 - few commands need it

        return Client(transport=self.calls.transport, timeout_s=self._timeout_s)

    @property
    def url(self) -> str:
        """The branch that is talked to."""
        return self.calls.transport.url

    @property
    def _timeout_s(self) -> float:
        return self.given.timeout_s or TIMEOUT_S

    def _connections(self) -> Connections:
        from cyme.client.addresses import address_of  # noqa: PLC0415 - as above
        from cyme.client.connections import Connections  # noqa: PLC0415 - as above

        chosen = self.chosen
        addresses = [address_of(url) for url in chosen.urls]
        return Connections(addresses, chosen.tokens, ca=chosen.ca)

    @property
    def app(self) -> str | None:
        """The app that the command is about, None if none was named."""
        return self.given.app or (None if self.given.local else self.chosen.app)

    def need_app(self) -> str:
        """Return the app that the command is about.

        Raises:
            BadUsage: None was named.
        """
        if self.app is None:
            raise BadUsage("Which app? Name it with -a APP, or set CYME_APP.")
        return self.app

    def get(self, *segments: str, **query: Any) -> Any:
        """Return what is at a path."""
        return self.calls.value("GET", path_of(*segments), query=query)

    def put(self, *segments: str, **members: Any) -> Any:
        """Write, and return the answer."""
        return self.calls.value("PUT", path_of(*segments), members=members)

    def post(self, *segments: str, **query: Any) -> Any:
        """Have something done, and return the answer."""
        return self.calls.value("POST", path_of(*segments), query=query)

    def delete(self, *segments: str, **query: Any) -> Any:
        """Delete, and return the answer."""
        return self.calls.value("DELETE", path_of(*segments), query=query)

    def open(self, *segments: str, **query: Any) -> Opened:
        """Open what is read as it comes; it is closed with the session at the latest."""
        opened = self.calls.open(path_of(*segments), query=query)
        self._opened.append(opened)
        return opened

    def close(self) -> None:
        """Close all connections."""
        while self._opened:
            self._opened.pop().close()

    # --- what it says -----------------------------------------------------------------------------

    @property
    def width(self) -> int | None:
        """The columns of the terminal that reads the data, None if none does."""
        return environment.width_of(sys.stdout)

    @property
    def colour(self) -> bool:
        """Whether data is coloured."""
        return environment.takes_colour(sys.stdout)

    def out(self, text: str) -> None:
        """Write a line of data."""
        sys.stdout.write(text + "\n")

    def out_lines(self, lines: Iterable[str]) -> None:
        """Write lines of data."""
        sys.stdout.writelines(line + "\n" for line in lines)

    def flush(self) -> None:
        """Have what was written be read, before something is waited for."""
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Write words for a person."""
        sys.stdout.flush()
        sys.stderr.write(one_line(text) + "\n")
        sys.stderr.flush()

    def warn(self, text: str) -> None:
        """Write words that a person should not miss."""
        colour = environment.takes_colour(sys.stderr)
        sys.stdout.flush()
        sys.stderr.write(painted(one_line(text), Paint.BUSY, colour=colour) + "\n")
        sys.stderr.flush()

    # --- what it asks -----------------------------------------------------------------------------

    def confirm(self, deed: str, *, count: int, yes: bool) -> None:
        """Go on only if the user means it.

        A person at a terminal is asked. A script is taken at its word for one thing; for more it
        must say --yes.

        Args:
            deed: What is going to happen, as ``Delete 3 instances``.
            count: How many things it happens to; for none nobody is asked.
            yes: Whether --yes was given.

        Raises:
            CommandFailed: It is not meant, or nobody could be asked.
        """
        if yes or count < 1:
            return
        if environment.may_ask():
            sys.stdout.flush()
            sys.stderr.write(f"{one_line(deed)}? [y/N] ")
            sys.stderr.flush()
            answer = sys.stdin.readline()
            if answer.strip().lower() not in {"y", "yes"}:
                raise CommandFailed("Nothing was done.", Exit.REFUSED)
        elif count >= MANY:
            raise CommandFailed(
                f"{deed}? Nobody can be asked here; add --yes if it is meant. Nothing was done.",
                Exit.REFUSED,
            )

    def _log(self) -> None:
        level, logfile = self.given.loglevel, self.given.logfile
        if level is None and logfile is None:
            return
        import logging  # noqa: PLC0415 - only on request

        try:
            logging.basicConfig(
                level=(level or "WARNING").upper(),
                filename=logfile,
                format="%(asctime)s %(levelname)s %(name)s: %(message)s",
            )
        except OSError as exc:
            raise BadUsage(f"{logfile} cannot be written: {exc.strerror}.") from exc


def present(members: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters that were given."""
    return {name: value for name, value in members.items() if value is not None}
