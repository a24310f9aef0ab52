"""Options that every command takes, before its name or after it, and what was given of them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from cyme.cli.session import Session

R = TypeVar("R")
Decorator = Callable[[Any], Any]

_META = "cyme.cli.given"
_SESSION = "cyme.cli.session"
HELP_NAMES = {"help_option_names": ["-h", "--help"]}
WIDTH_MAX = 100


@dataclass(slots=True)
class Given:
    """What the command line says that is no matter of one command."""

    app: str | None = None
    url: str | None = None
    context: str | None = None
    timeout_s: float | None = None
    nowait: bool = False
    format: str | None = None
    local: bool = False
    directory: str | None = None
    broker: str | None = None
    loglevel: str | None = None
    logfile: str | None = None
    output: str | None = None
    headers: bool = True


def given_in(ctx: click.Context) -> Given:
    """Return what was given so far, which all contexts of one command line share."""
    found: Given = ctx.meta.setdefault(_META, Given())
    return found


def _keeper(field: str) -> Callable[[click.Context, click.Parameter, Any], Any]:
    def keep(ctx: click.Context, _option: click.Parameter, value: Any) -> Any:
        if value is not None and value is not False:
            setattr(given_in(ctx), field, False if field == "headers" else value)
        return value

    return keep


def kept(field: str, *names: str, **settings: Any) -> Callable[[], click.Option]:
    """Return what makes an option whose value is kept in ``Given``."""

    def make() -> click.Option:
        return click.Option(
            [*names, f"given_{field}"], expose_value=False, callback=_keeper(field), **settings
        )

    return make


def _complete_app(ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    from cyme.cli.completing import names  # noqa: PLC0415 - only for completion

    return names(ctx, "app", incomplete)


def _complete_context(_ctx: click.Context, _option: click.Parameter, incomplete: str) -> list[str]:
    from cyme.cli.completing import contexts  # noqa: PLC0415 - only for completion

    return contexts(incomplete)


APP = kept("app", "-a", "--app", metavar="APP", help="The app that it is about.",
           shell_complete=_complete_app)  # fmt: skip
NOWAIT = kept("nowait", "-n", "--nowait", is_flag=True,
              help="Do not wait until a change is made; the branch goes on with it.")  # fmt: skip
CONNECTION = (
    kept("url", "--url", "-u", metavar="URL", help="The branch to talk to; several by commas."),
    kept("context", "--context", metavar="NAME", help="The context to use this once.",
         shell_complete=_complete_context),
    kept("timeout_s", "--timeout", metavar="SECONDS", type=click.FloatRange(0.1, 86400),
         help="How long to wait for an answer.  [default: 30]"),
)  # fmt: skip
LOCAL = (
    kept("local", "-L", "--local", is_flag=True,
         help="Work on a branch's directory without its HTTP server."),
    kept("directory", "-D", "--instance-dir", metavar="DIR",
         type=click.Path(file_okay=False), help="That directory.  [default: instances]"),
    kept("broker", "-b", "--broker", metavar="URL", help="The broker of an app that is created."),
    kept("format", "-F", "--format", type=click.Choice(["pretty", "json"]),
         help="Print what the API replies, as JSON."),
    kept("loglevel", "-l", "--loglevel", metavar="LEVEL",
         type=click.Choice(["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], case_sensitive=False),
         help="What to log of requests.  [default: WARNING]"),
    kept("logfile", "-f", "--logfile", metavar="FILE", type=click.Path(dir_okay=False),
         help="Where to log it.  [default: standard error]"),
)  # fmt: skip
OUTPUT = kept("output", "-o", "--output", metavar="FORMAT",
              help="table, wide, json, yaml, name or jsonpath=TEMPLATE.",
              shell_complete=lambda _ctx, _option, begun: [
                  name for name in ("table", "wide", "json", "yaml", "name", "jsonpath=")
                  if name.startswith(begun)])  # fmt: skip
NO_HEADERS = kept("headers", "--no-headers", is_flag=True, help="Leave out the titles of a table.")


class Command(click.Command):
    """A command: its examples stand as they are written, and it takes the common options too."""

    def __init__(self, *args: Any, examples: str = "", **settings: Any) -> None:
        settings.setdefault("context_settings", {**HELP_NAMES, "max_content_width": WIDTH_MAX})
        super().__init__(*args, **settings)
        #: Command lines, each with what it does after a wide gap.
        self.examples = [line.strip() for line in examples.split("\n") if line.strip()]
        known = {name for param in self.params for name in param.opts}
        for make in (APP, *CONNECTION):
            option = make()
            if known.isdisjoint(option.opts):
                option.hidden = True
                self.params.append(option)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples, and where to find the common options."""
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"  {line}\n")
        if ctx.parent is not None:
            formatter.write_paragraph()
            formatter.write("'cyme --help' shows the options that every command takes.\n")


def takes(*options: Callable[[], click.Option]) -> Decorator:
    """Return a decorator that gives a command some of the options above."""

    def decorate(function: Any) -> Any:
        for make in reversed(options):
            function.__click_params__ = [*getattr(function, "__click_params__", []), make()]
        return function

    return decorate


def pass_session(function: Callable[..., R]) -> Callable[..., R]:
    """Call a command with the session of its command line."""

    @functools.wraps(function)
    def called(*args: Any, **settings: Any) -> R:
        return function(session_in(click.get_current_context()), *args, **settings)

    return called


def session_in(ctx: click.Context) -> Session:
    """Return the session of a command line."""
    from cyme.cli.session import Session  # noqa: PLC0415 - the help of a command needs none

    found: Session | None = ctx.meta.get(_SESSION)
    if found is None:
        found = ctx.meta[_SESSION] = Session(given_in(ctx))
        ctx.find_root().call_on_close(found.close)
    return found


#: More than any cluster has.
COUNT_MAX = 1_000_000


def _at_a_time(_ctx: click.Context, _parameter: click.Parameter, text: str | None) -> int | None:
    """Return a number of instances, or more than there can be for all of them."""
    if text is None:
        return None
    if text == "all":
        return COUNT_MAX
    if not (text.isdecimal() and int(text)):
        raise click.BadParameter("say how many, or all")
    return int(text)


AT_A_TIME = click.option(
    "--at-a-time",
    callback=_at_a_time,
    metavar="[N|all]",
    help="How many are away at once.  [default: a quarter, at least 1]",
)
