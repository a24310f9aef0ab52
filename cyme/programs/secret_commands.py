"""``cyme-branch secret``: make the secret of a cluster."""

from __future__ import annotations

from pathlib import Path

import click

from cyme.adapters.cluster_secret import make_secret


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("file", type=click.Path(path_type=Path))
def secret(file: Path) -> None:
    """Make a secret for a cluster of several machines and write it into FILE.

    Copy the file to every machine, keep it readable for its owner alone, and name it to each
    branch with --cluster-secret. Whoever has it can run code on every machine of the cluster.
    """
    make_secret(file)
    click.echo(f"{file} holds a new secret. Start each branch with --cluster-secret {file}")
