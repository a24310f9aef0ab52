"""A client that sends bytes as they are, so that a test can send wrong ones."""

from __future__ import annotations

import json
import socket
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Reply:
    """What a server answered."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class RawClient:
    """One connection; reads replies by their Content-Length."""

    def __init__(self, address: tuple[str, int], sock: socket.socket | None = None) -> None:
        self.socket = sock or socket.create_connection(address, timeout=TIMEOUT_S)
        self._buffer = b""

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def request(self, line: str, *fields: str, body: bytes = b"") -> Reply:
        head = "\r\n".join([line, "Host: localhost", *fields, "", ""])
        self.send(head.encode("latin-1") + body)
        return self.reply(has_body=not line.startswith("HEAD "))

    def read_until(self, mark: bytes) -> bytes:
        while mark not in self._buffer:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(self._buffer)
            self._buffer += piece
        found, _, self._buffer = self._buffer.partition(mark)
        return found

    def reply(self, *, has_body: bool = True) -> Reply:
        line, *fields = self.read_until(b"\r\n\r\n").decode("latin-1").split("\r\n")
        headers = {}
        for field in fields:
            name, _, value = field.partition(": ")
            assert name.lower() not in headers, f"{name} is there twice"
            headers[name.lower()] = value
        length = int(headers.get("content-length", "0")) if has_body else 0
        while len(self._buffer) < length:
            piece = self.socket.recv(65536)
            if not piece:
                raise EOFError(self._buffer)
            self._buffer += piece
        body, self._buffer = self._buffer[:length], self._buffer[length:]
        return Reply(int(line.split(" ")[1]), headers, body)

    def is_closed(self, timeout_s: float = TIMEOUT_S) -> bool:
        """Whether the server closes the connection in time; what it still sends is dropped."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            self.socket.settimeout(left_s)
            try:
                if not self.socket.recv(65536):
                    return True
            except TimeoutError:
                return False
            except OSError:
                return True
        return False
