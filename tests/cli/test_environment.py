"""What the command knows of the terminal, and what it asks there."""

from __future__ import annotations

import io

import pytest

from cyme.cli import environment
from cyme.cli.exits import Exit
from cyme.cli.faults import CommandFailed
from cyme.cli.options import Given
from cyme.cli.session import Session


class Tty(io.StringIO):
    """A stream with a person at the other end."""

    def isatty(self) -> bool:
        return True


def test_colours_are_for_terminals_whose_users_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert environment.takes_colour(Tty())
    assert not environment.takes_colour(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not environment.takes_colour(Tty())
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not environment.takes_colour(Tty())


def test_only_a_terminal_has_a_width(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "77")
    assert environment.width_of(Tty()) == 77
    assert environment.width_of(io.StringIO()) is None
    closed = io.StringIO()
    closed.close()
    assert not environment.is_terminal(closed)


@pytest.mark.parametrize(
    ("answer", "meant"),
    [("y\n", True), ("YES\n", True), ("n\n", False), ("\n", False), ("", False)],
)
def test_a_person_is_asked_even_about_one_thing(
    answer: str, meant: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = Tty()
    monkeypatch.setattr("sys.stdin", Tty(answer))
    monkeypatch.setattr("sys.stderr", said)
    session = Session(Given())
    if meant:
        session.confirm("Delete w1", count=1, yes=False)
    else:
        with pytest.raises(CommandFailed) as refused:
            session.confirm("Delete w1", count=1, yes=False)
        assert refused.value.exit_code is Exit.REFUSED
    assert said.getvalue() == "Delete w1? [y/N] "


def test_nobody_is_asked_where_nothing_happens_or_yes_was_said() -> None:
    session = Session(Given())
    session.confirm("Delete nothing", count=0, yes=False)
    session.confirm("Delete one", count=1, yes=False)
    session.confirm("Delete all", count=5, yes=True)
    with pytest.raises(CommandFailed, match="add --yes"):
        session.confirm("Delete two", count=2, yes=False)
