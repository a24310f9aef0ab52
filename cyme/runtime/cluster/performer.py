"""Performs the calls of other branches: bytes in, bytes out, whatever happens in between."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cyme.errors import NotSupported
from cyme.runtime.cluster.encoding import decode_arguments, encode, encode_error
from cyme.runtime.service.calls import CALLS


class UseCases(Protocol):
    """What performs a call, once it is known to be one."""

    def __call__(self, method: str, arguments: Mapping[str, object], *, timeout_s: float) -> object:
        """Perform a call that is in ``CALLS`` and return what it returns."""


class Performer:
    """Performs calls by their names.

    Args:
        use_cases: What performs them.
    """

    def __init__(self, use_cases: UseCases) -> None:
        self._use_cases = use_cases

    def __call__(self, method: str, arguments: bytes, *, timeout_s: float) -> tuple[bool, bytes]:
        """Perform a call; return whether it went well, and its value or its error, encoded."""
        try:
            return True, encode(self._perform(method, arguments, timeout_s))
        except Exception as exc:  # noqa: BLE001 - whoever called is told, as far as it concerns them
            return False, encode_error(exc)

    def waits(self, method: str) -> bool:
        """Tell whether a call only reads, and so may wait for long."""
        described = CALLS.get(method)
        return described is not None and not described.writes

    def _perform(self, method: str, arguments: bytes, timeout_s: float) -> object:
        described = CALLS.get(method)
        if described is None:
            raise NotSupported(
                f"This branch knows no call {method!r}; it may run an older Cyme. Bring all "
                "branches to the same version."
            )
        given = decode_arguments(arguments, described.arguments, described.required)
        return self._use_cases(method, given, timeout_s=timeout_s)
