from __future__ import annotations

import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyme.adapters.directory import ID_FILE, LOCK_FILE, BranchDirectory
from cyme.core.names import NAME_CHARS_MAX, check_name
from cyme.errors import DirectoryLocked, DirectoryUnusable, SettingsError

STRANGER = 12_345

HOLDER = """
import sys, time
from pathlib import Path
from cyme.adapters.directory import BranchDirectory
BranchDirectory(Path(sys.argv[1])).open()
print("open", flush=True)
time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "var" / "instances"


@pytest.fixture
def opened(place: Path) -> Iterator[BranchDirectory]:
    made = BranchDirectory(place)
    made.open()
    yield made
    made.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022])
def test_makes_a_private_directory_and_its_parents(umask: int, place: Path) -> None:
    before = os.umask(umask)
    try:
        made = BranchDirectory(place)
        made.open()
        made.close()
    finally:
        os.umask(before)
    assert made.path == place
    assert (_mode(place), _mode(place.parent)) == (0o700, 0o700)
    assert {_mode(file) for file in place.iterdir()} == {0o600}


def test_the_path_is_absolute_and_without_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    made = BranchDirectory(Path("link/instances"))
    made.open()
    made.close()
    assert made.path == tmp_path / "instances"


@pytest.mark.parametrize(
    "path", ["{file}", "{file}/instances", "/proc/instances", "{loop}", "{loop}/instances"]
)
def test_says_what_to_do_where_no_directory_can_be(path: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    refused = Path(path.format(file=tmp_path / "file", loop=tmp_path / "loop"))
    with pytest.raises(DirectoryUnusable, match="--instance-dir") as caught:
        BranchDirectory(refused).open()
    assert str(refused) in caught.value.detail


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_refuses_the_directory_of_another_user(place: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    os.chown(place, STRANGER, STRANGER)
    with pytest.raises(DirectoryUnusable, match=f"number {STRANGER}"):
        BranchDirectory(place).open()


@pytest.mark.parametrize("mine", [False, True])
def test_makes_an_empty_directory_or_a_branchs_own_private(place: Path, mine: bool) -> None:
    place.mkdir(parents=True)
    place.chmod(0o755)
    if mine:
        (place / LOCK_FILE).touch()
        (place / "worker").mkdir()
    made = BranchDirectory(place)
    made.open()
    made.close()
    assert _mode(place) == 0o700


def test_leaves_a_directory_alone_that_may_be_somebodys_home(place: Path) -> None:
    place.mkdir(parents=True)
    (place / "letters").touch()
    place.chmod(0o755)
    with pytest.raises(DirectoryUnusable, match=f"chmod 700 {place}"):
        BranchDirectory(place).open()
    assert _mode(place) == 0o755
    assert [file.name for file in place.iterdir()] == ["letters"]
    place.chmod(0o700)
    made = BranchDirectory(place)
    made.open()
    made.close()


def test_follows_no_link_in_place_of_the_lock(place: Path, tmp_path: Path) -> None:
    place.mkdir(parents=True, mode=0o700)
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (place / LOCK_FILE).symlink_to(victim)
    with pytest.raises(DirectoryUnusable):
        BranchDirectory(place).open()
    assert victim.read_text() == "precious"


def test_a_second_branch_learns_who_holds_the_directory(place: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(place)], stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None
    try:
        assert holder.stdout.readline() == "open\n"
        with pytest.raises(DirectoryLocked, match=rf"process id {holder.pid}\b") as caught:
            BranchDirectory(place).open()
        assert str(place) in caught.value.detail
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    after = BranchDirectory(place)
    after.open()
    after.close()


def test_programs_that_a_branch_starts_do_not_hold_its_directory(
    opened: BranchDirectory, place: Path
) -> None:
    child = subprocess.Popen(["sleep", "60"], close_fds=False)
    try:
        opened.close()
        again = BranchDirectory(place)
        again.open()
        again.close()
    finally:
        child.kill()
        child.wait()


def test_a_refused_open_holds_nothing(opened: BranchDirectory, place: Path) -> None:
    second = BranchDirectory(place)
    with pytest.raises(DirectoryLocked):
        second.open()
    before = _open_files()
    with pytest.raises(DirectoryLocked):
        second.open()
    assert _open_files() == before
    second.close()


def test_remembers_the_id_that_was_asked_for(opened: BranchDirectory, place: Path) -> None:
    assert opened.branch_id("rome") == "rome"
    assert opened.branch_id("rome") == "rome"
    assert opened.branch_id(None) == "rome"
    assert _mode(place / ID_FILE) == 0o600


def test_makes_an_id_and_keeps_to_it(opened: BranchDirectory) -> None:
    made = opened.branch_id(None)
    assert opened.branch_id(None) == made
    assert re.fullmatch(r".+-[0-9a-f]{4}", made)


@pytest.mark.parametrize(
    ("hostname", "beginning"),
    [
        ("web1.example.org", "web1.example.org-"),
        ("-weird host!-", "weird-host-"),
        ("", "branch-"),
        ("日本", "branch-"),
        ("h" * 300, "h" * 123 + "-"),
    ],
)
def test_an_id_is_a_name_whatever_the_host_is_called(
    hostname: str,
    beginning: str,
    opened: BranchDirectory,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: hostname)
    made = opened.branch_id(None)
    assert made.startswith(beginning)
    assert len(made) <= NAME_CHARS_MAX
    assert check_name("branch", made) == made


def test_refuses_to_be_another_branch(opened: BranchDirectory) -> None:
    opened.branch_id("rome")
    with pytest.raises(DirectoryUnusable, match=r"'rome'.*'oslo'"):
        opened.branch_id("oslo")
    assert opened.branch_id(None) == "rome"


@pytest.mark.parametrize("wanted", ["", "../x", "-x", "a b", "x" * 129])
def test_refuses_an_id_that_is_no_name(wanted: str, opened: BranchDirectory, place: Path) -> None:
    with pytest.raises(SettingsError, match="--id"):
        opened.branch_id(wanted)
    assert not (place / ID_FILE).exists()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"two words", b"../x"])
def test_does_not_guess_at_an_id_that_it_cannot_read(
    content: bytes, opened: BranchDirectory, place: Path
) -> None:
    (place / ID_FILE).write_bytes(content)
    with pytest.raises(DirectoryUnusable, match=ID_FILE):
        opened.branch_id(None)
    assert (place / ID_FILE).read_bytes() == content


def test_closing_twice_is_as_closing_once(opened: BranchDirectory) -> None:
    opened.close()
    opened.close()
