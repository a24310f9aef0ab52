"""What the use cases answer with, and whether a writer knew what it wrote over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

from cyme.core.model import App, Instance, Queue
from cyme.core.status import InstanceStatus
from cyme.errors import PreconditionFailed

#: The ``if_match`` of what must not exist yet; records count their versions from 1.
MUST_BE_NEW = 0

R = TypeVar("R", App, Queue, Instance)


@dataclass(frozen=True, slots=True)
class Written(Generic[R]):
    """What became of a write.

    Attributes:
        record: The record as it is now.
        created: Whether it did not exist before.
        changed: Whether anything was written.
    """

    record: R
    created: bool
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an instance is, and how fresh that is.

    Attributes:
        status: How it is.
        as_of: When that was so, seconds since 1970 UTC.
        age_s: How long ago that was; None where this branch runs the instance itself.
    """

    status: InstanceStatus
    as_of: float
    age_s: float | None = None


def check_match(kind: str, record: App | Queue | Instance | None, if_match: int | None) -> None:
    """Check that a record is at the version that the caller has read.

    Raises:
        PreconditionFailed: It is not, or there is no record.
    """
    if if_match is None or (if_match == MUST_BE_NEW and record is None):
        return
    if record is None:
        raise PreconditionFailed(
            f"The {kind} does not exist (any more), and you have read version {if_match}. "
            "Leave If-Match out to create it."
        )
    if if_match == MUST_BE_NEW:
        raise PreconditionFailed(f"The {kind} {record.name!r} exists already; it was to be new.")
    if record.version != if_match:
        raise PreconditionFailed(
            f"The {kind} {record.name!r} is at version {record.version} now, not at {if_match}. "
            "Read it again and decide again."
        )
