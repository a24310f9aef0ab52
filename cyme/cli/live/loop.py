"""The loop of a live screen: figures come in a thread, keys and lines go through this one."""

from __future__ import annotations

import shutil
import threading
from typing import TYPE_CHECKING

from cyme.cli.environment import takes_colour
from cyme.cli.live.figures import Figures, look
from cyme.cli.live.screen import Screen
from cyme.cli.live.view import SORTS, View, view_lines
from cyme.errors import CymeError

if TYPE_CHECKING:
    from cyme.cli.session import Session

_KEY_WAIT_S = 0.25
_END_WAIT_S = 1.0
_PAGE = 10
_SCROLL = {"up": -1, "down": 1, "page-up": -_PAGE, "page-down": _PAGE, "k": -1, "j": 1,
           "home": -1_000_000, "end": 1_000_000}  # fmt: skip
_BY_KEY = {key: name for name, (key, _, _) in SORTS.items()}


class _Looker:
    """Looks at the cluster at intervals, in a thread of its own."""

    def __init__(self, session: Session, first: Figures, period_s: float) -> None:
        self._session = session
        self._period_s = period_s
        self._is_stopped = threading.Event()
        self.figures = first
        self.trouble = ""
        self.is_paused = False
        self._thread = threading.Thread(target=self._run, name="top", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no more."""
        self._is_stopped.set()
        self._thread.join(_END_WAIT_S)

    def _run(self) -> None:
        while not self._is_stopped.wait(self._period_s):
            if self.is_paused:
                continue
            try:
                self.figures = look(self._session)
                self.trouble = ""
            except CymeError as exc:
                self.trouble = exc.detail


def run(session: Session, view: View, period_s: float) -> None:
    """Show the screen until it is ended by q or Ctrl-C.

    Raises:
        ClientError: No branch can be reached at the beginning.
    """
    looker = _Looker(session, look(session), period_s)
    looker.start()
    try:
        with Screen() as screen:
            colour = takes_colour(screen.output)
            drawn: tuple[object, ...] = ()
            while True:
                width, height = shutil.get_terminal_size()
                view.trouble = looker.trouble
                shown = (looker.figures, width, height, repr(view))
                if shown != drawn:
                    screen.draw(
                        view_lines(looker.figures, view, width, height, colour=colour), height
                    )
                    drawn = (looker.figures, width, height, repr(view))
                key = screen.key(_KEY_WAIT_S)
                if key in {"q", "Q", "escape"}:
                    return
                if key is not None:
                    _obey(view, key)
                    looker.is_paused = view.is_paused
    finally:
        looker.stop()


def _obey(view: View, key: str) -> None:
    if key in _BY_KEY:
        view.sort, view.reverse, view.skip = _BY_KEY[key], False, 0
    elif key in _SCROLL:
        view.skip = max(0, view.skip + _SCROLL[key])
    elif key == "i":
        view.reverse = not view.reverse
    elif key == " ":
        view.is_paused = not view.is_paused
    elif key in {"?", "h"}:
        view.shows_help = not view.shows_help
