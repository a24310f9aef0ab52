"""The walk-throughs' own tool: curl, called as a reader of the introduction calls it."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass

CURL_TIMEOUT_S = 60


@dataclass(frozen=True)
class Printed:
    """What ``curl -i`` printed."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> object:
        return json.loads(self.text)

    @property
    def members(self) -> dict[str, object]:
        value = self.json
        assert isinstance(value, dict), self
        return value


def curl(*arguments: str) -> Printed:
    """Run ``curl -i`` with the arguments and read what it prints."""
    done = subprocess.run(
        ["curl", "--silent", "--show-error", "--max-time", str(CURL_TIMEOUT_S), "-i", *arguments],
        capture_output=True,
        check=True,
        timeout=CURL_TIMEOUT_S + 5,
    )
    head, _, text = done.stdout.decode().partition("\r\n\r\n")
    while head.split(" ")[1] == "100":
        head, _, text = text.partition("\r\n\r\n")
    first, *lines = head.split("\r\n")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Printed(int(first.split(" ")[1]), headers, text)
