"""A user's Celery application, as workers in tests load it: from its directory, by ``-A``."""

import os
import subprocess
import sys
import time

from celery import Celery
from celery.utils.log import get_task_logger

app = Celery("sample_app")

#: A child of a task that has left the worker's session, and one that left its tree as well.
ESCAPEE = """
import os, sys, time
os.setsid()
if os.fork():
    os._exit(0)
open(sys.argv[1], "w").write(str(os.getpid()))
time.sleep(600)
"""


@app.task(name="nap")  # type: ignore[untyped-decorator]
def nap(seconds: float) -> float:
    """Do nothing for a while."""
    time.sleep(seconds)
    return seconds


@app.task(name="leave_child")  # type: ignore[untyped-decorator]
def leave_child(pid_path: str, keep_environment: bool) -> int:
    """Leave a process behind that is no descendant of the worker any more."""
    env = dict(os.environ) if keep_environment else {"PATH": os.environ["PATH"]}
    return subprocess.call([sys.executable, "-c", ESCAPEE, pid_path], env=env)


@app.task(name="say")  # type: ignore[untyped-decorator]
def say(words: str) -> None:
    """Log some words."""
    get_task_logger(__name__).warning("said %s", words)


@app.task(name="print_raw")  # type: ignore[untyped-decorator]
def print_raw(words: str) -> None:
    """Write to the process's own output, past what Celery makes of it."""
    os.write(1, f"{words}\n".encode())
