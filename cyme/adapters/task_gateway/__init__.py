"""Tasks: sent to whichever worker consumes from a queue, and asked for what became of them."""

from cyme.adapters.task_gateway.gateway import CeleryTaskGateway
from cyme.adapters.task_gateway.kept import KeptResults

__all__ = ["CeleryTaskGateway", "KeptResults"]
