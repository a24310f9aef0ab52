"""Settings: the cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cyme.core.branches import INSTANCES_MAX
from cyme.settings.kinds import (
    CLUSTER_PORT,
    HOST,
    LABELS,
    LOOPBACK,
    NAME,
    PATH,
    PEER,
    PEERS,
    SWITCH,
    TAKEOVER,
    Address,
    count,
)
from cyme.settings.rows import setting


@dataclass(frozen=True, kw_only=True)
class ClusterSettings:
    """Who the other branches are, and what this one does for them."""

    cluster: str = setting(
        "cluster",
        NAME,
        "The name of the cluster. Branches find each other if they have the same, and those "
        "of one user on one machine share the embedded broker.",
        default="default",
    )
    join: tuple[Address, ...] = setting(
        "join",
        PEERS,
        "A branch on another machine; one that can be reached is enough to find them all. "
        "May be repeated.",
        default=(),
        default_text="whoever is found on this network, and who was known before",
    )
    bind: Address = setting(
        "bind",
        PEER,
        "Where other branches reach this one: an address of this machine, or 0.0.0.0. Two "
        "ports are bound, PORT and the next one. Any address but loopback needs "
        "--cluster-secret.",
        default=Address(LOOPBACK, 0),
        default_text=f"this machine alone; with an address but no port {CLUSTER_PORT}",
    )
    advertise: str | None = setting(
        "advertise",
        HOST,
        "The name or address that other branches are told to reach this one at.",
        default=None,
        default_text="the bound address, or this machine's where that is 0.0.0.0",
    )
    cluster_secret: Path | None = setting(
        "cluster-secret",
        PATH,
        "The file with the cluster's secret, the same on every machine and readable for its "
        "owner alone. cyme-branch secret FILE makes one. Whoever has it can run code on every "
        "machine of the cluster.",
        default=None,
        default_text="for a cluster on this machine one is made in the state directory",
    )
    takeover_s: float | None = setting(
        "takeover",
        TAKEOVER,
        "How long after a branch has failed this one takes its instances over. A worker that "
        "still answers is left alone.",
        default=30.0,
    )
    labels: tuple[tuple[str, str], ...] = setting(
        "label",
        LABELS,
        "What this branch is or has. An instance with labels runs only on branches that have "
        "all of them. May be repeated.",
        default=(),
        default_text="none",
    )
    capacity: int = setting(
        "capacity",
        count(0, 10_000),
        "How many instances this branch runs at most. New ones go where most room is.",
        default=INSTANCES_MAX,
    )
    drain: bool = setting(
        "drain",
        SWITCH,
        "Hand the instances over to other branches before this one stops.",
        default=False,
    )
