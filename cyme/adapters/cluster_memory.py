"""What a branch remembers of its cluster from one start to the next, in a file of its directory.

The file is replaced as a whole. A branch that cannot read it starts all the same, as one that was
never in a cluster would: others tell it what it has forgotten.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

from cyme.errors import StorageUnavailable

logger = logging.getLogger(__name__)

MEMORY_FILE = "cluster.json"

ENDPOINTS_MAX = 2_000

_FORMAT = 1
_FILE_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What is remembered.

    Attributes:
        boot: How often the branch was started.
        endpoints: Where branches were that it knew.
        drained: Whether it takes no instances.
    """

    boot: int = 0
    endpoints: tuple[str, ...] = ()
    drained: bool = False


class ClusterMemory:
    """The memory of one branch.

    Args:
        directory: The branch's directory.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / MEMORY_FILE
        self._known = Remembered()

    def begin_life(self) -> Remembered:
        """Return what is remembered, with the boot counter one higher, which is durable then.

        Raises:
            StorageUnavailable: The file cannot be written.
        """
        known = self._read()
        self._write(replace(known, boot=known.boot + 1))
        return self._known

    def keep_endpoints(self, endpoints: tuple[str, ...]) -> None:
        """Remember where branches are.

        Raises:
            StorageUnavailable: The file cannot be written; it is as it was.
        """
        self._write(replace(self._known, endpoints=endpoints[:ENDPOINTS_MAX]))

    def keep_drained(self, drained: bool) -> None:
        """Remember whether this branch takes instances; raises as ``keep_endpoints``."""
        self._write(replace(self._known, drained=drained))

    def _read(self) -> Remembered:
        try:
            with self._path.open("rb") as source:
                stored = json.loads(source.read(_FILE_BYTES_MAX))
            return Remembered(
                boot=int(stored["boot"]),
                endpoints=tuple(str(each) for each in stored["endpoints"])[:ENDPOINTS_MAX],
                drained=bool(stored["drained"]),
            )
        except FileNotFoundError:
            return Remembered()
        except (OSError, ValueError, KeyError, TypeError) as exc:
            logger.warning("what was remembered of the cluster is lost: %s: %s", self._path, exc)
            return Remembered()

    def _write(self, known: Remembered) -> None:
        stored = {
            "format": _FORMAT,
            "boot": known.boot,
            "drained": known.drained,
            "endpoints": list(known.endpoints),
        }
        fresh = self._path.with_suffix(".fresh")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
        try:
            with os.fdopen(os.open(fresh, flags, 0o600), "w") as target:
                json.dump(stored, target)
                target.flush()
                os.fsync(target.fileno())
            fresh.replace(self._path)
        except OSError as exc:
            with contextlib.suppress(OSError):
                fresh.unlink(missing_ok=True)
            raise StorageUnavailable.of(
                exc, f"{self._path} cannot be written: {exc.strerror}. It is as it was."
            ) from exc
        self._known = known
