"""The table of all use cases that one branch performs for another.

They are marked where they stand (``remote``); what is not marked is performed for no other branch.
"""

from cyme.runtime.service.remote import RemoteCall
from cyme.runtime.service.service import CALLS

__all__ = ["CALLS", "RemoteCall"]
