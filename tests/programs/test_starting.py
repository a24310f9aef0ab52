from __future__ import annotations

import os
import signal
import socket
import sqlite3
import ssl
import subprocess
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.certificates import self_signed
from tests.programs.running import NO_BROKER, RUN_TIMEOUT_S, Program, refused, run
from tests.waiting import eventually

NOBODY = 65534


@pytest.fixture
def notifications(home: Path) -> Iterator[tuple[str, socket.socket]]:
    """Yield the address of a service manager, and what it hears."""
    path = str(home / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(path)
        receiver.settimeout(RUN_TIMEOUT_S)
        yield path, receiver


def test_a_branch_comes_up_is_alone_and_goes_down(program: Program) -> None:
    secret = NO_BROKER.replace("//", "//user:hushhush@")
    program.start("-i", "one", "-C", "5", broker=secret)
    assert program.get("/readyz") == 200
    assert program.says(
        f"branch 'one' is ready: HTTP http://127.0.0.1:{program.port}", str(program.directory)
    )
    assert program.says("the branch keeps trying", "redis://user:********@127.0.0.1:1/0")
    assert program.says("-C/--numc is only shown with the branch")

    second = run(program.home, ":0", "-D", "branch", "-b", NO_BROKER)
    refused(second, 4, f"the process id {program.pid}", "--instance-dir")
    second = _detach(program)
    refused(second, 5, f"127.0.0.1:{program.port} is in use")
    assert not (program.home / "branch.pid").exists()
    assert program.get("/ping/") == 200

    assert program.stop() == 0
    assert program.says("its workers run on and its next start takes them over", "has stopped")
    assert "Traceback" not in program.text
    assert "hushhush" not in program.text

    other = run(program.home, ":0", "-D", "branch", "-i", "two", "-b", NO_BROKER)
    refused(other, 3, "belongs to branch 'one'", "'two'")

    database = sqlite3.connect(program.directory / "cyme.sqlite")
    changed = database.execute("UPDATE cyme_meta SET value = '9999' WHERE name = 'schema'")
    assert changed.rowcount == 1
    database.commit()
    database.close()
    newer = run(program.home, ":0", "-D", "branch", "-b", NO_BROKER)
    refused(newer, 6, "has schema 9999", "Nothing was changed")


def test_a_busy_port_is_refused_before_anything_is_made(home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        done = run(home, f":{port}", "-D", "branch", "-b", NO_BROKER)
    refused(done, 5, f"127.0.0.1:{port} is in use by another program", "Choose another port")
    assert not (home / "branch").exists()


def test_an_address_of_another_machine_is_refused(home: Path) -> None:
    done = run(home, "192.0.2.1:8000", "--insecure", "-b", NO_BROKER)
    refused(done, 5, "192.0.2.1:8000 is not an address of this machine")


def test_a_name_that_is_no_machine_s_is_refused(home: Path) -> None:
    refused(run(home, "host.invalid:8000", "-b", NO_BROKER), 5, "'host.invalid' is not the name")


def test_an_address_for_other_machines_needs_tls_or_a_word(home: Path) -> None:
    done = run(home, "0.0.0.0:0", "-b", NO_BROKER)
    refused(done, 2, "can be reached from other machines", "--tls-cert", "--insecure")


def test_tokens_are_asked_for_on_an_address_for_other_machines(program: Program) -> None:
    program.start("--insecure", host="0.0.0.0")
    assert program.get("/") == 401
    assert program.get("/", (program.directory / "admin.token").read_text().strip()) == 200
    assert program.says("tokens and passwords travel unprotected")


def test_tls_and_tokens_open_an_address_for_other_machines(program: Program) -> None:
    self_signed(program.home)
    files = ("--tls-cert", "cert.pem", "--tls-key", "key.pem")
    program.start(*files, host="0.0.0.0", wait=False)
    eventually(lambda: program.says("is ready: HTTP https://"), RUN_TIMEOUT_S)
    trust = ssl.create_default_context(cafile=program.home / "cert.pem")
    token = (program.directory / "admin.token").read_text().strip()
    for headers, status in (({}, 401), ({"Authorization": f"Bearer {token}"}, 200)):
        connection = HTTPSConnection("localhost", program.port, timeout=10, context=trust)
        connection.request("GET", "/", headers=headers)
        assert connection.getresponse().status == status
        connection.close()
    assert not program.says("travel unprotected")


def test_a_token_is_asked_for_on_loopback_where_that_is_wished(program: Program) -> None:
    program.start("--require-token")
    assert program.get("/") == 401
    assert program.get("/", (program.directory / "admin.token").read_text().strip()) == 200


def test_an_unusable_directory_is_refused(home: Path) -> None:
    (home / "file").write_text("")
    done = run(home, ":0", "-D", "file", "-b", NO_BROKER)
    refused(done, 3, f"{home / 'file'} cannot be used", "is not a directory", "--instance-dir")
    done = run(home, ":0", "-D", "/proc/branch", "-b", NO_BROKER)
    refused(done, 3, "/proc/branch cannot be used")


def test_a_database_that_is_none_is_refused(home: Path) -> None:
    (home / "branch").mkdir(mode=0o700)
    (home / "branch" / "cyme.sqlite").write_text("this is no database, but a text of some length")
    refused(run(home, ":0", "-D", "branch", "-b", NO_BROKER), 7, "cyme.sqlite")


def test_an_unreachable_database_is_refused(home: Path) -> None:
    url = "postgresql://user:hushhush@127.0.0.1:1/cyme"
    done = run(home, ":0", "-D", "branch", "-b", NO_BROKER, variables={"CYME_DB": url})
    refused(done, 7, "127.0.0.1")
    assert "hushhush" not in done.stderr


def test_settings_come_from_the_file_in_the_working_directory(program: Program) -> None:
    (program.home / "cyme.toml").write_text("id = 'from-file'\nloglevel = 'warning'\n")
    program.start("-l", "info")
    assert program.says("branch 'from-file' is ready", "cyme.toml")


def test_the_service_manager_hears_of_the_start_the_life_and_the_end(
    program: Program, notifications: tuple[str, socket.socket]
) -> None:
    address, receiver = notifications
    program.start(variables={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "300000"}, wait=False)
    first = receiver.recv(4096).decode().splitlines()
    assert "READY=1" in first
    assert f"MAINPID={program.pid}" in first
    assert program.get("/readyz") == 200
    assert receiver.recv(4096) == b"WATCHDOG=1"
    assert receiver.recv(4096) == b"WATCHDOG=1"
    program.send(signal.SIGTERM)
    while not (last := receiver.recv(4096)).startswith(b"STOPPING=1"):
        assert last == b"WATCHDOG=1"
    assert program.wait() == 0


def test_a_service_manager_that_is_gone_does_no_harm(program: Program) -> None:
    program.start(variables={"NOTIFY_SOCKET": "@nobody-listens-here"})
    assert program.says("NOTIFY_SOCKET cannot be told")


def test_a_second_signal_ends_it_at_once(program: Program) -> None:
    # It waits for a request under way, which this client never ends.
    program.start()
    with socket.create_connection(("127.0.0.1", program.port)) as client:
        client.sendall(
            b"PUT /foo/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Content-Length: 5\r\nExpect: 100-continue\r\n\r\n"
        )
        assert client.recv(1024).startswith(b"HTTP/1.1 100")
        program.send(signal.SIGTERM)
        eventually(lambda: program.says("SIGTERM: stopping"))
        program.send(signal.SIGINT)
        assert program.wait() == 1
    assert program.says("ending at once")
    assert not program.says("has stopped")


def test_a_signal_during_the_start_ends_it(program: Program) -> None:
    # A broker that accepts and never answers is waited for some seconds.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        broker = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        program.start("-l", "debug", wait=False, broker=broker)
        eventually(lambda: program.says("looking at the broker"), RUN_TIMEOUT_S)
        program.send(signal.SIGTERM)
        assert program.wait() == 0
    assert program.says("stopped before the branch was ready")


def test_a_hang_up_opens_the_log_anew(program: Program) -> None:
    log = program.home / "branch.log"
    program.start("-f", "branch.log")
    assert log.stat().st_mode & 0o777 == 0o600
    log.rename(program.home / "branch.log.1")
    program.send(signal.SIGHUP)
    eventually(lambda: log.exists() and "open anew" in log.read_text())
    assert program.stop() == 0
    assert "has stopped" in log.read_text()
    assert program.text == ""


def test_a_hang_up_of_the_terminal_stops_a_branch_that_logs_there(program: Program) -> None:
    program.start()
    program.send(signal.SIGHUP)
    assert program.wait() == 0
    assert program.says("has stopped")


def test_an_unwritable_log_is_refused(home: Path) -> None:
    done = run(home, ":0", "-D", "branch", "-b", NO_BROKER, "-f", "missing/branch.log")
    refused(done, 2, "--logfile: ", "missing/branch.log cannot be written")


def test_a_pid_file_holds_the_pid_while_the_branch_lives(program: Program) -> None:
    path = program.home / "branch.pid"
    path.write_text("1\n")  # left behind by an earlier one; that process lives, and is no branch
    program.start("--pidfile", "branch.pid")
    assert path.read_text() == f"{program.pid}\n"
    done = run(program.home, ":0", "-D", "other", "-b", NO_BROKER, "--pidfile", "branch.pid")
    refused(done, 4, f"The process {program.pid}", "still runs")
    assert path.read_text() == f"{program.pid}\n"
    assert program.stop() == 0
    assert not path.exists()


def test_a_pid_file_that_holds_something_else_is_left_alone(home: Path) -> None:
    (home / "notes.txt").write_text("precious")
    done = run(home, ":0", "-D", "branch", "-b", NO_BROKER, "--pidfile", "notes.txt")
    refused(done, 2, "--pidfile: ", "holds something else")
    assert (home / "notes.txt").read_text() == "precious"


def test_umask_and_workdir_are_taken_on(program: Program) -> None:
    (program.home / "elsewhere").mkdir()
    program.start("--umask", "077", "--workdir", "elsewhere", "--pidfile", "branch.pid")
    path = program.home / "elsewhere" / "branch.pid"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (program.home / "elsewhere" / "branch" / "admin.token").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_it_takes_on_a_group_before_it_opens_its_directory(program: Program) -> None:
    program.start("--gid", str(NOBODY))
    status = Path(f"/proc/{program.pid}/status").read_text()
    assert f"Gid:\t{NOBODY}\t{NOBODY}\t{NOBODY}\t{NOBODY}" in status
    assert (program.directory / "admin.token").stat().st_gid == NOBODY


def test_without_http_it_serves_none(program: Program) -> None:
    program.start("--without-httpd", wait=False)
    eventually(lambda: program.says("is ready: HTTP none"), RUN_TIMEOUT_S)
    with pytest.raises(ConnectionRefusedError):
        program.get("/ping/")
    assert program.stop() == 0


def test_a_branch_in_the_background_is_ready_when_the_command_returns(program: Program) -> None:
    done = _detach(program)
    assert done.returncode == 0, done.stderr
    pid = int((program.home / "branch.pid").read_text())
    try:
        assert program.get("/readyz") == 200
        assert os.getsid(pid) == pid
        assert "is ready" in (program.directory / "cyme-branch.log").read_text()
    finally:
        os.kill(pid, signal.SIGTERM)
        eventually(lambda: not (program.home / "branch.pid").exists(), RUN_TIMEOUT_S)
    log = program.directory / "cyme-branch.log"
    eventually(lambda: "has stopped" in log.read_text(), RUN_TIMEOUT_S)


def _detach(program: Program) -> subprocess.CompletedProcess[str]:
    return run(
        program.home,
        *(f":{program.port}", "-D", "branch", "--detach", "--pidfile", "branch.pid"),
        variables={"CYME_BROKER": NO_BROKER},
    )
