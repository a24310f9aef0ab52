"""The task as a worker runs it, and a resolver that says what a test wants."""

from __future__ import annotations

import base64
import json
import socket
from typing import Any

import pytest

from cyme import tasks


def webhook(url: str, method: str = "GET", **arguments: Any) -> dict[str, Any]:
    """Run the task as a worker would, with arguments that went through JSON."""
    if "body" in arguments:
        arguments["body"] = base64.b64encode(arguments["body"]).decode()
    arguments = {"timeout_s": 5.0, **arguments}
    result = tasks.webhook(**json.loads(json.dumps({"url": url, "method": method, **arguments})))
    return dict(json.loads(json.dumps(result)))


def resolving(monkeypatch: pytest.MonkeyPatch, *answers: str) -> list[str]:
    """Have names lead to one address after the other; return what was looked up."""
    asked: list[str] = []

    def getaddrinfo(host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        asked.append(host)
        address = answers[min(len(asked), len(answers)) - 1]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr("cyme.tasks.connections.socket.getaddrinfo", getaddrinfo)
    return asked
