"""The forms of output: ``table``, ``wide``, ``json``, ``yaml``, ``name``, ``jsonpath=TEMPLATE``.

Several things are a list in JSON and YAML: an object whose member ``items`` holds them, so that one
template of JSONPath fits whatever their number. One thing that was asked for by its name is that
thing alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cyme.cli.faults import BadUsage, did_you_mean
from cyme.cli.kinds import Kind
from cyme.cli.text.clean import harmless, json_safe, one_line
from cyme.cli.text.tables import Row, table_lines

if TYPE_CHECKING:
    from cyme.cli.session import Session

FORMS = ("table", "wide", "json", "yaml", "name", "jsonpath")


@dataclass(frozen=True, slots=True)
class Form:
    """How something is written.

    Attributes:
        name: One of ``FORMS``.
        fill: What fills a template with data; for ``jsonpath`` only.
    """

    name: str
    fill: Callable[[Any], str] | None = None

    @property
    def is_table(self) -> bool:
        """Whether it is a table, for people."""
        return self.name in {"table", "wide"}


def form_of(session: Session) -> Form:
    """Return how the user wants output written.

    Raises:
        BadUsage: In a way that there is not.
    """
    text = session.given.output
    if text is None:
        return Form("table")
    name, equals, template = text.partition("=")
    if name == "jsonpath" and equals:
        from cyme.cli.text.jsonpath import BadTemplate, compiled  # noqa: PLC0415 - on request

        try:
            return Form(name, compiled(template))
        except BadTemplate as exc:
            raise BadUsage(f"The template {template!r} cannot be understood: {exc}.") from exc
    if name not in FORMS or name == "jsonpath" or equals:
        hint = "Say jsonpath=TEMPLATE." if name == "jsonpath" else did_you_mean(name, FORMS).strip()
        raise BadUsage(
            f"There is no output {text!r}. {hint or 'There are ' + ', '.join(FORMS) + '.'}"
        )
    return Form(name)


def print_rows(
    session: Session,
    kind: Kind,
    rows: Sequence[Row],
    *,
    single: bool = False,
    is_part: bool = False,
) -> None:
    """Print things of one kind.

    Args:
        session: Where to.
        kind: What they are.
        rows: The things.
        single: Whether one was asked for by its name.
        is_part: Whether others may be there that were not asked for.
    """
    form = form_of(session)
    if form.name == "name":
        session.out_lines(one_line(kind.name_of(row)) for row in rows)
    elif not form.is_table:
        print_data(session, rows[0] if single else {"items": list(rows)}, form)
    elif rows:
        session.out_lines(table_of(session, kind, rows, form))
    else:
        of_app = f" of the app {session.given.app}" if session.given.app else ""
        session.say(f"There are no {'such ' if is_part else ''}{kind.plural}{of_app}.")


def table_of(session: Session, kind: Kind, rows: Sequence[Row], form: Form) -> Iterable[str]:
    """Return the lines of a table."""
    return table_lines(
        kind.columns_for(wide=form.name == "wide"),
        rows,
        headers=session.given.headers,
        width=session.width,
        colour=session.colour,
    )


def print_data(session: Session, data: Any, form: Form | None = None) -> None:
    """Print data that is no table: as JSON unless another form is wanted."""
    form = form or form_of(session)
    if form.name == "yaml":
        from cyme.cli.text.yaml import to_yaml  # noqa: PLC0415 - on request

        session.out(to_yaml(data).rstrip("\n"))
    elif form.fill is not None:
        text = form.fill(data).rstrip("\n")
        # A program gets what was asked for as it is; a terminal obeys some of it.
        session.out(text if session.width is None else harmless(text))
    elif session.given.format == "json":
        session.out(json_safe(json.dumps(data, ensure_ascii=False)))
    else:
        session.out(json_safe(json.dumps(data, ensure_ascii=False, indent=2)))


def print_written(session: Session, kind: Kind, data: Any) -> None:
    """Print what a write answered, where the user asked for data; words have told the rest."""
    if session.given.format is not None:
        print_data(session, data, Form("json"))
    elif session.given.output is not None:
        rows = [data] if isinstance(data, Mapping) else data
        print_rows(session, kind, rows, single=isinstance(data, Mapping))
