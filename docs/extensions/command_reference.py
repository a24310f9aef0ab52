"""The directives ``command-reference`` and ``exit-codes``: read from the command itself."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click
from sphinx.util.docutils import SphinxDirective

from cyme.cli.catalogue import SECTIONS
from cyme.cli.exits import MEANINGS
from cyme.cli.options import Command
from cyme.cli.root import PROGRAM, root

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx

#: What is typed, within a sentence: an option, something in quotes, ``@FILE``, NAME=VALUE.
_TYPED = re.compile(r"(?<![\w`-])(--?[a-z][\w-]*|'[^']+'|@\w+|@-|[A-Z]+=[A-Z]+)")


def reference_lines() -> Iterator[str]:
    """Yield the reference of all commands as reStructuredText."""
    ctx = click.Context(root, info_name=PROGRAM)
    yield from _rubric("Options of every command")
    yield "They stand before the command, and most of them after it too."
    yield ""
    yield from _options(root, ctx, hidden=False)
    for section, entries in SECTIONS.items():
        yield from _rubric(section)
        for name in entries:
            command = root.get_command(ctx, name)
            assert command is not None
            yield from _command(command, click.Context(command, ctx, name))


def exit_code_lines() -> Iterator[str]:
    """Yield the exit codes as a table."""
    yield from (".. list-table::", "   :widths: 10 90", "")
    for code, meaning in MEANINGS.items():
        yield f"   * - {int(code)}"
        yield f"     - {_typed(meaning)}"


def _rubric(title: str) -> Sequence[str]:
    return ("", f".. rubric:: {title}", "")


def _command(command: click.Command, ctx: click.Context) -> Iterator[str]:
    yield ""
    yield f"``{ctx.command_path} {' '.join(_usage(command, ctx))}``"
    yield ""
    for paragraph in (command.help or "").split("\n\n"):
        yield from _paragraph(paragraph)
    yield from _options(command, ctx, hidden=False)
    if isinstance(command, Command) and command.examples:
        yield from ("    .. code-block:: console", "")
        for line in command.examples:
            yield f"        $ {_commented(line)}"
        yield ""
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            inner = command.get_command(ctx, name)
            assert inner is not None
            yield from _command(inner, click.Context(inner, ctx, name))


def _usage(command: click.Command, ctx: click.Context) -> Sequence[str]:
    pieces = command.collect_usage_pieces(ctx)
    return [piece for piece in pieces if piece != "[OPTIONS]"] or ["[OPTIONS]"]


def _paragraph(text: str) -> Iterator[str]:
    if text.startswith("\b"):
        yield from ("    ::", "")
        yield from (f"    {line}" for line in text.split("\n")[1:])
    else:
        yield f"    {_typed(' '.join(text.split()))}"
    yield ""


def _options(command: click.Command, ctx: click.Context, *, hidden: bool) -> Iterator[str]:
    for param in command.params:
        if not isinstance(param, click.Option) or param.hidden is not hidden:
            continue
        record = param.get_help_record(ctx)
        assert record is not None
        spelled, told = record
        yield f"    ``{spelled}``"
        yield f"        {_typed(told)}"
        yield ""


def _commented(line: str) -> str:
    """Return an example with what it does as a shell's comment."""
    example, _, told = line.partition("   ")
    return f"{example:43} # {told.strip()}" if told.strip() else line


def _typed(text: str) -> str:
    text = text.replace("*", "\\*")
    return _TYPED.sub(lambda found: f"``{found[0].strip(chr(39))}``", text)


class CommandReference(SphinxDirective):
    """Writes the reference of the command where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the reference."""
        return self.parse_text_to_nodes("\n".join(reference_lines()))


class ExitCodes(SphinxDirective):
    """Writes the table of exit codes where it stands."""

    def run(self) -> list[nodes.Node]:
        """Return the table."""
        return self.parse_text_to_nodes("\n".join(exit_code_lines()))


def setup(app: Sphinx) -> dict[str, object]:
    """Register the directives."""
    app.add_directive("command-reference", CommandReference)
    app.add_directive("exit-codes", ExitCodes)
    return {"version": "1", "parallel_read_safe": True}
