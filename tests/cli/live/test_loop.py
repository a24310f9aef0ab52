"""What the keys do on the live screen."""

from __future__ import annotations

import pytest

from cyme.cli.live.loop import _obey
from cyme.cli.live.view import View


@pytest.mark.parametrize(
    ("keys", "view"),
    [
        (["j", "i", "m"], View(sort="memory")),
        (["i"], View(reverse=True)),
        (["i", "i"], View()),
        (["down", "page-down", "up"], View(skip=10)),
        (["end", "home"], View()),
        (["up"], View()),
        ([" "], View(is_paused=True)),
        ([" ", " "], View()),
        (["?"], View(shows_help=True)),
        (["h", "h"], View()),
        (["x"], View()),
    ],
)
def test_a_key_changes_what_is_shown(keys: list[str], view: View) -> None:
    shown = View()
    for key in keys:
        _obey(shown, key)
    assert shown == view
