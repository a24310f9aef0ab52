"""What tests ask of several branches at once, and how they wait for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TypeVar

from tests.system.branches import Branch
from tests.waiting import eventually

AnyBranch = TypeVar("AnyBranch", bound=Branch)


def launch_all(branches: Sequence[Branch], timeout_s: float = 30.0) -> None:
    """Start branches beside one another, and wait until all of them are ready."""
    for branch in branches:
        branch.launch()
    for branch in branches:
        branch.wait_ready(timeout_s)


def everywhere(
    branches: Iterable[AnyBranch], holds: Callable[[AnyBranch], object], timeout_s: float
) -> None:
    """Wait until something is true of every branch, for each so long at most."""
    for branch in branches:
        eventually(partial(holds, branch), timeout_s)


def know(branches: Iterable[Branch], states: dict[str, str], timeout_s: float = 20.0) -> None:
    """Wait until all branches hold the members of the cluster to be what is given."""
    everywhere(branches, lambda branch: branch.states() == states, timeout_s)


def know_each_other(branches: Sequence[Branch], timeout_s: float = 20.0) -> None:
    """Wait until all branches hold all of them, and no others, to be alive."""
    names = {branch.name for branch in branches}
    everywhere(branches, lambda branch: alive(branch) == names, timeout_s)


def alive(branch: Branch) -> set[str]:
    """Return the branches that one holds to be alive."""
    return {name for name, state in branch.states().items() if state == "alive"}


def agree(branches: Iterable[Branch], timeout_s: float = 30.0) -> None:
    """Wait until all branches know the same."""
    eventually(lambda: len({branch.digest() for branch in branches}) == 1, timeout_s)


def copies(branches: Iterable[Branch], instance: str) -> list[str]:
    """Return on which branches the worker of an instance runs."""
    return [branch.name for branch in branches if branch.worker_processes(instance)]


def owned_by(branch: Branch, instance: str) -> None:
    """Have an instance run on a branch, from which it may go."""
    branch.put(f"/foo/instances/{instance}/", is_enabled=False)
    if branch.owner("foo", instance) != branch.name:
        reply = branch.post(f"/foo/instances/{instance}/move/?branch={branch.name}")
        assert reply.status == 200, reply.body
    branch.put(f"/foo/instances/{instance}/", is_enabled=True)
    branch.running("foo", instance)


def seconds_of(wait: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    begun = time.monotonic()
    wait()
    return time.monotonic() - begun


def show(what: str, figure: float, unit: str = "s") -> None:
    """Print a figure that was measured, for whoever reads the output."""
    print(f"{what}: {figure:.2f} {unit}", flush=True)  # noqa: T201
