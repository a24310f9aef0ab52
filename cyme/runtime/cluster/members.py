"""The ``Members`` port over the node: who is there, what is elsewhere, calls to others."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import gevent

from cyme.core.branches import BranchInfo, BranchState, ClusterView
from cyme.core.cluster.effects import Settle
from cyme.core.cluster.members import PRESENT, Profile, Statement
from cyme.core.model import BranchId, Instance
from cyme.core.ports import Clock
from cyme.core.status import InstanceState, InstanceStatus
from cyme.errors import DeadlineExceeded, OwnerUnreachable, WorkerStartFailed
from cyme.runtime.cluster import encoding
from cyme.runtime.cluster.driver import Driver
from cyme.runtime.replica import Replica
from cyme.runtime.service.calls import CALLS

#: A call is settled by its deadline; this is for the tick that does it, in seconds.
SETTLE_S = 1.0


class ClusterMembers:
    """The branches of the cluster, as the node knows them.

    Args:
        driver: Drives the node.
        name: The name of the cluster.
        replica: The records.
        clock: Time.
        keep_drained: Remembers over restarts whether this branch takes instances.
    """

    def __init__(
        self,
        driver: Driver,
        *,
        name: str,
        replica: Replica,
        clock: Clock,
        keep_drained: Callable[[bool], None],
    ) -> None:
        self._driver = driver
        self._node = driver.node
        self._name = name
        self._replica = replica
        self._clock = clock
        self._keep_drained = keep_drained
        self._started_at = clock.monotonic()

    # --- who is there ---------------------------------------------------------------------------

    def ids(self) -> Sequence[BranchId]:
        """Return the ids of all branches that are known, sorted."""
        return [word.branch for word in self._node.statements()]

    def info(self, branch: str) -> BranchInfo | None:
        """Return what is known of a branch, None if it is not known."""
        word = self._node.word(branch)
        return None if word is None else self._info(word)

    def view(self) -> ClusterView:
        """Return the cluster as this branch sees it."""
        words = self._node.statements()
        return ClusterView(
            name=self._name,
            branch=self._node.me,
            digest=f"{self._node.digest:016x}",
            fenced=self._node.fenced,
            branches=tuple(self._info(word) for word in words),
            epochs={
                word.branch: sum(
                    instance.epoch for instance in self._replica.instances_owned(word.branch)
                )
                for word in words
            },
        )

    def alive(self) -> int:
        """Return how many branches take part, this one among them."""
        return sum(1 for word in self._node.statements() if word.state in PRESENT)

    def status(self, instance: Instance) -> tuple[InstanceStatus, float]:
        """Return how an instance of another branch is, and how old that knowledge is in seconds."""
        owner = instance.owner
        state = self._node.state(owner)
        age_s = max(0.0, self._clock.monotonic() - self._node.heard_at(owner))
        news = self._node.news(instance.name)
        told = news is not None and (news.branch, news.epoch) == (owner, instance.epoch)
        if state is None:
            return _unknown(f"its branch {owner!r} is not known here"), age_s
        if news is None or not told:
            return _unknown(f"its branch {owner!r} has not told of it yet"), age_s
        if state not in PRESENT:
            reason = f"its branch {owner!r} has {_word(state)}; it was {news.state} before that"
            if instance.pinned:
                reason += ", and is pinned to that branch, so no other one runs it"
            return _unknown(reason), age_s
        status = InstanceStatus(
            state=news.state,
            reason=news.reason,
            pids=news.pids,
            restarts=news.restarts,
            since=news.since,
        )
        return status, age_s

    def may_act(self) -> bool:
        """Tell whether this branch may act on what it owns."""
        return self._driver.may_act()

    def _info(self, word: Statement) -> BranchInfo:
        now, wall = self._clock.monotonic(), self._clock.wall()
        me = word.branch == self._node.me
        since = self._started_at if me else self._node.state_since(word.branch)
        profile = word.profile
        return BranchInfo(
            id=word.branch,
            state=word.state,
            url=profile.url,
            port=profile.port,
            loglevel=profile.loglevel,
            logfile=profile.logfile,
            numc=profile.numc,
            sup_interval_s=profile.sup_interval_s,
            instances_max=profile.instances_max,
            version=profile.version,
            labels=profile.labels,
            drained=profile.drained,
            address=profile.calls_at,
            boot=word.boot,
            incarnation=word.incarnation,
            since=wall - (now - since),
            heard_s=0.0 if me else max(0.0, now - self._node.heard_at(word.branch)),
            accused_by=None if word.by == word.branch else word.by,
        )

    # --- calls ----------------------------------------------------------------------------------

    def forward(
        self, branch: BranchId, call: str, arguments: Mapping[str, object], *, timeout_s: float
    ) -> object:
        """Have another branch perform a call of the service, and return what it returned.

        Raises:
            OwnerUnreachable: The branch cannot be asked.
            DeadlineExceeded: There was no time left to ask.
            CymeError: Whatever the call raised there.
        """
        if timeout_s <= 0:
            raise DeadlineExceeded("There was no time left to ask another branch; try again.")
        encoded = encoding.encode(dict(arguments))
        id_ = secrets.token_hex(16)
        result = self._driver.settlement(id_)
        try:
            self._driver.do(
                self._node.call(
                    self._driver.now(),
                    call=id_,
                    target=branch,
                    method=call,
                    arguments=encoded,
                    timeout_s=timeout_s,
                )
            )
            settled = result.get(timeout=timeout_s + SETTLE_S)
        except gevent.Timeout:
            settled = Settle(id_, ok=False, value=None, why="it did not answer", in_doubt=True)
        finally:
            self._driver.forget_call(id_)
        return _outcome(branch, call, settled)

    # --- deeds ----------------------------------------------------------------------------------

    def take(self, instance: Instance, *, timeout_s: float) -> Instance:
        """Take an instance over from its living owner, which asks for it.

        Raises:
            WorkerStartFailed: The worker did not come to run here; nothing changed.
            DeadlineExceeded: It took too long; it goes on.
        """
        result = self._driver.taking(instance.name)
        self._driver.do(self._node.take(self._driver.now(), instance))
        try:
            why_not = result.get(timeout=timeout_s)
        except gevent.Timeout:
            raise DeadlineExceeded(
                f"The worker of {instance.name!r} does not run on {self._node.me!r} yet; it stays "
                "where it is until it does. Look again in a while."
            ) from None
        if why_not:
            raise WorkerStartFailed(
                f"The worker of {instance.name!r} did not come to run on {self._node.me!r}: "
                f"{why_not}. It stays where it is."
            )
        return self._replica.instance(instance.name) or instance

    def drain(self, drained: bool, *, remembered: bool = True) -> None:
        """Say whether this branch takes instances; where ``remembered``, over restarts too."""
        if remembered:
            self._keep_drained(drained)
        profile: Profile = replace(self._node.statement.profile, drained=drained)
        self._driver.do(self._node.change_profile(self._driver.now(), profile))


def _outcome(branch: str, call: str, settled: Settle) -> object:
    described = CALLS[call]
    if settled.value is None:
        doubt = ""
        if settled.in_doubt and described.writes:
            doubt = " Whether it was done is not known: look before you try again."
        raise OwnerUnreachable(f"Branch {branch!r} cannot be asked: {settled.why}.{doubt}")
    if not settled.ok:
        raise encoding.decode_error(settled.value)
    return encoding.decode(settled.value, described.returns)


def _unknown(reason: str) -> InstanceStatus:
    return InstanceStatus(state=InstanceState.UNKNOWN, reason=reason)


def _word(state: BranchState) -> str:
    return "left" if state is BranchState.LEFT else "failed"
