"""Named things in a cluster: their names, and models by name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Generic, TypeVar, cast

from cyme.client.calls import Calls
from cyme.client.errors import InvalidRequest, NotFound, NotSupported
from cyme.client.messages import path_of
from cyme.client.models import ASYNC, Model, list_of, name_of, object_of

M = TypeVar("M", bound=Model)


class Names(Collection[str], Generic[M]):
    """Names in a cluster to iterate over, and models to get by name.

    Args:
        calls: Asks the cluster.
        path: The path of the collection, as segments.

    Attributes:
        model: What is behind the names.
    """

    model: type[M]

    def __init__(self, calls: Calls, path: tuple[str, ...]) -> None:
        self._calls = calls
        self._path = path

    def all_names(self) -> list[str]:
        """Return the names, sorted."""
        return list_of(self._calls.ask("GET", path_of(*self._path)))

    def keys(self) -> list[str]:
        """Return the names, as ``all_names`` does."""
        return self.all_names()

    def get(self, name: str) -> M:
        """Return one of them.

        Raises:
            NotFound: There is none of this name; it is a ``KeyError`` too.
        """
        reply = self._calls.ask("GET", path_of(*self._path, name))
        return self._model(name, object_of(reply), etag=reply.headers.get("etag"))

    def _model(
        self,
        name: str,
        members: Mapping[str, Any],
        *,
        etag: str | None = None,
        is_partial: bool = False,
    ) -> M:
        """Return the model of one of them."""
        path = self._path_to(name, members)
        return self.model(self._calls, path, members, etag=etag, is_partial=is_partial)

    def _path_to(self, name: str, members: Mapping[str, Any]) -> tuple[str, ...]:
        """Return the path of one of them, as segments."""
        del members
        return (*self._path, name)

    def __getitem__(self, name: str) -> M:
        return self.get(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.all_names())

    def __len__(self) -> int:
        return len(self.all_names())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, wanted: object) -> bool:
        if isinstance(wanted, Model):
            return wanted.kind == self.model.kind and wanted.name in self.all_names()
        return wanted in self.all_names()


class Section(Names[M]):
    """Named things in a cluster: their names to iterate over, and models to get by name."""

    @property
    def kind(self) -> str:
        """What they are, as each model says it."""
        return self.model.kind

    # --- reading ----------------------------------------------------------------------------------

    def all(self) -> list[M]:
        """Return all of them as models, read in one request where the branch can do that."""
        found = self._details()
        if found is not None:
            return [self._model(str(each["name"]), each) for each in found]
        models = []
        for name in self.all_names():
            try:
                models.append(self.get(name))
            except NotFound:
                continue  # deleted meanwhile
        return models

    def values(self) -> list[M]:
        """Return all of them as models, as ``all`` does."""
        return self.all()

    def items(self) -> list[tuple[str, M]]:
        """Return the names with the models."""
        return [(each.name, each) for each in self.all()]

    def of(self, name: str) -> M:
        """Return one of them without asking whether there is one; it is read when it must be."""
        return self._model(name, {}, is_partial=True)

    # --- writing ----------------------------------------------------------------------------------

    def delete(
        self,
        name: str | M,
        nowait: bool = False,
        *,
        force: bool = False,
        if_match: str | None = None,
    ) -> None:
        """Delete one of them, by name or model; see the model's ``delete``."""
        self.of(name_of(name)).delete(nowait, force=force, if_match=if_match)

    def __delitem__(self, name: str) -> None:
        self.delete(name)

    def _put(
        self,
        name: str | None,
        members: Mapping[str, Any],
        *,
        nowait: bool,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        is_idempotent: bool | None = None,
    ) -> M:
        """Create or change one of them, and return it as far as the answer tells of it."""
        segments = [*self._path, *([ASYNC] if nowait else []), *([name] if name else [])]
        reply = self._calls.ask(
            "PUT",
            path_of(*segments),
            members={key: value for key, value in members.items() if value is not None},
            headers=headers,
            timeout_s=timeout_s,
            is_idempotent=is_idempotent,
        )
        found = object_of(reply)
        called = str(found.get("name", name))
        return self._model(
            called,
            found,
            etag=reply.headers.get("etag"),
            is_partial=reply.status == 202,  # noqa: PLR2004 - Accepted
        )

    def _details(self) -> list[Mapping[str, Any]] | None:
        """Return all representations, None if the branch knows no such list."""
        return details(self._calls, path_of(*self._path))

    def __repr__(self) -> str:
        return f"<{self.kind}s of {path_of(*self._path)}>"


def details(calls: Calls, path: str) -> list[Mapping[str, Any]] | None:
    """Return the representations in a collection, None if the branch knows no such list."""
    try:
        found = calls.value("GET", path, query={"details": 1})
    except (InvalidRequest, NotSupported):
        return None
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return None
    return cast("list[Mapping[str, Any]]", found)
