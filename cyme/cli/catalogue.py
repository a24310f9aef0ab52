"""The commands: where each one is, and what the overview says of it, so that it loads none.

A command's module is loaded when the command is called; its object is ``command``, or has the
name that stands behind the colon.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A command.

    Attributes:
        where: Its module below ``cyme.cli.commands``, and after a colon the object in it.
        summary: What it does, in a few words.
        aliases: Other names of it.
    """

    where: str
    summary: str
    aliases: tuple[str, ...] = ()


SECTIONS: Mapping[str, Mapping[str, Entry]] = {
    "Look": {
        "get": Entry("get", "List apps, instances, queues, branches, tasks, events and more."),
        "describe": Entry("describe", "Show all that is known of one thing."),
        "status": Entry("status", "Tell whether all is well, and what is not."),
        "top": Entry("top", "Watch branches, instances and queues, live."),
        "logs": Entry("logs", "Show what workers log, from all branches."),
        "events": Entry("events", "Show what happened, or happens, and why."),
        "wait": Entry("wait", "Wait until something is so."),
    },
    "Create and change": {
        "create": Entry("create", "Create an app, an instance, a queue or a consumer."),
        "set": Entry("set", "Change parameters of an app, an instance or a queue."),
        "delete": Entry("delete", "Delete apps, instances, queues or consumers."),
        "scale": Entry("scale", "Have so many instances of an app."),
        "autoscale": Entry("autoscale", "Show or set the limits of an instance's concurrency."),
    },
    "Run": {
        "start": Entry("run:start", "Start instances."),
        "stop": Entry("run:stop", "Stop instances; they stay stopped until they are started."),
        "restart": Entry("run:restart", "Restart the workers of instances, warmly."),
        "start-all": Entry("run:start_all", "Start all instances of a branch."),
        "restart-all": Entry("run:restart_all", "Restart all instances of a branch."),
        "shutdown-all": Entry("run:shutdown_all", "Stop all instances of a branch."),
    },
    "Place": {
        "move": Entry("place:move", "Move an instance to another branch."),
        "drain": Entry("place:drain", "Empty a branch, and let it take no instances."),
        "undrain": Entry("place:undrain", "Let a drained branch take instances again."),
        "rebalance": Entry("place:rebalance", "Spread instances evenly over the branches."),
    },
    "Whole fleets": {
        "apply": Entry(
            "fleet:apply", "Make the cluster as a file says, after showing what changes."
        ),
        "diff": Entry("fleet:diff", "Show what 'apply' would change."),
        "export": Entry("fleet:export", "Write what there is as a file for 'apply'."),
    },
    "Tasks": {
        "queue": Entry("queue", "Queue a URL for a worker to request."),
        "purge": Entry("purge", "Throw the messages of a queue away."),
    },
    "Connect": {
        "login": Entry("login", "Keep a token for a branch."),
        "context": Entry("context", "Choose among branches that have a name."),
        "token": Entry("token", "Make, list and revoke tokens."),
        "completion": Entry("completion", "Print what makes a shell complete commands and names."),
        "shell": Entry("shell", "Start Python with the client at hand.", ("sh",)),
        "version": Entry("version", "Show the versions of this program and of the branch."),
    },
    "By noun (also as apps.add, instances.get, ...)": {
        "apps": Entry("nouns:apps", "List apps; add, get, delete."),
        "instances": Entry(
            "nouns:instances", "List instances; add, get, delete, stats, autoscale."
        ),
        "queues": Entry("nouns:queues", "List queues; add, get, delete."),
        "consumers": Entry("nouns:consumers", "List what an instance consumes; add, delete."),
        "branches": Entry("nouns:branches", "List branches; get."),
    },
}

ENTRIES: Mapping[str, Entry] = {
    name: entry for section in SECTIONS.values() for name, entry in section.items()
}
ALIASES: Mapping[str, str] = {
    alias: name for name, entry in ENTRIES.items() for alias in entry.aliases
}
NAMES: Sequence[str] = (*ENTRIES, *ALIASES)
