"""A real HTTP server that says what a test tells it to, byte for byte."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

RECEIVE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Asked:
    """A request as it came.

    Attributes:
        connection: Which connection it came over, counted from 0.
    """

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    connection: int


#: Answers a request over the socket; closes the connection unless it returns True.
Answer = Callable[[socket.socket, Asked], bool]


class Server:
    """Answers the requests that come with the answers it was given, one after the other.

    The last answer is given again and again.

    Attributes:
        asked: What was asked so far.
        connections: How many connections were taken so far.
    """

    def __init__(self, *answers: Answer) -> None:
        self._answers = list(answers)
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self.asked: list[Asked] = []
        self.connections = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self._listening.getsockname()[1])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def targets(self) -> list[str]:
        return [f"{each.method} {each.target}" for each in self.asked]

    def stop(self) -> None:
        """End as a killed process does: everything is closed at once."""
        with suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for each in list(self._open):
            _reset(each)
        self._thread.join(RECEIVE_TIMEOUT_S)

    def _accept(self) -> None:
        while True:
            try:
                taken, _ = self._listening.accept()
            except OSError:
                return
            self._open.append(taken)
            number = self.connections
            self.connections += 1
            threading.Thread(target=self._serve, args=(taken, number), daemon=True).start()

    def _serve(self, taken: socket.socket, number: int) -> None:
        taken.settimeout(RECEIVE_TIMEOUT_S)
        with suppress(OSError), taken, taken.makefile("rb") as stream:
            while (asked := _read(stream, number)) is not None:
                with self._lock:
                    self.asked.append(asked)
                    answer = self._answers[0] if len(self._answers) == 1 else self._answers.pop(0)
                if not answer(taken, asked):
                    return


def _read(stream: Any, number: int) -> Asked | None:
    line = stream.readline().decode("latin-1").split()
    if not line:
        return None
    headers = {}
    while field := stream.readline().strip():
        name, _, value = field.decode("latin-1").partition(":")
        headers[name.lower()] = value.strip()
    body = stream.read(int(headers.get("content-length", 0)))
    return Asked(line[0], line[1], headers, body, number)


def _reset(taken: socket.socket) -> None:
    with suppress(OSError):
        taken.shutdown(socket.SHUT_RDWR)
    taken.close()


@contextmanager
def serving(*answers: Answer) -> Iterator[Server]:
    server = Server(*answers)
    try:
        yield server
    finally:
        server.stop()


# --- answers -------------------------------------------------------------------------------------


def says(value: object, status: int = 200, **headers: str) -> Answer:
    """Answer with JSON, and keep the connection."""

    def answer(taken: socket.socket, asked: Asked) -> bool:
        body = b"" if asked.method == "HEAD" else json.dumps(value).encode()
        fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
        fields |= {name.replace("_", "-"): text for name, text in headers.items()}
        taken.sendall(head(status, fields) + body)
        return True

    return answer


def problem(status: int, detail: str = "It is so.", **headers: str) -> Answer:
    return says({"detail": detail, "status": status, "title": "Problem"}, status, **headers)


def sends(*parts: bytes) -> Answer:
    """Answer with bytes as they are, and close the connection."""

    def answer(taken: socket.socket, asked: Asked) -> bool:
        for part in parts:
            taken.sendall(part)
        return False

    return answer


def waits(event: threading.Event, *parts: bytes) -> Answer:
    """Send bytes, and hold the connection until the event is set."""

    def answer(taken: socket.socket, asked: Asked) -> bool:
        for part in parts:
            taken.sendall(part)
        event.wait(RECEIVE_TIMEOUT_S)
        return False

    return answer


def trickles(event: threading.Event, part: bytes, period_s: float) -> Answer:
    """Send a byte now and then, until the event is set."""

    def answer(taken: socket.socket, asked: Asked) -> bool:
        for byte in part:
            taken.sendall(bytes([byte]))
            if event.wait(period_s):
                return False
        return False

    return answer


def closes(taken: socket.socket, asked: Asked) -> bool:
    """Close the connection without an answer."""
    return False


def head(status: int, fields: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Said", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


EVENTS = head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"})


def chunk(text: str) -> bytes:
    part = text.encode()
    return f"{len(part):x}\r\n".encode() + part + b"\r\n"


def event_frame(number: int, kind: str = "instance.running") -> str:
    members = {"id": f"e{number}", "seq": number, "at": "2026-01-01T00:00:00Z", "kind": kind}
    return f"id: e{number}\ndata: {json.dumps(members)}\n\n"
