"""``cyme completion``: what makes a shell complete commands, types and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cyme.cli.options import Command, pass_session
from cyme.cli.root import COMPLETE_VARIABLE, PROGRAM, root
from cyme.cli.session import Session

_HELP = """\
Print what makes a shell complete commands, options, types, and the names of what there is.

\b
  bash   cyme completion bash > ~/.local/share/bash-completion/completions/cyme
  zsh    cyme completion zsh > ~/.zfunc/_cyme      with ~/.zfunc in fpath, before compinit
  fish   cyme completion fish > ~/.config/fish/completions/cyme.fish

Names are asked of the branch at every Tab, which waits half a second for them at most.
"""


@click.command("completion", cls=Command, help=_HELP)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@pass_session
def command(session: Session, shell: str) -> None:
    """Print the script for a shell."""
    found = get_completion_class(shell)
    assert found is not None
    session.out(found(root, {}, PROGRAM, COMPLETE_VARIABLE).source().strip("\n"))
