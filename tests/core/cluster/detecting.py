"""What tests ask of branches that fall silent."""

from __future__ import annotations

from tests.core.cluster.nodes import Branch, Network, hello

#: By then all know of a death, in seconds.
FAILED_S_MAX = 10.0


def lone(*others: str) -> tuple[Network, Branch]:
    """Return a branch that believes in others, which a test speaks for."""
    network = Network()
    me = network.add("me")
    network.run(1.0)
    for other in others:
        me.hear(hello(other))
    return network, me


def unanimous(branches: list[Branch], about: Branch, state: object) -> bool:
    """Tell whether all of some branches hold one to be in a state."""
    return all(branch.state(about) is state for branch in branches)
