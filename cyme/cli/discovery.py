"""Which branch a command talks to, and why that one.

In this order: ``--url`` or ``CYME_URL``; the context of ``--context``, of ``CYME_CONTEXT`` or the
current one; a branch of this user that runs on this machine; http://127.0.0.1:8000.

A token is only ever sent to the URL that it belongs to: that of ``CYME_TOKEN`` to whatever was
chosen, that of a context to the URLs of the context, and the administrator's token in a branch's
directory to that branch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cyme.cli.contexts import Config, Context, read_config
from cyme.cli.environment import Variables, variables, whole
from cyme.cli.faults import BadUsage
from cyme.client.addresses import DEFAULT_URL, LOOPBACK, address_of, may_be_token

if TYPE_CHECKING:
    from cyme.programs.registry import RunningBranch

_TOKEN_BYTES_MAX = 4096


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a command talks to.

    Attributes:
        urls: Branches of one cluster, the preferred one first.
        why: How they were found, in words.
        tokens: The token for each URL that has one.
        token_from: Where the token of the first is from, in words; empty without one.
        ca: A file with the certificates to trust instead of the system's.
        app: The app that commands are about unless they name another.
        context: The name of the context they are from.
    """

    urls: tuple[str, ...]
    why: str
    tokens: Mapping[str, str] = field(default_factory=dict, repr=False)
    token_from: str = ""
    ca: str | None = None
    app: str | None = None
    context: str | None = None


def choose(url: str | None, context: str | None) -> Chosen:
    """Return what to talk to.

    Args:
        url: What the command line says, None if nothing.
        context: The context that it names, None if none.

    Raises:
        BadUsage: A URL can be none.
        CommandFailed: There is no such context, or the file of contexts is not readable.
    """
    chosen = _chosen(url, context)
    if not all(map(may_be_token, chosen.tokens.values())):
        raise BadUsage(f"The token from {chosen.token_from} has characters that no token has.")
    return chosen


def _chosen(url: str | None, context: str | None) -> Chosen:
    given = variables()
    if url is not None and context is not None:
        raise BadUsage("Give --url or --context, not both.")
    if url is not None:
        return _by_url(url, "--url", given)
    if context is not None:
        return _by_context(read_config(), context, "--context", given)
    if given.url is not None:
        return _by_url(given.url, "CYME_URL", given)
    if given.context is not None:
        return _by_context(read_config(), given.context, "CYME_CONTEXT", given)
    config = read_config()
    if config.current is not None:
        return _by_context(config, config.current, "'cyme context use'", given)
    return _nearby(given)


def _by_url(text: str, source: str, given: Variables) -> Chosen:
    urls = _urls([part for part in text.split(",") if part.strip()], source)
    tokens, token_from = _tokens_of_machine(urls)
    return _with_variables(Chosen(urls, f"{source} says so", tokens, token_from), given)


def _by_context(config: Config, name: str, source: str, given: Variables) -> Chosen:
    context: Context = config.context(name)
    urls = _urls(context.urls or (DEFAULT_URL,), f"the context {name!r}")
    tokens = dict.fromkeys(urls, context.token) if context.token else {}
    chosen = Chosen(
        urls,
        f"it is the context {name!r}, which {source} names",
        {url: token for url, token in tokens.items() if token},
        f"the context {name!r}" if context.token else "",
        context.ca,
        context.app,
        name,
    )
    if not context.token:
        tokens_here, token_from = _tokens_of_machine(urls)
        chosen = _with_tokens(chosen, tokens_here, token_from)
    return _with_variables(chosen, given)


def _nearby(given: Variables) -> Chosen:
    running = [branch for branch in _running() if branch.url]
    if not running:
        why = "no branch of this user runs on this machine, so it is the usual address"
        return _with_variables(Chosen((DEFAULT_URL,), why), given)
    first = running[0]
    same = [branch for branch in running if branch.cluster == first.cluster]
    urls = _urls([str(branch.url) for branch in same], "the register of branches")
    tokens, token_from = _tokens_of(same)
    others = f", the first of {len(running)}" if len(running) > 1 else ""
    why = f"the branch {first.id!r} runs on this machine{others}"
    return _with_variables(Chosen(urls, why, tokens, token_from), given)


def _with_variables(chosen: Chosen, given: Variables) -> Chosen:
    tokens, token_from = chosen.tokens, chosen.token_from
    if given.token is not None:
        tokens, token_from = dict.fromkeys(chosen.urls, given.token), "CYME_TOKEN"
    return Chosen(
        chosen.urls,
        chosen.why,
        tokens,
        token_from,
        given.ca or chosen.ca,
        given.app or chosen.app,
        chosen.context,
    )


def _with_tokens(chosen: Chosen, tokens: Mapping[str, str], token_from: str) -> Chosen:
    return Chosen(
        chosen.urls, chosen.why, tokens, token_from, chosen.ca, chosen.app, chosen.context
    )


def _urls(texts: Sequence[str], source: str) -> tuple[str, ...]:
    try:
        return tuple(dict.fromkeys(address_of(text).url for text in texts)) or (DEFAULT_URL,)
    except ValueError as exc:
        raise BadUsage(f"{exc} It is from {source}.") from exc


def _tokens_of_machine(urls: Sequence[str]) -> tuple[Mapping[str, str], str]:
    """Return the tokens of those of the URLs that are branches of this user on this machine."""
    wanted = {_place(url): url for url in urls}
    if not any(host == "loopback" for host, _ in wanted):
        return {}, ""
    tokens: dict[str, str] = {}
    source = ""
    for branch in _running():
        url = wanted.get(_place(branch.url)) if branch.url else None
        if url is not None:
            found, token_from = _tokens_of([branch])
            tokens.update(dict.fromkeys([url], *found.values()) if found else {})
            source = source or token_from
    return tokens, source


def _tokens_of(branches: Sequence[RunningBranch]) -> tuple[Mapping[str, str], str]:
    tokens: dict[str, str] = {}
    source = ""
    for branch in branches:
        try:
            with branch.token_file.open("rb") as file:
                token = file.read(_TOKEN_BYTES_MAX).decode("ascii").strip()
        except (OSError, ValueError):
            continue
        if token:
            tokens[address_of(str(branch.url)).url] = token
            source = source or f"{branch.token_file}"
    return tokens, source


def _running() -> list[RunningBranch]:
    from cyme.programs import registry  # noqa: PLC0415 - not where a URL or a context is given

    state = registry.state_dir(whole())
    return registry.running(state) if state is not None else []


def _place(url: str) -> tuple[str, int]:
    """Return where a URL leads, all the names of this machine being one."""
    address = address_of(url)
    return ("loopback" if address.host in LOOPBACK else address.host, address.port)
