"""Applying a fleet file so that workers take up in turn what they are started with.

A parameter of an app goes the way of ``cyme.cli.rolling``; those of instances are written to some
at a time, and with their app's where that changes too. All else is done at once, in the order of
the plan. It ends where anything fails.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed, exit_of, told
from cyme.cli.rolling import STARTED_WITH, in_turn, set_in_turn
from cyme.client import fleet
from cyme.client.errors import ClientError
from cyme.client.fleet import Action, Change, Kind, Plan

if TYPE_CHECKING:
    from cyme.cli.session import Session
    from cyme.cli.text.tables import Row
    from cyme.client.fleet.performing import OnStep


def check_rollout(plan: Plan) -> None:
    """Check that a plan can be taken up in turn.

    Raises:
        BadUsage: A parameter of an app goes back to its default, which no instance can be given.
    """
    for change in plan.changes:
        if change.kind is not Kind.APP or change.action is not Action.UPDATE:
            continue
        reset = [name for name in STARTED_WITH if change.parameters.get(name, "") is None]
        if reset:
            raise BadUsage(
                f"{', '.join(sorted(reset))} of the app {change.app} is reset, which cannot be "
                "taken up in turn. Say in the file what it is to be, or leave out --rolling."
            )


class Rollout:
    """Performs a plan that has been checked.

    Args:
        session: What is asked.
        plan: The plan.
        at_a_time: How many instances are away at once; a quarter of an app's if None.
        timeout_s: How long those of one turn may take, in seconds; two minutes if None.
        on_step: Told of every change that is made, and of those that failed at once.

    Attributes:
        done: The changes that are made.
    """

    def __init__(
        self,
        session: Session,
        plan: Plan,
        at_a_time: int | None,
        timeout_s: float | None,
        on_step: OnStep,
    ) -> None:
        self._session = session
        self._plan = plan
        self._at_a_time = at_a_time
        self._timeout_s = timeout_s
        self._on_step = on_step
        self.done: list[Change] = []

    def perform(self) -> Exit:
        """Perform it.

        Returns:
            OK; PARTLY if some of it was done; else the code of what failed first.
        """
        for (kind, app), group in groupby(self._plan.changes, self._turn):
            changes = [change for change in group if change not in self.done]
            if not changes:
                continue
            try:
                match kind:
                    case Kind.APP:
                        code = self._app(changes[0])
                    case Kind.INSTANCE:
                        code = self._instances(app, changes)
                    case _:
                        code = self._at_once(changes)
            except (ClientError, CommandFailed) as exc:
                self._session.warn(told(exc))
                code = exit_of(exc)
            if code is not Exit.OK:
                return Exit.PARTLY if self.done else code
        return Exit.OK

    def _turn(self, change: Change) -> tuple[Kind | None, str]:
        """Return what takes a change up in turn, and the app; nothing where it is made at once."""
        if change.action is Action.UPDATE and not STARTED_WITH.isdisjoint(change.parameters):
            is_restarted = f"{change.app}/{change.name}" in self._plan.restarts
            if change.kind is Kind.APP or is_restarted:
                return change.kind, change.app
        return None, ""

    def _app(self, change: Change) -> Exit:
        members = {key: change.parameters[key] for key in STARTED_WITH & change.parameters.keys()}
        own = {each.name: each for each in self._plan.changes if self._goes_with(each, change.app)}
        return set_in_turn(
            self._session,
            change.app,
            members,
            lambda: self._one(change),
            self._at_a_time,
            self._timeout_s,
            own={name: each.parameters for name, each in own.items()},
            write_with=lambda name, given: self._one(own[name], given),
        )

    def _goes_with(self, change: Change, app: str) -> bool:
        """Tell whether an instance can be changed together with its app, before new queues are."""
        queues = {each.name for each in self._plan.changes if each.kind is Kind.QUEUE}
        return self._turn(change) == (Kind.INSTANCE, app) and queues.isdisjoint(
            change.parameters.get("queues") or ()
        )

    def _instances(self, app: str, changes: Sequence[Change]) -> Exit:
        rows = self._session.get(app, "instances", details=True)
        stopped = {row["name"] for row in rows if row.get("state") == "stopped"}
        by_name = {change.name: change for change in changes}
        names = [name for name in by_name if name not in stopped]

        def give(row: Row) -> None:
            self._one(by_name[row["name"]])

        code = in_turn(self._session, names, self._at_a_time, self._timeout_s, give)
        others = [change for change in changes if change.name in stopped]
        return self._at_once(others) if code is Exit.OK else code

    def _at_once(self, changes: Sequence[Change]) -> Exit:
        outcome = fleet.apply(self._session.client, Plan(tuple(changes)), self._on_step)
        self.done += outcome.done
        return Exit.OK if outcome.is_complete else exit_of(outcome.failed[0].error)

    def _one(self, change: Change, given: Mapping[str, Any] | None = None) -> None:
        """Make a change, and give what it is about some parameters more.

        Raises:
            ClientError: It cannot be made.
        """
        written = replace(change, parameters={**change.parameters, **(given or {})})
        outcome = fleet.apply(self._session.client, Plan((written,)))
        if outcome.failed:
            raise outcome.failed[0].error
        self.done.append(change)
        self._on_step(change, None)
