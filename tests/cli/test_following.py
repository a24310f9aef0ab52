"""Logs, events and rows as they come."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from typing import Any, Protocol

import pytest

from cyme.cli import kinds, logging_out, reading, watching
from cyme.cli.exits import Exit
from cyme.cli.logging_out import LogPrinter, Source, _in_order
from cyme.cli.moments import later_in, since_in
from cyme.cli.options import Given
from cyme.cli.reading import Wanted
from cyme.cli.session import Session
from cyme.client.errors import ConnectionFailed, NotFound
from cyme.core.branches import BranchState
from cyme.core.vitals import QueueVitals
from cyme.runtime.service import logs
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli, soon

FIRST, SECOND = Source("shop", "w1"), Source("shop", "a-longer-name")


@pytest.fixture(autouse=True)
def shop(cli: Cli, url: str, branch: FakeBranch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOOK_PERIOD_S", 0.02)
    cli("create", "app", "shop")
    for source in (FIRST, SECOND):
        cli("create", "instance", source.name, "-a", "shop")
        branch.logs.write(source.name, f"1 first of {source.name}", f"2 last of {source.name}")


class Interrupted(Protocol):
    def __call__(self, count: int, words: str = "") -> None: ...


@pytest.fixture
def interrupted_after(monkeypatch: pytest.MonkeyPatch) -> Interrupted:
    """Return what has the user press Ctrl-C after so many lines of output that have the words."""

    def after(count: int, words: str = "") -> None:
        out = Session.out

        def counted(self: Session, text: str) -> None:
            nonlocal count
            out(self, text)
            count -= words in text
            if count <= 0:
                raise KeyboardInterrupt

        monkeypatch.setattr(Session, "out", counted)

    return after


def test_shows_the_log_of_one_instance_without_marks(cli: Cli) -> None:
    assert cli("logs", "w1").lines == ["1 first of w1", "2 last of w1"]
    assert cli("logs", "instance/w1", "--tail", "1").lines == ["2 last of w1"]
    assert cli("logs", "w1", "--tail", "0").out == ""


def test_marks_the_lines_of_several(cli: Cli) -> None:
    lines = cli("logs", "-a", "shop").lines
    assert sorted(lines) == [
        "a-longer-name | 1 first of a-longer-name", "a-longer-name | 2 last of a-longer-name",
        "w1            | 1 first of w1", "w1            | 2 last of w1",
    ]  # fmt: skip
    assert cli("logs", "--tail", "1", "--no-prefix").lines == [
        "2 last of a-longer-name", "2 last of w1",
    ]  # fmt: skip
    assert "There are no such instances." in cli("logs", "-l", "no=where").err
    assert "no instance" in cli("logs", "nope", code=Exit.NOT_FOUND).err


def test_puts_the_lines_of_several_in_the_order_of_time() -> None:
    one = ["banner", "[2030-01-31 12:00:01,100: INFO] a", "  more of a",
           "[2030-01-31 12:00:03,000: INFO] c"]  # fmt: skip
    two = ["[2030-01-31 12:00:02,000: INFO] b", "[2030-01-31 12:00:03,000: INFO] d"]
    merged = [line for _, line in _in_order([(FIRST, one), (SECOND, two)])]
    assert merged == [one[0], one[1], one[2], two[0], one[3], two[1]]


def test_lines_cannot_steer_a_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    LogPrinter(Session(Given()), marked=False).line(FIRST, "\x1b[31mred\x1b[0m \x1b]0;t\x07\r")
    assert capfd.readouterr().out == "red \\x1b]0;t\\x07\n"


def test_some_logs_that_cannot_be_had_are_told(cli: Cli, branch: FakeBranch) -> None:
    branch.give_away("w1", "gone")
    ran = cli("logs", "-a", "shop", code=Exit.PARTLY)
    assert "1 of 2 logs could not be had." in ran.err
    assert len(ran.lines) == 2


def test_follows_until_ctrl_c(cli: Cli, branch: FakeBranch, interrupted_after: Interrupted) -> None:
    interrupted_after(4)
    soon(lambda: branch.logs.write("w1", "3 new", "4 newer", "5 newest"), 0.3)
    ran = cli("logs", "w1", "-f", "--tail", "1", code=Exit.INTERRUPTED)
    assert ran.lines == ["2 last of w1", "3 new", "4 newer", "5 newest"]
    assert ran.err == ""


def test_goes_on_after_a_break_with_what_was_logged_meanwhile(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, object]] = []
    endings = [ConnectionFailed("it broke off"), NotFound("it was deleted")]

    @contextmanager
    def opened(self: Any) -> Iterator[Iterator[str]]:
        asked.append((self._tail, self._since))

        def lines() -> Iterator[str]:
            yield f"line {len(asked)}"
            raise endings.pop(0)

        yield lines()

    monkeypatch.setattr(logging_out._Follower, "_open", opened)
    monkeypatch.setattr(logging_out, "_PAUSE_S", 0.01)
    begun = datetime.now(UTC)
    ran = cli("logs", "w1", "-f", "--tail", "1")
    assert (ran.lines, ran.err) == (["line 1", "line 2"], "")
    (first, nothing), (rest, moment) = asked
    assert (first, nothing, rest) == (1, None, 10_000)
    assert begun <= datetime.fromisoformat(str(moment)) <= datetime.now(UTC)


def test_a_log_that_does_not_come_is_told_once(
    cli: Cli, branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging_out, "_PAUSE_S", 0.02)
    branch.members.change("branch2", state=BranchState.FAILED)
    branch.give_away("w1")
    warned: list[str] = []

    def warn(_session: Session, text: str) -> None:
        warned.append(text)
        branch.logs.write(SECOND.name, "3 goes on")

    def out(_session: Session, text: str) -> None:
        if "goes on" in text:
            raise KeyboardInterrupt

    monkeypatch.setattr(Session, "warn", warn)
    monkeypatch.setattr(Session, "out", out)
    cli("logs", "-f", "w1", SECOND.name, code=Exit.INTERRUPTED)
    assert len(warned) == 1
    assert warned[0].startswith("w1: Branch 'branch2', which is to do this, has failed")
    assert warned[0].endswith("It is tried again.")


def test_follows_instances_that_come_later(
    cli: Cli,
    branch: FakeBranch,
    interrupted_after: Interrupted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging_out, "_LOOK_S", 0.05)
    monkeypatch.setattr(logging_out, "_TICK_S", 0.05)

    def create() -> None:
        branch.client.simulate_put("/shop/instances/w3/")
        branch.logs.write("w3", "1 here I am")

    interrupted_after(3)
    soon(create, 0.3)
    ran = cli("logs", "-a", "shop", "-f", "--tail", "1", code=Exit.INTERRUPTED)
    assert ran.lines[-1] == "w3            | 1 here I am"


def test_too_many_logs_are_not_followed(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging_out, "FOLLOWED_MAX", 1)
    assert "too many to follow" in cli("logs", "-a", "shop", "-f", code=Exit.USAGE).err


def test_lists_what_happened(cli: Cli) -> None:
    lines = cli("events", "--limit", "2").lines
    assert lines[0].split() == ["AT", "KIND", "SUBJECT", "REASON"]
    assert [line.split()[2] for line in lines[1:]] == ["instance.created"] * 2
    told = json.loads(cli("events", "-i", "w1", "-o", "json").out)["items"]
    assert [each["instance"] for each in told] == ["w1"]
    assert cli("events", "-k", "app.*", "-o", "name").out.startswith("event/")
    assert cli("get", "events", "w1", "-o", "json").code == 0


@pytest.mark.parametrize("words", [["events", "-w"], ["get", "events", "-w"]])
def test_follows_what_happens(
    words: list[str],
    cli: Cli,
    branch: FakeBranch,
    interrupted_after: Interrupted,
) -> None:
    interrupted_after(4)
    soon(lambda: branch.client.simulate_put("/blog/"), 0.3)
    ran = cli(*words, "-o", "json", code=Exit.INTERRUPTED)
    kinds = [json.loads(line)["kind"] for line in ran.lines]
    assert kinds[-1] == "app.created"
    assert "Traceback" not in ran.err


def test_an_event_is_one_line(cli: Cli, branch: FakeBranch, interrupted_after: Interrupted) -> None:
    interrupted_after(3)
    ran = cli("events", "-w", "-o", "wide", code=Exit.INTERRUPTED)
    assert re.match(r"\S+( \S+)?  app.created +  app/shop  branch1  local  ", ran.lines[0])


@contextmanager
def again_and_again(deed: Callable[[int], object]) -> Iterator[None]:
    """Do something until the end: whoever watches may begin at any time."""
    is_over = threading.Event()

    def run() -> None:
        for number in count():
            deed(number)
            if is_over.wait(0.05):
                return

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def test_watches_rows_that_change(
    cli: Cli, branch: FakeBranch, interrupted_after: Interrupted
) -> None:
    def come_and_go(number: int) -> None:
        write = branch.client.simulate_delete if number % 2 else branch.client.simulate_put
        write("/shop/instances/w9/")

    interrupted_after(2, "gone")
    with again_and_again(come_and_go):
        ran = cli("get", "instances", "-a", "shop", "-w", "-o", "json", code=Exit.INTERRUPTED)
    rows = [json.loads(line) for line in ran.lines]
    assert {"w1", "a-longer-name"} <= {row["name"] for row in rows[:3]}
    assert {row["name"] for row in rows[3:]} == {"w9"}
    assert {row["state"] for row in rows[3:]} == {"pending", "gone"}
    assert rows[-1]["state"] == "gone"


def test_a_table_that_is_watched_has_its_titles_once(
    cli: Cli, branch: FakeBranch, interrupted_after: Interrupted
) -> None:
    def change(number: int) -> None:
        branch.client.simulate_put(f"/shop/instances/w1/?max_concurrency={1 + number % 2}")

    interrupted_after(2)
    with again_and_again(change):
        ran = cli("events", "-w", "--limit", "0", code=Exit.INTERRUPTED)
        assert len(ran.lines) == 2
        with pytest.MonkeyPatch.context() as patch:
            lines = Session.out_lines
            calls: list[object] = []

            def counted(self: Session, text: Iterable[str]) -> None:
                lines(self, text)
                calls.append(text)
                if len(calls) == 3:
                    raise KeyboardInterrupt

            patch.setattr(Session, "out_lines", counted)
            ran = cli("get", "instances", "-a", "shop", "-w", code=Exit.INTERRUPTED)
    assert [line.split()[0] for line in ran.lines] == ["NAME", "a-longer-name", "w1", "w1", "w1"]


def test_rows_that_come_later_stand_in_their_columns(capfd: pytest.CaptureFixture[str]) -> None:
    def row(name: str, state: str) -> dict[str, Any]:
        return {"name": name, "state": state, "branch": "branch1", "reason": "why"}

    printer = watching._Printer(Session(Given()), kinds.INSTANCES, [row("w1", "running")])
    for rows in ([row("w1", "running")], [row("w1", "unresponsive")],
                 [row("a-longer-name", "gone")], [row("w1", "running")]):  # fmt: skip
        printer.rows(rows)
    title, first, second, wider, last = capfd.readouterr().out.splitlines()
    at = title.index("BRANCH")
    assert first[at:].startswith("branch1")
    assert second[at:].startswith("branch1")
    assert wider.index("branch1") == last.index("branch1")


@pytest.mark.parametrize(
    ("wanted", "is_wanted"),
    [
        (Wanted(), True),
        (Wanted(names=["w1", "w2"]), True),
        (Wanted(names=["w2"]), False),
        (Wanted(labels={"zone": "a"}), True),
        (Wanted(labels={"zone": "b"}), False),
        (Wanted(branch="b1"), True),
        (Wanted(branch="b2"), False),
        (Wanted(state="running"), True),
        (Wanted(state="Running"), True),
        (Wanted(state="stopped"), False),
        (Wanted(queue="orders"), True),
        (Wanted(queue="mails"), False),
    ],
)
def test_only_rows_that_are_wanted_are_watched(wanted: Wanted, is_wanted: bool) -> None:
    row = {"name": "w1", "branch": "b1", "state": "running", "labels": {"zone": "a"},
           "queues": ["orders"]}  # fmt: skip
    assert watching._is_wanted(row, kinds.INSTANCES, wanted) is is_wanted


def test_what_changes_at_every_look_is_no_change() -> None:
    row = {"id": "b1", "state": "alive", "load": 0.5, "heard_s": 1.0, "hub_lag_s": 0.0}
    later = {**row, "load": 0.6, "heard_s": 0.1, "hub_lag_s": 0.2}
    assert watching._what_matters(row) == watching._what_matters(later)
    assert watching._what_matters(row) != watching._what_matters({**later, "state": "suspect"})
    assert watching._what_matters(row) != watching._what_matters(None)


def test_a_branch_without_a_stream_is_asked_at_intervals(
    cli: Cli,
    branch: FakeBranch,
    interrupted_after: Interrupted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "POLL_S", 0.1)
    monkeypatch.setattr(watching, "_STREAMED", {})
    branch.client.simulate_put("/shop/queues/orders/")
    interrupted_after(2)
    soon(lambda: branch.client.simulate_put("/shop/queues/orders/?exchange=x"), 0.3)
    ran = cli("get", "queues", "-w", "-o", "json", code=Exit.INTERRUPTED)
    assert [json.loads(line)["exchange"] for line in ran.lines] == [None, "x"]


def test_depths_are_watched_and_a_branch_that_is_away_is_asked_again(
    cli: Cli,
    branch: FakeBranch,
    interrupted_after: Interrupted,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "POLL_S", 0.05)
    branch.client.simulate_put("/shop/queues/orders/")
    looks = count()
    rows_of = reading.rows_of

    def looked(*words: Any) -> Any:
        number = next(looks)
        if number in {1, 2}:
            raise ConnectionFailed("Nobody answers.")
        told = QueueVitals(
            app="shop", name="orders", broker="amqp://h//", depth=number // 4, oldest_s=number
        )
        branch.watching.told = (told,)
        branch.clock.advance(60.0)
        return rows_of(*words)

    monkeypatch.setattr(watching, "rows_of", looked)
    interrupted_after(2)
    ran = cli("get", "queues", "-w", "-o", "json", code=Exit.INTERRUPTED)
    assert [json.loads(line)["depth"] for line in ran.lines] == [0, 1]
    assert ran.err == "Nobody answers. It is asked again.\n"


@pytest.mark.parametrize(
    ("text", "since"),
    [(None, None), ("90", 90.0), ("90s", 90.0), ("10m", 600.0), ("2h", 7200.0), ("1d", 86400.0),
     ("1w", 604800.0), ("2030-01-31T12:00:00Z", "2030-01-31T12:00:00+00:00")],
)  # fmt: skip
def test_moments_are_ages_or_dates(text: str | None, since: object) -> None:
    assert since_in(text) == since


def test_what_is_no_moment_is_told(cli: Cli) -> None:
    assert "'soon' is no moment; say 90s" in cli("events", "--since", "soon", code=2).err
    later = later_in("2030-01-31T12:00:00+02:00")
    assert getattr(later, "isoformat", str)() == "2030-01-31T12:00:00+02:00"
