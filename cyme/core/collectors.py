"""Which branch collects what is to be known of a broker: its task events, its queues' depths.

One branch a broker is enough, and any that reaches it will do. All branches judge by what they
know of the cluster, and come to the same without asking each other. While they know different
things there may be two collectors for a moment, which does no harm, or none, which loses events
and nothing else.

The choice is a rendezvous hash (Thaler and Ravishankar, "Using name-based mappings to increase
hit rates", 1998): a branch that comes or goes changes nothing for brokers that it does not
collect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from hashlib import blake2b

from cyme.core.branches import BranchInfo, BranchState
from cyme.core.model import App, BranchId, Broker, Instance

#: A branch in one of these states collects; one that leaves hands it on while it is still there.
COLLECTING = frozenset({BranchState.ALIVE, BranchState.SUSPECT})

_WEIGHT_BYTES = 8


def broker_key(broker: Broker) -> str:
    """Return what all URLs of a broker have in common, without a user, password or query."""
    return f"{broker.scheme}://{broker.hostname or ''}:{broker.port or ''}/{broker.virtual_host}"


def brokers_in_use(
    apps: Iterable[App], instances: Iterable[Instance], default: Broker
) -> tuple[Mapping[str, Broker], Mapping[str, frozenset[BranchId]]]:
    """Return the brokers that apps and instances use.

    Args:
        apps: All apps.
        instances: All instances.
        default: The broker of apps that name none.

    Returns:
        The brokers by their keys, and the branches that own an instance on each. Of several URLs
        of one broker that is taken which most apps and instances use, and of those the first by
        the alphabet: all branches take the same, and one app's wrong password is not for all.
    """
    of_apps = {app.name: app.spec.broker or default for app in apps}
    uses: dict[str, Counter[str]] = {}
    owners: dict[str, set[BranchId]] = {}
    keys: dict[Broker, str] = {}

    def noted(broker: Broker) -> str:
        key = keys.get(broker)
        if key is None:
            key = keys[broker] = broker_key(broker)
        uses.setdefault(key, Counter())[broker.url] += 1
        return key

    for broker in of_apps.values():
        noted(broker)
    for instance in instances:
        key = noted(instance.spec.broker or of_apps.get(instance.app, default))
        owners.setdefault(key, set()).add(instance.owner)
    return (
        {key: Broker(min(urls, key=lambda url: (-urls[url], url))) for key, urls in uses.items()},
        {key: frozenset(branches) for key, branches in owners.items()},
    )


def collector_of(
    key: str, branches: Iterable[BranchInfo], owners: frozenset[BranchId] = frozenset()
) -> BranchId | None:
    """Return the branch that collects what is to be known of a broker.

    Args:
        key: The broker's, as from ``broker_key``.
        branches: All that are known.
        owners: Those that own an instance on the broker, and so reach it; where none of them is
            there any branch will do.

    Returns:
        None if no branch is there.
    """
    there = [info.id for info in branches if info.state in COLLECTING]
    able = [branch for branch in there if branch in owners] or there
    return max(able, key=lambda branch: (_weight(key, branch), branch), default=None)


def _weight(key: str, branch: BranchId) -> bytes:
    text = f"{len(key)}:{key}{branch}".encode("utf-8", "replace")
    return blake2b(text, digest_size=_WEIGHT_BYTES).digest()
