"""Completion of names from the branch: quick, and silent where it does not answer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click

from cyme.cli.options import given_in
from cyme.errors import CymeError

if TYPE_CHECKING:
    from cyme.cli.kinds import Kind
    from cyme.cli.session import Session

#: Nobody waits longer than that for a Tab.
TIMEOUT_S = 0.5
_COUNT_MAX = 500

#: What is offered: a shell may take a completion as if it had been typed, and whoever sends tasks
#: chooses their ids.
_HARMLESS = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:@+-]*", re.ASCII)


def names(ctx: click.Context, kind: str, incomplete: str) -> list[str]:
    """Return the names of a kind that begin so."""
    from cyme.cli.session import Session  # noqa: PLC0415 - only where names are wanted

    session = Session(replace(given_in(ctx), timeout_s=TIMEOUT_S, loglevel=None, logfile=None))
    try:
        found = _all(session, kind)
    except (CymeError, OSError, ValueError):
        return []
    finally:
        session.close()
    return [name for name in found if name.startswith(incomplete) and _HARMLESS.fullmatch(name)][
        :_COUNT_MAX
    ]


def contexts(incomplete: str) -> list[str]:
    """Return the names of contexts that begin so."""
    from cyme.cli.contexts import read_config  # noqa: PLC0415 - only for completion

    try:
        return [name for name in read_config().contexts if name.startswith(incomplete)]
    except CymeError:
        return []


def typed_names(among: Sequence[Kind]) -> Callable[[click.Context, click.Parameter, str], Any]:
    """Return what completes a type, then names of that type."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        words = list(ctx.params.get(parameter.name or "") or ())
        prefix, slash, rest = incomplete.partition("/")
        if not words and not slash:
            found = [each for kind in among for each in (kind.plural, kind.singular)]
            return sorted(name for name in found if name.startswith(incomplete))
        word = words[0].partition("/")[0] if words else prefix
        kind = next((each for each in among if word in _names_of(each)), None)
        if kind is None:
            return []
        if slash:
            return [f"{prefix}/{name}" for name in names(ctx, kind.singular, rest)]
        return [name for name in names(ctx, kind.singular, incomplete) if name not in words[1:]]

    return complete


def _names_of(kind: Kind) -> Sequence[str]:
    return (kind.plural, kind.singular, *kind.short)


def _all(session: Session, kind: str) -> list[str]:
    of_app = (session.app,) if session.app else ()
    if kind == "token":
        from cyme.cli.reading import here  # noqa: PLC0415 - rarely completed

        return [str(each["name"]) for each in session.get("branches", here(session), "tokens")]
    if kind == "task":
        return [str(each["uuid"]) for each in session.get("cluster", "tasks", limit=20)]
    paths: Mapping[str, Sequence[str]] = {
        "app": (),
        "branch": ("branches",),
        "instance": (*of_app, "instances"),
        "consumer": (*of_app, "instances"),
        "queue": (*of_app, "queues"),
    }
    if kind not in paths:
        return []
    found = session.get(*paths[kind])
    return [str(each["name"] if isinstance(each, dict) else each) for each in found]
