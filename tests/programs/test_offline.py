"""The directory of a branch that does not run."""

from __future__ import annotations

import sqlite3
import subprocess
from contextlib import closing
from functools import partial
from pathlib import Path

import gevent
import pytest

from cyme.adapters.celery_multi.processes import Processes
from cyme.adapters.celery_multi.record import remember
from cyme.adapters.database import Database
from cyme.adapters.directory import BranchDirectory
from cyme.adapters.embedded_broker import EmbeddedBroker
from cyme.client import Client, NotFound, NotSupported, Timeout, Unavailable
from cyme.client.messages import Deadline, Request
from cyme.errors import DatabaseUnusable, DirectoryUnusable
from cyme.programs.layout import DATABASE_FILE, WORKERS_DIR
from cyme.programs.offline import open_directory
from cyme.programs.offline.asleep import OwnersToken
from cyme.programs.offline.transport import InProcess


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the directory of a branch that ran once."""
    monkeypatch.setenv("CYME_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("CYME_BROKER", "redis://:s3cret@host/1")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "instances"
    place = BranchDirectory(path)
    place.open()
    place.branch_id("b1")
    place.close()
    database = Database(
        f"sqlite://{path / DATABASE_FILE}", branch_id="b1", backup_dir=path / "backups"
    )
    database.open()
    database.close(5.0)
    return path


def test_keeps_what_was_written(directory: Path) -> None:
    with open_directory() as client:
        assert repr(client) == "<Client: the directory of branch 'b1'>"
        client.add("foo").instances.add("w1", workdir="/srv")
    with open_directory(directory, broker="redis://other/1") as client:
        assert client["foo"].info.broker.password == "s3cret"
        assert client.add("bar").info.broker.hostname == "other"
        worker = client.instances["w1"]
        assert (worker.workdir, worker.branch) == ("/srv", "b1")
        assert (client.branches, client.cluster().fenced) == (["b1"], True)
        assert [event.kind for event in client.events()] == ["app.created"]


def test_a_branch_that_does_not_run_has_left_and_takes_instances_all_the_same(
    directory: Path,
) -> None:
    with open_directory(directory) as client:
        assert (client.branch("b1").state, client.branch("b1").url) == ("left", None)
        [member] = client.cluster().branches
        assert member.state == "left"
        app = client.add("foo")
        assert app.instances.add("w1", branch="b1").pinned
        assert app.instances.add("w2").branch == "b1"
        with pytest.raises(NotFound, match="no branch named 'b2'"):
            app.instances.add("w3", branch="b2")
        with open_directory(directory) as reader:
            assert reader.branch("b1").state == "alive", "somebody holds its lock"
            assert reader.instances["w1"].state == "unknown"


def test_a_worker_is_told_to_be_there_only_if_it_is(directory: Path) -> None:
    place = directory / WORKERS_DIR / "w1"
    place.mkdir(parents=True)
    with open_directory(directory) as client, subprocess.Popen(["sleep", "60"]) as process:
        try:
            app = client.add("foo")
            known = Processes().identify(process.pid)
            assert known is not None
            remember(place, known)
            w1, w2 = app.instances.add("w1"), app.instances.add("w2", wait_s=5)
            w1.wait("unknown", timeout_s=5)
            assert w1.pids == (process.pid,)
            assert "its worker does, and is left alone" in w1.reason
            assert (w2.state, w2.pids) == ("stopped", ())
            assert w2.reason == "its branch does not run, and neither does its worker"
        finally:
            process.kill()
        process.wait()
        gone = app.instances["w1"]
        assert (gone.state, gone.pids) == ("stopped", ())


def test_what_needs_the_branch_is_refused_at_once(directory: Path) -> None:
    with open_directory(directory) as client:
        app = client.add("foo")
        app.queues.add("q")
        worker = app.instances.add("w1", queues=["q"])
        send = partial(app.queue_url, "q", "http://host/")
        for deed in (worker.restart, send, app.task("u").state):
            with pytest.raises(Unavailable, match="start it with cyme-branch"):
                deed()
        with pytest.raises(Unavailable):
            client.branch("b1").drain()


def test_only_one_writes_and_the_others_read_a_copy(directory: Path) -> None:
    with open_directory(directory) as client, open_directory(directory) as reader:
        client.add("foo")
        assert reader.all() == []
        with pytest.raises(NotSupported, match="Nothing can be written"):
            reader.add("bar")
        with open_directory(directory) as later:
            assert later["foo"].name == "foo"
            copies = list(Path("/tmp").glob("cyme-*/cyme.sqlite"))
            assert copies
    with open_directory(directory) as client:
        client.delete("foo")


def test_no_branch_or_no_records_are_told_and_nothing_is_made(
    directory: Path, tmp_path: Path
) -> None:
    with pytest.raises(DirectoryUnusable, match="No branch lives in"):
        open_directory(tmp_path / "nowhere")
    assert not (tmp_path / "nowhere").exists()
    (directory / DATABASE_FILE).unlink()
    with pytest.raises(DatabaseUnusable, match="CYME_DATABASE"):
        open_directory(directory)
    assert not (directory / DATABASE_FILE).exists()
    BranchDirectory(directory).open()


def test_records_that_cannot_be_read_are_told(directory: Path) -> None:
    place = BranchDirectory(directory)
    place.open()
    try:
        (directory / DATABASE_FILE).write_bytes(b"no database" * 100)
        with pytest.raises(DatabaseUnusable, match="cannot be read"):
            open_directory(directory)
    finally:
        place.close()


def test_new_apps_get_the_embedded_broker_that_the_branch_will_start(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CYME_BROKER")
    with open_directory(directory) as client:
        url = client.add("foo").info.broker
    place = EmbeddedBroker(tmp_path / "state", "default").reserve(5.0)
    assert place is not None
    assert (place.port, place.password) == (url.port, url.password)
    with closing(sqlite3.connect(directory / DATABASE_FILE)) as database:
        assert (place.url,) in database.execute("SELECT url FROM cyme_broker").fetchall()


def test_the_owners_token_is_the_only_one() -> None:
    token = OwnersToken()
    assert token.authenticate(token.secret) is not None
    assert token.authenticate("é") is None
    assert token.authenticate("") is None


def test_an_answer_that_takes_too_long_is_given_up() -> None:
    def slow(environ: dict[str, object], start_response: object) -> list[bytes]:
        gevent.sleep(30)
        return []

    way = InProcess(slow, token="t", name="here", may_write=True, on_close=lambda: None)
    with pytest.raises(Timeout, match=r"here did not answer GET / within 0.1 s"):
        Client(transport=way, timeout_s=0.1).all()
    with pytest.raises(Timeout):
        way.open(Request("GET", "/"), Deadline(0.1))
