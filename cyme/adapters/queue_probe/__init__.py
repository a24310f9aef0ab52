"""What waits in queues, as their brokers tell: ``cyme.core.ports.QueueProbes`` over kombu."""

from cyme.adapters.queue_probe.probe import KombuProbe, KombuProbes

__all__ = ["KombuProbe", "KombuProbes"]
