"""The command itself: its own options, its overview, and how it finds what it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING

import click

from cyme.cli.catalogue import ALIASES, ENTRIES, NAMES, SECTIONS
from cyme.cli.exits import MEANINGS, Exit
from cyme.cli.faults import did_you_mean
from cyme.cli.options import APP, CONNECTION, HELP_NAMES, LOCAL, NOWAIT, WIDTH_MAX

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

PROGRAM = "cyme"

#: Set by a shell that wants to know what may follow.
COMPLETE_VARIABLE = "_CYME_COMPLETE"

_HELP = """\
Keep clusters of Celery workers as you want them, through any branch.

\b
  cyme create app shop
  cyme create instance w1 -a shop --queues orders --wait
  cyme get instances
"""

_WHERE = """\
It talks to the branch that --url or CYME_URL names, else to the context of 'cyme context use', else
to a branch that runs on this machine, whose token it finds by itself. 'cyme context show' tells
which one and why. Every command has a --help with examples.
"""


class Root(click.Group):
    """A group whose commands are loaded when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        del ctx
        return list(ENTRIES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command, by one of its names; None if there is none."""
        del ctx
        entry = ENTRIES.get(ALIASES.get(cmd_name, cmd_name))
        if entry is None:
            return None
        module, _, name = entry.where.partition(":")
        loaded = import_module(f"cyme.cli.commands.{module}")
        command: click.Command = getattr(loaded, name or "command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Return the command that the words name, and the rest of them.

        ``instances.add w1`` is ``instances add w1``.
        """
        word, *rest = args
        name, dot, action = word.partition(".")
        command = self.get_command(ctx, name if dot else word)
        if command is None:
            if ctx.resilient_parsing:
                return None, None, rest
            raise click.UsageError(f"There is no command {word!r}.{did_you_mean(word, NAMES)}", ctx)
        if dot and not isinstance(command, click.Group):
            raise click.UsageError(f"{name!r} has no {action!r}; say 'cyme {name} ...'.", ctx)
        return name, command, [action, *rest] if action else rest

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return what may follow; only ``instances.`` loads a command."""
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - only for completion

        if incomplete.startswith("-"):
            return super(click.Group, self).shell_complete(ctx, incomplete)
        noun, dot, action = incomplete.partition(".")
        group = self.get_command(ctx, noun) if dot else None
        if isinstance(group, click.Group):
            return [
                CompletionItem(f"{noun}.{name}", help=group.commands[name].get_short_help_str())
                for name in group.list_commands(ctx)
                if name.startswith(action)
            ]
        return [
            CompletionItem(name, help=entry.summary)
            for name, entry in ENTRIES.items()
            if name.startswith(incomplete)
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands first, then the options."""
        for section, entries in SECTIONS.items():
            with formatter.section(section):
                formatter.write_dl(
                    [(_with_aliases(name), entry.summary) for name, entry in entries.items()],
                    col_max=16,
                )
        super(click.Group, self).format_options(ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write where the branch comes from, and the exit codes."""
        del ctx
        formatter.write_paragraph()
        formatter.write_text(_WHERE)
        with formatter.section("Exit codes"):
            formatter.write_dl([(str(int(code)), MEANINGS[code]) for code in Exit], col_max=6)


def _with_aliases(name: str) -> str:
    return ", ".join((name, *ENTRIES[name].aliases))


def _options() -> Sequence[click.Option]:
    return [make() for make in (APP, *CONNECTION, NOWAIT, *LOCAL)]


def _show_version(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        import cyme  # noqa: PLC0415 - only on request

        click.echo(f"{PROGRAM} {cyme.__version__}")
        ctx.exit()


def _nothing_more(ctx: click.Context) -> None:
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


root = Root(
    name=PROGRAM,
    help=_HELP,
    callback=click.pass_context(_nothing_more),
    invoke_without_command=True,
    subcommand_metavar="COMMAND [ARGS]...",
    context_settings={**HELP_NAMES, "max_content_width": WIDTH_MAX},
    params=[
        *_options(),
        click.Option(
            ["--version"],
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_version,
            help="Show the version of this program and exit.",
        ),
    ],
)
