"""A real terminal, tmux, with a shell in it and the command at hand."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Self
from uuid import uuid4

import pytest

from tests.servers import is_required
from tests.system.branches import clean_environment
from tests.waiting import eventually

TMUX_TIMEOUT_S = 10.0
SCREEN_TIMEOUT_S = 20.0

SHELLS: Mapping[str, tuple[str, ...]] = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "--interactive"),
}
#: What makes a shell complete the command, and say when it waits for another one.
PREPARED = {
    "bash": "PS1='ready> '; eval \"$(cyme completion bash)\"",
    "zsh": "PS1='ready> '; autoload -Uz compinit; compinit -u -D; eval \"$(cyme completion zsh)\"",
    "fish": "function fish_prompt; echo -n 'ready> '; end; cyme completion fish | source",
}


def program(name: str) -> str:
    """Return where a program is, or skip the test; fail it where the program is required."""
    found = shutil.which(name)
    if found is None:
        reason = f"{name} is not installed"
        if is_required(name):
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)
    return found


def has_prompt(screen: str) -> bool:
    """Tell whether the shell waits for a command."""
    return screen.rstrip().endswith("ready>")


class Terminal:
    """A terminal with a shell in it.

    Args:
        room: Where the shell starts, and where its home is.
        shell: ``bash``, ``zsh`` or ``fish``.
        columns: Its width.
        rows: Its height.
        variables: What the shell has besides in its environment.
    """

    def __init__(
        self,
        room: Path,
        shell: str = "bash",
        *,
        columns: int = 80,
        rows: int = 24,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._tmux = program("tmux")
        self._shell = [program(SHELLS[shell][0]), *SHELLS[shell][1:]]
        self._prepared = PREPARED[shell]
        self._room = room
        self._size = (columns, rows)
        self._variables = variables or {}
        # Tests may run side by side, and tmux sockets are shared by name.
        self._socket = f"cyme-test-{uuid4().hex[:12]}"

    def __enter__(self) -> Self:
        programs = self._room / "bin"
        programs.mkdir(exist_ok=True)
        script = programs / "cyme"
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cyme.cli "$@"\n')
        script.chmod(0o755)
        environment = clean_environment(self._room)
        environment.pop("NO_COLOR")
        environment |= {
            "PATH": f"{programs}:{environment['PATH']}",
            "CYME_STATE_DIR": str(self._room / "state"),
            "LC_ALL": "C.UTF-8",
            "SHELL": "/bin/sh",
            **self._variables,
        }
        columns, rows = self._size
        self._run(
            *("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows)),
            *("-c", str(self._room), shlex.join(self._shell)),
            environment=environment,
        )
        # A shell that is not there yet may throw away what is typed.
        self.wait_for(lambda screen: bool(screen.strip()))
        self.type(self._prepared, "Enter")
        self.wait_for(has_prompt)
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(
            [self._tmux, "-L", self._socket, "kill-server"],
            check=False, capture_output=True, timeout=TMUX_TIMEOUT_S,
        )  # fmt: skip

    def type(self, text: str, *keys: str) -> None:
        """Type a text, then keys by their names: ``Enter``, ``Tab``, ``C-c``."""
        if text:
            self._run("send-keys", "-l", text)
        if keys:
            self._run("send-keys", *keys)

    def run(self, command: str) -> str:
        """Type a command on an empty screen, and return the screen when the shell is back."""
        self.clear()
        self.type(f"{command}; echo code=$?", "Enter")
        return self.wait_for(
            lambda screen: "code=" in screen.partition("\n")[2] and has_prompt(screen)
        )

    def interrupt(self) -> str:
        """End a program with Ctrl-C, and return the screen with its exit code, as ``code=130``."""
        self.type("", "C-c")
        self.wait_for(has_prompt)
        self.type("echo code=$?", "Enter")
        return self.wait_for(re.compile(r"^code=\d", re.MULTILINE))

    def clear(self) -> None:
        """Empty the screen, whatever is typed already; a program that ends has its time to."""
        self.type("", "C-c")
        # What is typed while a program still runs, the shell may throw away when it takes over.
        self.wait_for(has_prompt)
        self.type("clear", "Enter")
        self.wait_for(lambda screen: screen.strip() == "ready>")

    def screen(self, *, coloured: bool = False) -> str:
        """Return what the terminal shows."""
        return self._run("capture-pane", "-p", *(["-e"] if coloured else []))

    def wait_for(
        self,
        wanted: str | re.Pattern[str] | Callable[[str], object],
        timeout_s: float = SCREEN_TIMEOUT_S,
    ) -> str:
        """Return the screen as soon as it shows a text or a pattern, or is as wanted."""
        if isinstance(wanted, str):
            wanted = re.compile(re.escape(wanted))
        is_there = wanted.search if isinstance(wanted, re.Pattern) else wanted

        def look() -> str | None:
            screen = self.screen()
            return screen if is_there(screen) else None

        try:
            shown = eventually(look, timeout_s)
        except AssertionError:
            raise AssertionError(f"{wanted!r} is not on the screen:\n{self.screen()}") from None
        assert shown is not None
        return shown

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal another size."""
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def _run(self, *arguments: str, environment: Mapping[str, str] | None = None) -> str:
        done = subprocess.run(
            [self._tmux, "-L", self._socket, *arguments],
            env=dict(environment) if environment is not None else None,
            capture_output=True,
            text=True,
            check=False,
            timeout=TMUX_TIMEOUT_S,
        )
        assert done.returncode == 0, (arguments, done.stderr)
        return done.stdout
