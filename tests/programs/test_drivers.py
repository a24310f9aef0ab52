from __future__ import annotations

import subprocess
import sys

import pytest

LOADED = """
import sys
from cyme.programs.drivers import drivers_left_out
with drivers_left_out({url!r}):
    import peewee
import psycopg, pymysql  # both can be had afterwards
print(peewee.psycopg is not None, peewee.mysql is not None)
"""


@pytest.mark.parametrize(
    ("url", "loaded"),
    [
        (None, "False False"),
        ("sqlite:///d.sqlite", "False False"),
        ("postgresql://u@h/d", "True False"),
        ("postgres://u@h/d", "True False"),
        ("mysql://u@h/d", "False True"),
        ("mariadb+pymysql://u@h/d", "False True"),
    ],
)
def test_only_the_driver_of_the_database_is_loaded(url: str | None, loaded: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOADED.format(url=url)], capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == loaded, done.stderr
