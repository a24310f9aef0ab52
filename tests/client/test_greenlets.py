"""The client in a program that gevent has patched, in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import threading

from tests.client.server import EVENTS, chunk, event_frame, says, serving, waits

_PROGRAM = """
from gevent import monkey; monkey.patch_all()
import sys, gevent
from cyme import Client
lists, events = Client(sys.argv[1], timeout_s=10), Client(sys.argv[2])
asked = [gevent.spawn(lists.all) for _ in range(50)]
stream = events.stream()
seen = gevent.spawn(lambda: [event.seq for event in stream])
gevent.joinall(asked, raise_error=True)
with gevent.Timeout(10):
    while stream.last_id != "e2":
        gevent.sleep(0.01)
stream.close()
print(sum(each.value == ["a"] for each in asked), seen.get(timeout=10))
"""


def test_greenlets_share_a_client_and_end_each_others_streams() -> None:
    done = threading.Event()
    said = waits(done, EVENTS, chunk(event_frame(1)), chunk(event_frame(2)))
    with serving(says(["a"])) as lists, serving(said) as events:
        ran = subprocess.run(
            [sys.executable, "-c", _PROGRAM, lists.url, events.url],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        done.set()
    assert ran.stdout.strip() == "50 [1, 2]", ran.stderr
