"""The use cases: one method a verb, one file a noun, one façade.

Laws:

* reads come from the replica and wait for nothing;
* a write is checked, made durable, applied and told, in that order, under the lock of what it
  changes, so that no two writes of one record cross;
* what concerns an instance is done by the branch that owns it; ``Ground._at_owner`` is the
  one place that decides between doing and forwarding;
* no lock is held while another branch is asked, as it might wait for this one meanwhile.
"""

from cyme.runtime.service.answers import MUST_BE_NEW, Standing, Written
from cyme.runtime.service.parts import Controlling, Supervision
from cyme.runtime.service.queues import KEEP, Keep
from cyme.runtime.service.service import Service

__all__ = [
    "KEEP",
    "MUST_BE_NEW",
    "Controlling",
    "Keep",
    "Service",
    "Standing",
    "Supervision",
    "Written",
]
