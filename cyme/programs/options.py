"""The table of settings as the options of a command."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import click

from cyme.settings import SWITCH, TABLE, Flags, Section, Setting

CONFIG = "config"
READY_FD = "ready_fd"

_COMMAND = "The command"


class SettingOption(click.Option):
    """An option of a section of the help."""

    def __init__(self, *arguments: Any, section: str, **rest: Any) -> None:
        super().__init__(*arguments, **rest)
        self.section = section


class SectionedCommand(click.Command):
    """A command whose help groups its options by their sections."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a heading above those of each section."""
        by_section: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            section = parameter.section if isinstance(parameter, SettingOption) else _COMMAND
            line = parameter.get_help_record(ctx)
            if isinstance(parameter, click.Argument):
                row = next(row for row in TABLE if row.field == parameter.name)
                section, line = row.section, (row.flag, row.help + _default(row))
            if line is not None:
                by_section.setdefault(section, []).append(line)
        for section in (*Section, _COMMAND):
            if section in by_section:
                with formatter.section(section):
                    formatter.write_dl(by_section[section], col_max=28)

    def format_epilog(
        self,
        ctx: click.Context,  # noqa: ARG002 - click's signature
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the text after the options as it stands, examples and all."""
        if self.epilog:
            formatter.write_paragraph()
            formatter.write(self.epilog)


def options(keys: Iterable[str] | None = None) -> Callable[[Any], Any]:
    """Return a decorator that adds options to a command's function.

    Args:
        keys: The keys of the settings to add; None adds all, and the address as the argument.
    """
    wanted = {row.key for row in TABLE} if keys is None else {*keys}

    def decorate(function: Any) -> Any:
        for row in reversed(TABLE):
            if row.key in wanted:
                function = _added(row, function)
        return click.option(
            "--config",
            CONFIG,
            callback=_no_flag,
            metavar="FILE",
            cls=SettingOption,
            section=_COMMAND,
            help="The settings file; CYME_CONFIG names it too."
            "  [default: cyme.toml in the current directory, if any]",
        )(function)

    return decorate


def split(given: dict[str, Any]) -> tuple[Flags, Path | None]:
    """Return the flags by their keys, and the settings file, of what click gathered."""
    config = given.pop(CONFIG, None)
    flags = {row.key: given[row.field] for row in TABLE if row.field in given}
    return flags, Path(config).expanduser() if config else None


def _no_flag(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Refuse the next flag as a value, so that a forgotten value is noticed."""
    for text in value if isinstance(value, tuple) else (value,):
        if text and text.startswith("-") and not text[1:2].isdigit():
            raise click.BadParameter(f"a value is missing before {text!r}.", ctx, parameter)
    return value


def _added(row: Setting, function: Any) -> Any:
    if row.key == "address":
        return click.argument(
            row.field, required=False, callback=_no_flag, metavar=f"[{row.kind.metavar}]"
        )(function)
    names: Sequence[str] = [name for name in (row.short and f"-{row.short}", row.flag) if name]
    if row.kind is SWITCH:
        kind: dict[str, Any] = {"is_flag": True}
    else:
        kind = {
            "callback": _no_flag,
            "metavar": row.kind.metavar,
            "multiple": row.kind.is_list,
        }
    return click.option(
        *names,
        *row.aliases,
        row.field,
        cls=SettingOption,
        section=row.section,
        help=row.help + _default(row),
        **kind,
    )(function)


def _default(row: Setting) -> str:
    if row.kind is SWITCH:
        return ""
    if row.default_text:
        text = row.default_text
    else:
        text = f"{row.default:g}" if isinstance(row.default, float) else str(row.default).lower()
    return f"  [default: {text}]"
