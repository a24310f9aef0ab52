"""Routes of the logs of workers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import falcon

from cyme.api.inputs import LogParameters
from cyme.api.operations import Request, operation
from cyme.api.streams import end_of
from cyme.api.values import moment_meant
from cyme.runtime.service import Service
from cyme.runtime.service.logs import LogReading

MEDIA_TYPE = "text/plain; charset=utf-8"

#: Lines that are shown where nobody says how many.
LINES = 100


class WorkerLogs:
    """The log of an instance's worker, wherever it runs."""

    def __init__(self, service: Service) -> None:
        self._service = service

    @operation(
        "Read or follow the log of a worker", takes=LogParameters, gives=str, media_type=MEDIA_TYPE
    )
    def on_get(
        self, req: Request, resp: falcon.Response, name: str, app: str | None = None
    ) -> None:
        """Answer with the end of the log, and with what is written from now on."""
        resp.content_type = MEDIA_TYPE
        # nginx would gather what is to be seen at once.
        resp.set_header("X-Accel-Buffering", "no")
        if req.method == "HEAD":
            self._service.instance(name, app)
            return
        lines, since = req.given.get("lines"), req.given.get("since")
        reading = self._service.open_log(
            name,
            app,
            lines=LINES if lines is None and since is None else lines,
            since=moment_meant(since, self._service.now()),
            follow=req.given.get("follow", False),
        )
        resp.stream = _Text(reading, end_of(req))

    on_head = on_get


class _Text:
    """What is read of a log, until it has to end; the server closes it, begun or not."""

    def __init__(self, reading: LogReading, is_over: Callable[[], bool]) -> None:
        self._reading = reading
        self._is_over = is_over

    def __iter__(self) -> Iterator[bytes]:
        for text in self._reading:
            yield text
            if self._is_over():
                return

    def close(self) -> None:
        self._reading.close()
