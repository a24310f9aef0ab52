"""Cyme manages clusters of Celery worker instances.

Importing this package patches nothing, starts nothing and loads nothing heavy; ``Client`` is
loaded when somebody asks for it.
"""

from __future__ import annotations

TYPE_CHECKING = False  # what typing's own says too, without loading it

if TYPE_CHECKING:
    from cyme.client import Client

__all__ = ["Client", "__version__"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name == "Client":
        from cyme.client import Client  # noqa: PLC0415 - whoever needs it pays for it

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
