from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import stat
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import gevent
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyme.adapters import tokens
from cyme.adapters.tokens import TokenFile
from cyme.core.access import Caller, Role
from cyme.errors import (
    Conflict,
    DirectoryUnusable,
    InvalidRequest,
    NotFound,
    StorageUnavailable,
    TooLarge,
)
from tests.waiting import eventually

CHANCE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQ"

COMMAND = """
import sys
from pathlib import Path
from cyme.adapters.tokens import TokenFile
from cyme.core.access import Role
for name in sys.argv[2:]:
    TokenFile(Path(sys.argv[1])).create(name, Role.VIEWER)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "tokens.json"


@pytest.fixture
def file(path: Path) -> TokenFile:
    return TokenFile(path)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("role", list(Role))
def test_a_token_says_who_asks_and_what_they_may_do(file: TokenFile, role: Role) -> None:
    token = file.create("ci", role)
    assert re.fullmatch(rf"cyme_{role.label[0]}_[A-Za-z0-9_-]{{43}}", token)
    assert file.authenticate(token) == Caller(role, "ci")


def test_the_file_holds_hashes_and_is_its_owners_alone(file: TokenFile, path: Path) -> None:
    token = file.create("ci", Role.ADMIN)
    content = path.read_text()
    assert token not in content
    assert token.split("_", 2)[2] not in content
    assert hashlib.sha256(token.encode()).hexdigest() in content
    assert _mode(path) == 0o600
    assert {_mode(each) for each in path.parent.iterdir()} == {0o600}


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(max_size=200) | st.just("x" * 1_000_000) | st.just("\ud800"))
def test_knows_no_other_token(file: TokenFile, guess: str) -> None:
    if file.empty:
        file.create("ci", Role.VIEWER)
    assert file.authenticate(guess) is None


def test_lists_tokens_by_name_without_secrets(file: TokenFile) -> None:
    before = time.time()
    file.create("b", Role.VIEWER)
    file.create("a", Role.ADMIN)
    first, second = file.list()
    assert (first.name, first.role) == ("a", Role.ADMIN)
    assert (second.name, second.role) == ("b", Role.VIEWER)
    assert before <= second.created_at <= first.created_at <= time.time()


def test_a_file_that_is_not_there_is_an_empty_one(file: TokenFile, path: Path) -> None:
    assert file.empty
    assert file.list() == []
    assert file.authenticate("cyme_a_x") is None
    assert not path.exists()


def test_a_revoked_token_is_worthless_at_once(file: TokenFile) -> None:
    token, other = file.create("ci", Role.ADMIN), file.create("other", Role.VIEWER)
    assert file.authenticate(token)
    file.revoke("ci")
    assert file.authenticate(token) is None
    assert file.authenticate(other)
    with pytest.raises(NotFound, match="token list"):
        file.revoke("ci")


def test_a_running_branch_sees_what_a_command_changes(file: TokenFile, path: Path) -> None:
    command = TokenFile(path)
    assert file.authenticate("cyme_v_x") is None
    token = command.create("ci", Role.VIEWER)
    eventually(lambda: file.authenticate(token))
    command.revoke("ci")
    eventually(lambda: file.authenticate(token) is None)


def test_sees_that_the_file_was_removed(file: TokenFile, path: Path) -> None:
    token = file.create("ci", Role.VIEWER)
    assert file.authenticate(token)
    path.unlink()
    eventually(lambda: file.authenticate(token) is None)


def test_refuses_a_second_token_of_one_name(file: TokenFile) -> None:
    token = file.create("ci", Role.VIEWER)
    with pytest.raises(Conflict, match="token revoke ci"):
        file.create("ci", Role.ADMIN)
    assert file.authenticate(token) == Caller(Role.VIEWER, "ci")


@pytest.mark.parametrize("name", ["", "a b", "../x", "x" * 129])
def test_refuses_what_is_no_name(file: TokenFile, path: Path, name: str) -> None:
    with pytest.raises(InvalidRequest):
        file.create(name, Role.VIEWER)
    assert not path.exists()


def test_refuses_more_tokens_than_may_be(file: TokenFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "TOKENS_MAX", 2)
    file.create("a", Role.VIEWER)
    file.create("b", Role.VIEWER)
    with pytest.raises(TooLarge):
        file.create("c", Role.VIEWER)


def test_commands_beside_each_other_lose_nothing(file: TokenFile, path: Path) -> None:
    names = [[f"{command}-{number}" for number in range(10)] for command in "abc"]
    commands = [
        subprocess.Popen([sys.executable, "-c", COMMAND, str(path), *each]) for each in names
    ]
    assert [command.wait() for command in commands] == [0, 0, 0]
    assert [info.name for info in file.list()] == sorted(chain(*names))


def test_gives_up_where_another_command_holds_the_lock(
    file: TokenFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "LOCK_TIMEOUT_S", 0.1)
    with TokenFile(path)._locked(), pytest.raises(StorageUnavailable, match="Another command"):
        file.create("ci", Role.VIEWER)
    file.create("ci", Role.VIEWER)


def test_a_write_that_fails_leaves_the_file_as_it_was(
    file: TokenFile, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = file.create("ci", Role.VIEWER)
    before = path.read_bytes()

    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StorageUnavailable, match="It is as it was"):
        file.revoke("ci")
    assert path.read_bytes() == before
    assert file.authenticate(token)
    assert {each.name for each in path.parent.iterdir()} == {"tokens.json", "tokens.lock"}


def test_says_so_where_the_file_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable):
        TokenFile(tmp_path / "nowhere" / "tokens.json").create("ci", Role.VIEWER)


CORRUPT = [
    b"",
    b"{",
    b"[]",
    b"null",
    b"\xff",
    b'{"format": 2, "had_admin": false, "tokens": []}',
    b'{"format": 1, "had_admin": false, "tokens": [{"name": "x"}]}',
    b'{"format": 1, "had_admin": false, "tokens": [{"name": "x", "role": "god"}]}',
]


@pytest.mark.parametrize("content", CORRUPT)
def test_a_damaged_file_is_refused_and_never_overwritten(
    file: TokenFile, path: Path, content: bytes
) -> None:
    path.write_bytes(content)
    with pytest.raises(DirectoryUnusable, match=r"tokens\.json"):
        file.empty  # noqa: B018 - reading it is the test
    with pytest.raises(DirectoryUnusable):
        file.list()
    with pytest.raises(DirectoryUnusable):
        file.create("ci", Role.VIEWER)
    with pytest.raises(DirectoryUnusable):
        file.ensure_admin(path.with_name("admin.token"))
    assert path.read_bytes() == content
    assert file.authenticate("cyme_a_x") is None


@pytest.mark.parametrize("content", CORRUPT)
def test_a_file_damaged_at_run_time_leaves_valid_what_was(
    file: TokenFile, path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    token = file.create("ci", Role.VIEWER)
    assert file.authenticate(token)
    path.write_bytes(content)
    with caplog.at_level(logging.ERROR):
        eventually(lambda: [file.authenticate(token), caplog.records][1])
        file._next_look_at = 0
        assert file.authenticate(token) == Caller(Role.VIEWER, "ci")
    assert len(caplog.records) == 1, "it is said once"


def test_what_was_revoked_is_worthless_though_the_file_could_not_be_read_at_first(
    file: TokenFile, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def no_descriptor_left(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    token = file.create("ci", Role.VIEWER)
    assert file.authenticate(token)
    TokenFile(path).revoke("ci")
    with monkeypatch.context() as while_it_fails, caplog.at_level(logging.ERROR):
        while_it_fails.setattr(Path, "open", no_descriptor_left)
        eventually(lambda: [file.authenticate(token), caplog.records][1])
    eventually(lambda: file.authenticate(token) is None)


def test_the_first_start_writes_an_administrators_token(file: TokenFile, path: Path) -> None:
    secret = path.with_name("admin.token")
    assert file.ensure_admin(secret)
    assert _mode(secret) == 0o600
    token = secret.read_text().strip()
    assert file.authenticate(token) == Caller(Role.ADMIN, "admin")
    assert not file.ensure_admin(secret)
    assert secret.read_text().strip() == token


def test_a_revoked_administrator_does_not_come_back(file: TokenFile, path: Path) -> None:
    secret = path.with_name("admin.token")
    file.ensure_admin(secret)
    file.revoke("admin")
    assert not file.ensure_admin(secret)
    assert file.authenticate(secret.read_text().strip()) is None


def test_a_token_named_admin_by_the_user_is_left_alone(file: TokenFile, path: Path) -> None:
    token = file.create("admin", Role.VIEWER)
    assert not file.ensure_admin(path.with_name("admin.token"))
    assert file.authenticate(token) == Caller(Role.VIEWER, "admin")
    assert not path.with_name("admin.token").exists()


def test_other_tokens_do_not_stand_for_the_first_administrator(file: TokenFile, path: Path) -> None:
    file.create("ci", Role.VIEWER)
    assert file.ensure_admin(path.with_name("admin.token"))
    assert {info.name for info in file.list()} == {"ci", "admin"}


def test_a_first_start_that_was_cut_short_is_made_good(file: TokenFile, path: Path) -> None:
    secret = path.with_name("admin.token")
    secret.write_text("written, and then the power went")
    secret.chmod(0o644)
    assert file.ensure_admin(secret)
    assert _mode(secret) == 0o600
    assert file.authenticate(secret.read_text().strip())


def test_asking_costs_microseconds(file: TokenFile) -> None:
    for number in range(50):
        token = file.create(f"t{number}", Role.VIEWER)
    rounds = 2000
    best = min(_duration_s(file, token, rounds) for _ in range(5))
    assert best / rounds < 50e-6


def _duration_s(file: TokenFile, token: str, rounds: int) -> float:
    gevent.idle()
    started = time.process_time()
    for _ in range(rounds):
        file.authenticate(token)
    return time.process_time() - started


def test_a_token_that_one_branch_made_is_known_to_another(file: TokenFile, tmp_path: Path) -> None:
    made = file.put("ci", Role.OPERATOR, None)
    assert made.created
    assert made.token not in repr(made)
    other = TokenFile(tmp_path / "other.json")
    assert other.put("ci", Role.OPERATOR, made.token).created
    assert not other.put("ci", Role.OPERATOR, made.token).created
    for each in (file, other):
        assert each.authenticate(made.token) == Caller(Role.OPERATOR, "ci")
        assert [info.name for info in each.list()] == ["ci"]
    with pytest.raises(Conflict):
        other.put("cd", Role.OPERATOR, made.token)
    with pytest.raises(Conflict):
        other.put("ci", Role.OPERATOR, file.create("cd", Role.OPERATOR))
    with pytest.raises(Conflict):
        other.put("ci", Role.OPERATOR, None)


@pytest.mark.parametrize(
    "secret",
    [
        *("", "hush", "cyme_o_" + "a" * 43, "cyme_o_" + "ab0_" * 10 + "abc"),
        *(f"cyme_v_{CHANCE}", f"cyme_o_{CHANCE}x", f"cyme_o_{CHANCE[1:]}", f"cyme_o_{CHANCE[1:]}="),
        f"cyme_o_{CHANCE}\n",
    ],
)
def test_a_token_that_is_none_of_ours_is_not_taken(file: TokenFile, secret: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        file.put("ci", Role.OPERATOR, secret)
    assert not secret or secret not in str(caught.value)
    assert file.empty
    file.put("ci", Role.OPERATOR, f"cyme_o_{CHANCE}")
