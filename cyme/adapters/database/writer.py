"""The one writer: a bounded queue, a greenlet that empties it, a native thread that does the work.

Whatever waits when the thread is free is done in one commit, so that sixty-four callers wait for
about as many flushes of the disk as one does. The hub never waits for the disk.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence

import gevent
from gevent.event import Event
from gevent.queue import Empty, Full, Queue
from gevent.threadpool import ThreadPool

from cyme.adapters.database.faults import Fault
from cyme.adapters.database.models import Meta
from cyme.adapters.database.session import Failed, Session, Work
from cyme.errors import CymeError, DeadlineExceeded, Overloaded, StorageUnavailable

logger = logging.getLogger(__name__)

WAITING_MAX = 1000
GROUP_MAX = 256
#: A database that failed is tried again so often while nobody else tries it.
PROBE_PERIOD_S = 2.0
#: A database on a server is asked so often whether it is still there.
IDLE_PROBE_PERIOD_S = 30.0
#: Work that takes longer than this makes the database count as ill.
STUCK_AFTER_S = 10.0


class _Job:
    """A piece of work and whoever waits for it."""

    __slots__ = ("abandoned", "begun", "done", "outcome", "work")

    def __init__(self, work: Work) -> None:
        self.work = work
        self.done = Event()
        self.outcome: object | Failed = None
        self.begun = False
        self.abandoned = False


class Writer:
    """Does all work on the database, in the order of asking.

    Args:
        session: Used in the native thread only.
        probe_when_idle: Whether the database can vanish unseen while nobody uses it.

    Attributes:
        works: How many pieces of work were asked for, for measuring.
        groups: In how many groups they were done, for measuring.
    """

    def __init__(self, session: Session, *, probe_when_idle: bool) -> None:
        self.works = 0
        self.groups = 0
        self.busy_s = 0.0
        self._session = session
        self._idle_period_s = IDLE_PROBE_PERIOD_S if probe_when_idle else None
        self._waiting: Queue = Queue(maxsize=WAITING_MAX)
        self._thread: ThreadPool | None = None
        self._greenlet: gevent.Greenlet | None = None
        self._illness: str | None = None
        self._busy_since: float | None = None
        self._stopping = False

    def start(self) -> None:
        """Open the session and begin to work; raises as ``Session.open``."""
        self._thread = ThreadPool(1)
        try:
            self._thread.apply(self._session.open)
        except CymeError:
            self._thread.kill()
            self._thread = None
            raise
        self._greenlet = gevent.spawn(self._run)

    def stop(self, timeout_s: float) -> None:
        """Finish what waits, close the session and end the thread.

        Args:
            timeout_s: When to give up on a disk or a server that does not answer.
        """
        self._stopping = True
        if self._thread is None or self._greenlet is None:
            return
        try:
            with gevent.Timeout(timeout_s):
                self._waiting.put(None)
                self._greenlet.join()
                self._thread.apply(self._session.close)
                self._thread.kill()
        except gevent.Timeout:
            logger.exception("the database did not finish in time; it is left alone")
            self._greenlet.kill()
            _give_up(
                self._take_waiting(),
                StorageUnavailable("The branch stopped before it was written; nothing was."),
            )
        self._thread = self._greenlet = None

    @property
    def waiting(self) -> int:
        """How much waits to be done."""
        return int(self._waiting.qsize())

    @property
    def fault(self) -> str | None:
        """Why the last work failed, or the present one takes too long; None if all is well."""
        if self._greenlet is None:
            return "The database is closed; the branch starts or stops."
        busy_since = self._busy_since
        busy_s = 0.0 if busy_since is None else time.monotonic() - busy_since
        if busy_s > STUCK_AFTER_S:
            return f"The database has not answered for {busy_s:.0f} s. Look at its server or disk."
        return self._illness

    def do(self, work: Work, timeout_s: float) -> object:
        """Have work done and return what it returned.

        Raises:
            Overloaded: Too much waits already; it was not done.
            StorageFull: There is no room; it was not done.
            StorageUnavailable: The database fails; it was not done.
            DeadlineExceeded: It took too long.
        """
        if self._greenlet is None or self._stopping:
            raise StorageUnavailable("The database is closed; the branch starts or stops.")
        job = _Job(work)
        try:
            self._waiting.put_nowait(job)
        except Full as exc:
            raise Overloaded(
                f"{WAITING_MAX} writes wait for the database already; try again.", retry_after_s=1.0
            ) from exc
        try:
            job.done.wait(timeout_s)
        finally:
            job.abandoned = not job.done.is_set()
        if job.abandoned:
            known = "whether it was written is not known" if job.begun else "nothing was written"
            raise DeadlineExceeded(
                f"The database did not answer within {timeout_s:.1f} s; {known}."
            )
        if isinstance(job.outcome, Failed):
            # Callers of one group share the outcome; each needs an error of its own to raise.
            error = job.outcome.error
            raise type(error)(error.detail) from error.__cause__
        return job.outcome

    def _run(self) -> None:
        """Do what waits, group by group, until the end mark comes."""
        while True:
            group = self._next_group()
            jobs = [job for job in group if job is not None and not job.abandoned]
            if jobs:
                self._do_group(jobs)
            if None in group:
                return

    def _next_group(self) -> list[_Job | None]:
        """Wait for a job and take along what waits with it; a probe where nothing comes."""
        try:
            period_s = PROBE_PERIOD_S if self._illness else self._idle_period_s
            group: list[_Job | None] = [self._waiting.get(timeout=period_s)]
        except Empty:
            return [_Job(_probe)]
        return group + self._take_waiting(GROUP_MAX - 1)

    def _take_waiting(self, jobs_max: int = WAITING_MAX + 1) -> list[_Job | None]:
        """Take what waits now."""
        taken: list[_Job | None] = []
        while len(taken) < jobs_max:
            try:
                taken.append(self._waiting.get_nowait())
            except Empty:
                break
        return taken

    def _do_group(self, jobs: list[_Job]) -> None:
        assert self._thread is not None, "the greenlet lives within the thread's life"
        for job in jobs:
            job.begun = True
        self._busy_since = time.monotonic()
        try:
            outcomes = self._thread.apply(self._session.perform, ([job.work for job in jobs],))
        except gevent.GreenletExit:
            _give_up(
                jobs,
                DeadlineExceeded(
                    "The database did not answer before the branch stopped; whether it was "
                    "written is not known."
                ),
            )
            raise
        except Exception as exc:
            # The top of the greenlet, which must outlive any fault.
            logger.exception("the database's writer met an error that it does not know")
            lost = Failed(Fault.LOST, StorageUnavailable(f"The database failed: {exc}"))
            outcomes = [lost] * len(jobs)
        finally:
            self.busy_s += time.monotonic() - self._busy_since
            self._busy_since = None
        self.works += len(jobs)
        self.groups += 1
        self._judge(outcomes)
        for job, outcome in zip(jobs, outcomes, strict=True):
            job.outcome = outcome
            job.done.set()

    def _judge(self, outcomes: Sequence[object | Failed]) -> None:
        """Learn from a group whether the database is well; a refused content says nothing."""
        failures = [each for each in outcomes if isinstance(each, Failed)]
        ills = [failure for failure in failures if failure.fault is not Fault.REFUSED]
        if ills:
            if self._illness is None:
                logger.error("%s It is tried again every %g s.", ills[0].error, PROBE_PERIOD_S)
            self._illness = str(ills[0].error)
        elif self._illness is not None and len(failures) < len(outcomes):
            logger.info("the database works again")
            self._illness = None


def _give_up(jobs: Iterable[_Job | None], error: CymeError) -> None:
    """Give everyone who waits the error."""
    for job in jobs:
        if job is not None:
            job.outcome = Failed(Fault.LOST, error)
            job.done.set()


def _probe(session: Session) -> None:
    """Write something that differs each time: SQLite skips the write of what is there already."""
    session.upsert(Meta, [{"name": "probed_at", "value": repr(time.time())}])
