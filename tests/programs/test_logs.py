from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.errors import SettingsError
from cyme.programs import logs

TOKEN = "cyme_a_" + "x" * 43
URL = "amqp://user:hushhush@host//"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Yield the root logger, and give it its handlers and level back."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    root.handlers = []
    yield root
    for handler in root.handlers:
        handler.close()
    root.handlers, root.level = handlers, level
    logging.captureWarnings(False)


def formatted(message: str, *values: object, failing: bool = False) -> str:
    exc_info = None
    if failing:
        try:
            int(URL)
        except ValueError:
            exc_info = sys.exc_info()
    record = logging.LogRecord("cyme.x", logging.INFO, "x.py", 1, message, values, exc_info)
    return logs.LineFormatter().format(record)


def test_a_record_is_a_line_with_time_level_and_name() -> None:
    assert re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z INFO cyme\.x: one two", formatted("one %s", "two")
    )


def test_a_line_feed_in_a_value_makes_no_second_record() -> None:
    assert formatted("got %s", "a\r\nb").endswith("INFO cyme.x: got a\\r\\nb")


def test_no_value_gives_orders_to_a_terminal() -> None:
    written = formatted("got %s", "\x1b[31mä\x9b\x85\u2028\tb")
    assert written.endswith("INFO cyme.x: got \\x1b[31mä\\x9b\\x85\\u2028\tb")


def test_a_traceback_stands_indented_under_its_record() -> None:
    first, *others = formatted("failed", failing=True).splitlines()
    assert first.endswith("cyme.x: failed")
    assert others
    assert all(line.startswith("    ") for line in others)


def test_passwords_and_tokens_are_masked_wherever_they_stand() -> None:
    text = formatted("to %s with %s", URL, TOKEN, failing=True)
    assert "hushhush" not in text
    assert TOKEN not in text
    assert text.count("amqp://user:********@host//") == 2
    assert "cyme_a_********" in text


@given(st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="'\""), min_size=8))
def test_no_password_of_a_url_passes(password: str) -> None:
    secret = f"<{password}>"
    assert secret not in logs.without_secrets(f"lost redis://:{secret}@host:1/0 again")


def test_what_is_no_secret_is_left_alone() -> None:
    for text in ("http://host:80/a/b", "see user@host", "amqp://user@host//", "12:30 @ noon"):
        assert logs.without_secrets(text) == text


def test_chatty_libraries_are_heard_from_warnings_on(root: logging.Logger) -> None:
    logs.log_to_stderr("DEBUG")
    assert root.level == logging.DEBUG
    assert logging.getLogger("kombu.connection").getEffectiveLevel() == logging.WARNING
    logs.log_to_stderr("ERROR")
    assert logging.getLogger("amqp").getEffectiveLevel() == logging.ERROR


def test_a_log_file_is_private_and_opened_anew_when_it_was_moved(
    root: logging.Logger, tmp_path: Path
) -> None:
    path = tmp_path / "log"
    root.setLevel(logging.INFO)
    assert logs.reopen() is False
    logs.log_to_file(path)
    root.info("one")
    path.rename(tmp_path / "log.1")
    assert logs.reopen() is True
    root.info("two")
    assert "one" in (tmp_path / "log.1").read_text()
    assert "two" in path.read_text()
    assert (tmp_path / "log.1").stat().st_mode & 0o777 == 0o600


def test_a_log_file_that_cannot_be_written_is_told_of(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="--logfile"):
        logs.log_to_file(tmp_path / "missing" / "log")


@pytest.fixture
def failures(root: logging.Logger, tmp_path: Path) -> Iterator[Path]:
    """Yield a log that the failures of greenlets go to."""
    hub = gevent.get_hub()
    before = hub.print_exception
    root.setLevel(logging.INFO)
    logs.log_to_file(tmp_path / "log")
    logs.log_failures_of_greenlets(hub)
    yield tmp_path / "log"
    hub.print_exception = before


def test_the_failure_of_a_greenlet_is_logged_and_not_printed(
    failures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gevent.spawn(lambda: 1 / 0).join()
    assert "ZeroDivisionError" in failures.read_text()
    assert capsys.readouterr().err == ""


def test_the_failure_of_a_thread_is_left_to_whoever_waits_for_it(
    failures: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ZeroDivisionError):
        gevent.get_hub().threadpool.apply(lambda: 1 / 0)
    assert failures.read_text() == ""
    assert capsys.readouterr().err == ""


def test_a_large_log_is_rotated_and_goes_on_in_a_file_of_its_own(
    root: logging.Logger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    root.setLevel(logging.INFO)
    path = tmp_path / "log"
    logs.log_to_file(path)
    logs.rotate(1, 2)
    for number in range(4):
        logging.getLogger("cyme.x").info("line %d", number)
        logs.rotate(1, 2)
    logging.getLogger("cyme.x").info("the last")
    logs.rotate(10_000, 2)
    assert {each.name: each.read_text()[-7:-1] for each in tmp_path.iterdir()} == {
        "log": "e last",
        "log.1": "line 3",
        "log.2": "line 2",
    }
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_rotated_goes_on(root: logging.Logger, tmp_path: Path) -> None:
    root.setLevel(logging.INFO)
    path = tmp_path / "log"
    logs.log_to_file(path)
    logging.getLogger("cyme.x").info("line")
    (tmp_path / "log.1").mkdir()
    logs.rotate(1, 1)
    assert "cannot be rotated" in path.read_text()
