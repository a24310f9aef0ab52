from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyme.adapters.cluster_secret import (
    FILE_BYTES_MAX,
    SECRET_BYTES_MIN,
    ensure_secret,
    make_secret,
    read_secret,
)
from cyme.errors import DirectoryUnusable, SettingsError, StartupError

STRANGER = 12_345
SECRET = b"0123456789abcdef0123456789abcdef"

ENSURER = """
import sys
from pathlib import Path
from cyme.adapters.cluster_secret import ensure_secret
sys.stdin.readline()
print(ensure_secret(Path(sys.argv[1])).decode())
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cyme.secret"


@pytest.fixture
def good(file: Path) -> Path:
    _write(file, SECRET + b"\n")
    return file


@pytest.fixture
def open_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def _write(file: Path, content: bytes, mode: int = 0o600) -> None:
    file.write_bytes(content)
    file.chmod(mode)


def _mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_private_file_is_read_without_its_white_space(mode: int, file: Path) -> None:
    _write(file, b" \n" + SECRET + b"\r\n", mode)
    assert read_secret(file) == SECRET


def test_a_link_to_a_private_file_will_do(good: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(good)
    assert read_secret(link) == SECRET


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o777])
def test_a_file_that_others_can_use_is_refused(mode: int, good: Path) -> None:
    good.chmod(mode)
    with pytest.raises(SettingsError, match=f"chmod 600 {good}"):
        read_secret(good)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_file_of_somebody_else_is_refused(good: Path) -> None:
    os.chown(good, STRANGER, STRANGER)
    with pytest.raises(SettingsError, match=f"belongs to .* {STRANGER}.* chown {os.geteuid()}"):
        read_secret(good)


def test_a_file_of_root_will_do(good: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if good.stat().st_uid != 0:
        pytest.skip("only root has files of root")
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    assert read_secret(good) == SECRET


def test_without_a_file_the_command_that_makes_one_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a file"
    with pytest.raises(SettingsError, match=f"cyme-branch secret '{file}'"):
        read_secret(file)


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"x" * (SECRET_BYTES_MIN - 1) + b"\n", b"x" * (FILE_BYTES_MAX + 1)]
)
def test_what_is_no_secret_is_refused(content: bytes, file: Path) -> None:
    _write(file, content)
    with pytest.raises(SettingsError, match="32 to 4096 characters") as raised:
        read_secret(file)
    assert "xxxx" not in str(raised.value)


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for place in (pipe, tmp_path):
        with pytest.raises(SettingsError, match="is not a file"):
            read_secret(place)


def test_a_path_through_a_file_is_refused(good: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: Not a directory"):
        read_secret(good / "below")


def test_a_new_secret_is_private_and_unlike_any_other(
    open_umask: None, file: Path, tmp_path: Path
) -> None:
    make_secret(file)
    make_secret(tmp_path / "other")
    assert _mode(file) == 0o600
    assert file.read_bytes().endswith(b"\n")
    assert read_secret(file) != read_secret(tmp_path / "other")
    assert len(read_secret(file)) >= SECRET_BYTES_MIN
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["cyme.secret", "other"]


def test_no_file_is_overwritten(good: Path, tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="exists already"):
        make_secret(good)
    assert read_secret(good) == SECRET
    assert [entry.name for entry in tmp_path.iterdir()] == [good.name]


def test_a_secret_where_nothing_can_be_written_is_an_error_of_the_start(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match="cannot be written"):
        make_secret(tmp_path / "missing" / "cyme.secret")
    (tmp_path / "file").touch()
    with pytest.raises(DirectoryUnusable, match="--state-dir"):
        ensure_secret(tmp_path / "file" / "state" / "cyme.secret")


def test_a_missing_secret_is_made_once(open_umask: None, tmp_path: Path) -> None:
    file = tmp_path / "state" / "c.secret"
    made = ensure_secret(file)
    assert ensure_secret(file) == made == read_secret(file)
    assert _mode(file) == 0o600
    assert _mode(file.parent) == 0o700


def test_a_secret_that_is_open_to_others_is_not_taken_for_granted(good: Path) -> None:
    good.chmod(0o644)
    with pytest.raises(SettingsError, match="chmod 600"):
        ensure_secret(good)


def test_branches_that_start_together_have_one_secret(tmp_path: Path) -> None:
    file = tmp_path / "state" / "c.secret"
    together = [
        subprocess.Popen(
            [sys.executable, "-c", ENSURER, str(file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    for process in together:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    told = {process.communicate(timeout=30)[0].strip() for process in together}
    assert told == {read_secret(file).decode()}
    assert [entry.name for entry in file.parent.iterdir()] == [file.name]
