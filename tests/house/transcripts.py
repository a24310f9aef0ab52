"""Reads the console transcripts of the documentation, and plays them against real branches.

What a transcript prints must come, white space aside. ``...`` stands for anything, and so does
what differs from run to run: UUIDs, moments, ports, passwords, process ids, lengths. A UUID that
came once is the same one wherever the transcript has it again.
"""

from __future__ import annotations

import os
import re
import shlex
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

from tests.waiting import eventually

READY_TIMEOUT_S = 60.0
COMMAND_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 60.0

_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_VARYING = {
    "uuid": _UUID,
    "anything": r"\.\.\.",
    "moment": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z",
    "date": r"(?<=Date:).*?GMT",
    "password": r'(?<="password":")[\w-]{43}',
    "port": r'(?<="port":)2\d{4}|(?<=@127\.0\.0\.1:)\d+',
    "pids": r'(?<="pids":\[)[\d,]+',
    "length": r"(?<=content-length:)\d+",
}
_ANY_VARYING = re.compile("|".join(f"(?P<{kind}>{each})" for kind, each in _VARYING.items()))
_ADDRESS = re.compile(r"localhost:(\d+)")


@dataclass(frozen=True)
class Exchange:
    """A command, and what it prints."""

    command: str
    output: str


def exchanges(text: str) -> Iterator[Exchange]:
    """Yield the commands of all console blocks in ``text``, each with its output."""
    for block in re.findall(
        r"^\.\. code-block:: console\n\n((?:    .*\n|\n)+)", text, re.MULTILINE
    ):
        lines = [line.removeprefix("    ") for line in block.splitlines()]
        for part in re.split(r"^\$ ", "\n".join(lines), flags=re.MULTILINE)[1:]:
            command, output = _split(part)
            yield Exchange(command, output)


def _split(part: str) -> tuple[str, str]:
    """Split a command, which goes on while its lines end in a backslash, from its output."""
    lines = part.split("\n")
    count = 1
    while lines[count - 1].endswith("\\"):
        count += 1
    return "\n".join(lines[:count]), "\n".join(lines[count:])


@dataclass
class Stage:
    """Plays exchanges; the branches that they start live in a directory of the test's.

    Attributes:
        directory: For branches, what they share, and their logs.
    """

    directory: Path
    _ports: dict[str, int] = field(default_factory=dict)
    _uuids: dict[str, str] = field(default_factory=dict)
    _branches: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def play(self, exchange: Exchange) -> None:
        """Run a command and compare what it prints."""
        if exchange.command.startswith("cyme-branch "):
            self._start_branch(shlex.split(exchange.command)[1:])
            return
        command = _ADDRESS.sub(self._real_address, exchange.command)
        command = re.sub(r"^cyme ", f"{shlex.join(_COMMAND)} ", command)
        for shown, real in self._uuids.items():
            command = command.replace(shown, real)
        done = subprocess.run(
            ["bash", "-c", command.replace("curl ", "curl --silent --show-error ", 1)],
            env={**os.environ, "CYME_STATE_DIR": str(self.directory / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,  # a terminal shows both
            text=True,
            timeout=COMMAND_TIMEOUT_S,
            check=True,
        )
        self._compare(exchange, done.stdout)

    def close(self) -> None:
        """End the branches with their workers, and what they share."""
        for branch in self._branches:
            branch.terminate()
        for branch in self._branches:
            branch.wait(STOP_TIMEOUT_S)
        subprocess.run(
            [*_CYME, "broker", "stop", "--state-dir", str(self.directory / "state")],
            check=True,
            capture_output=True,
            timeout=STOP_TIMEOUT_S,
        )

    def _start_branch(self, arguments: list[str]) -> None:
        shown, *options = arguments
        port = self._ports[shown.removeprefix(":")] = _free_port()
        for index, option in enumerate(options):
            if option == "-D":
                options[index + 1] = str(self.directory / options[index + 1])
        if "-D" not in options:
            options += ["-D", str(self.directory / f"branch{port}")]
        options += ["--state-dir", str(self.directory / "state"), "--stop-workers-at-exit"]
        with (self.directory / "branch.log").open("ab") as log:
            branch = subprocess.Popen([*_CYME, f":{port}", *options], stdout=log, stderr=log)
        self._branches.append(branch)
        eventually(lambda: _is_ready(port), READY_TIMEOUT_S)

    def _real_address(self, found: re.Match[str]) -> str:
        return f"localhost:{self._ports[found[1]]}"

    def _compare(self, exchange: Exchange, printed: str) -> None:
        came = _bare(printed)
        wanted = _bare(_ADDRESS.sub(self._real_address, exchange.output))
        pattern, shown = self._pattern(wanted)
        match = re.fullmatch(pattern, came, re.DOTALL)
        assert match, f"{exchange.command}\nshould print\n{wanted}\nbut prints\n{came}"
        self._uuids |= dict(zip(shown, match.groups(), strict=True))

    def _pattern(self, wanted: str) -> tuple[str, list[str]]:
        """Return a pattern for an output, and the UUIDs that its groups stand for."""
        pattern, end = "", 0
        shown: list[str] = []
        for varying in _ANY_VARYING.finditer(wanted):
            pattern += re.escape(wanted[end : varying.start()])
            end = varying.end()
            if varying.lastgroup != "uuid":
                pattern += r".*?"
            elif varying[0] in self._uuids:
                pattern += self._uuids[varying[0]]
            elif varying[0] in shown:
                pattern += rf"\{shown.index(varying[0]) + 1}"
            else:
                shown.append(varying[0])
                pattern += f"({_UUID})"
        return pattern + re.escape(wanted[end:]), shown


_CYME = (sys.executable, "-m", "cyme")
_COMMAND = (sys.executable, "-m", "cyme.cli")


def _bare(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port: int = probe.getsockname()[1]
    return port


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://localhost:{port}/readyz", timeout=5) as reply:
            return bool(reply.status == 200)
    except (URLError, OSError):
        return False
