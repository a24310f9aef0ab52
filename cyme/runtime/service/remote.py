"""Use cases that one branch performs for another: marked where they stand.

Their names, arguments and results are what goes between branches, so that a change of one is a
change of the protocol. All of them take ``timeout_s``, what is left of the caller's time, which
the protocol carries by itself.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, get_type_hints

#: The argument that the protocol carries by itself.
TIMEOUT = "timeout_s"

_MARK = "__remote_writes__"

UseCase = TypeVar("UseCase", bound=Callable[..., object])


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteCall:
    """A use case that a branch performs for another.

    Attributes:
        name: By which it is asked for: the name of the method.
        arguments: The types of its arguments by name, without the time that it has.
        required: The names of those that must be given.
        returns: The type of what it returns.
        writes: Whether it changes something, so that what it came to is kept for a retry.
    """

    name: str
    arguments: Mapping[str, Any]
    required: frozenset[str]
    returns: Any
    writes: bool


def remote(*, writes: bool) -> Callable[[UseCase], UseCase]:
    """Mark a method as one that other branches may have performed.

    Args:
        writes: Whether it changes something.
    """

    def mark(use_case: UseCase) -> UseCase:
        setattr(use_case, _MARK, writes)
        return use_case

    return mark


def calls_of(service: type) -> dict[str, RemoteCall]:
    """Return the marked methods of a class, by name."""
    methods = {name: getattr(service, name) for name in dir(service)}
    return {
        name: _described(name, method) for name, method in methods.items() if hasattr(method, _MARK)
    }


def _described(name: str, method: Callable[..., object]) -> RemoteCall:
    arguments = get_type_hints(method)
    returns = arguments.pop("return")
    assert arguments.pop(TIMEOUT) is float, f"{name} must take the time that it has"
    parameters = inspect.signature(method).parameters
    return RemoteCall(
        name=name,
        arguments=arguments,
        required=frozenset(
            each for each in arguments if parameters[each].default is inspect.Parameter.empty
        ),
        returns=returns,
        writes=getattr(method, _MARK),
    )
