"""One branch of the cluster as a state machine: messages, ticks and deeds in, effects out.

Laws:

* Only a branch itself raises its incarnation, and only to refute or to say something new of itself.
* What is published of a record was made durable first: a record comes in by ``on_applied`` alone.
* Every rumour is passed on once; what was missed all the same is found by comparing digests.
* A member that is not present is not forgotten for three days, and tried now and then: that is
  what heals a partition.
* After a stall nobody is accused, and nothing that was owned is acted on, before others were heard.
"""

from cyme.core.cluster.node.ground import TICK_S, NodeSettings
from cyme.core.cluster.node.node import Node
from cyme.core.cluster.node.ticking import LAG_S_MAX

__all__ = ["LAG_S_MAX", "TICK_S", "Node", "NodeSettings"]
