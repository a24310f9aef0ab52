"""A representation as it came: a mapping whose members are attributes too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

#: Members that nothing prints by the way.
_SECRET = frozenset({"password", "token"})


class Info(Mapping[str, Any]):
    """A JSON object to read, by name or by attribute: ``info.broker.hostname``.

    Objects within are of the same kind; lists are lists. It compares equal to a dict of the same
    content.

    Args:
        members: The members of the JSON object.
    """

    __slots__ = ("_members",)

    def __init__(self, members: Mapping[str, Any]) -> None:
        self._members = {name: _wrapped(value) for name, value in members.items()}

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        try:
            return self._members[name]
        except KeyError:
            known = ", ".join(sorted(self._members))
            raise AttributeError(f"There is no {name!r} here; there are {known}.") from None

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._members]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"Info({_without_secrets(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Info, (plain(self),)


def plain(value: Any) -> Any:
    """Return a value with every ``Info`` in it as a dict, as ``json.dumps`` wants it."""
    match value:
        case Mapping():
            return {name: plain(each) for name, each in value.items()}
        case list() | tuple():
            return [plain(each) for each in value]
    return value


def _without_secrets(value: Any, name: str = "") -> Any:
    match value:
        case Mapping():
            return {each: _without_secrets(value[each], each) for each in value}
        case list():
            return [_without_secrets(each) for each in value]
        case str() if name in _SECRET:
            return "********"
    return value


def _wrapped(value: Any) -> Any:
    match value:
        case Info():
            return value
        case dict():
            return Info(value)
        case list():
            return [_wrapped(each) for each in value]
    return value
