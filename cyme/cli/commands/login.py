"""``cyme login``: keep a token, which is never an argument."""

from __future__ import annotations

import sys
from dataclasses import replace

import click

from cyme.cli import environment
from cyme.cli.contexts import Context, read_config, write_config
from cyme.cli.faults import BadUsage
from cyme.cli.options import Command, given_in, pass_session
from cyme.cli.session import RETRIES, TIMEOUT_S, Session
from cyme.client.addresses import LOOPBACK, Address, address_of, may_be_token
from cyme.client.calls import Calls
from cyme.client.connections import Connections
from cyme.client.messages import path_of

_TOKEN_CHARS_MAX = 4096
_DEFAULT_NAME = "default"


@click.command(
    "login",
    cls=Command,
    examples="""
    cyme login https://cyme-a:8443              asks for the token, as the context 'default'
    cyme login --context prod https://cyme-a:8443
    pass show cyme | cyme login --context prod --token-stdin
    """,
    help="Keep a token for a branch, after trying it. It is asked for without echo, and kept in a "
    "context, which is used from now on.",
)
@click.argument("url", required=False)
@click.option("--token-stdin", is_flag=True, help="Read the token from standard input.")
@click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(exists=True, dir_okay=False),
    help="Certificates to trust instead of the system's.",
)
@click.option("--no-check", is_flag=True, help="Keep the token without trying it.")
@pass_session
def command(
    session: Session, url: str | None, token_stdin: bool, ca: str | None, no_check: bool
) -> None:
    """Keep a token."""
    url = url or session.given.url
    config = read_config()
    name = given_in(click.get_current_context()).context or (
        _DEFAULT_NAME if url else config.current or _DEFAULT_NAME
    )
    before = config.contexts.get(name, Context())
    address = _address(url, before)
    if not address.is_secure and address.host not in LOOPBACK:
        session.warn(
            f"What is sent to {address.url} is not encrypted: whoever is in between can read the "
            "token, and use it. Say https where the branch serves TLS."
        )
    ca = ca or before.ca
    token = _asked_token(address, from_stdin=token_stdin)
    if not no_check:
        branch = _try(session, address, token, ca)
        session.say(f"The branch {branch} takes the token.")
    urls = before.urls if url is None and before.urls else (address.url,)
    context = replace(before, urls=urls, token=token, ca=ca)
    write_config(config.with_context(name, context, use=True))
    session.say(f"It is kept as the context {name}, which is used from now on.")


def _address(url: str | None, before: Context) -> Address:
    text = url or (before.urls[0] if before.urls else None)
    if text is None:
        raise BadUsage("Which branch? Say: cyme login URL.")
    try:
        return address_of(text)
    except ValueError as exc:
        raise BadUsage(str(exc)) from exc


def _asked_token(address: Address, *, from_stdin: bool) -> str:
    if from_stdin:
        token = sys.stdin.read(_TOKEN_CHARS_MAX).strip()
    elif environment.may_ask():
        token = click.prompt(f"Token for {address.url}", hide_input=True, err=True).strip()
    else:
        raise BadUsage("Nobody can be asked here; send the token to --token-stdin.")
    if not may_be_token(token):
        raise BadUsage("That is no token.")
    return str(token)


def _try(session: Session, address: Address, token: str, ca: str | None) -> str:
    """Return the branch that takes the token."""
    connections = Connections([address], {address.url: token}, ca=ca)
    try:
        calls = Calls(connections, timeout_s=session.given.timeout_s or TIMEOUT_S, retries=RETRIES)
        return str(calls.value("GET", path_of("cluster"))["branch"])
    finally:
        connections.close()
