"""The events of the whole cluster, as one stream for whoever listens at this branch."""

from cyme.runtime.feed.feed import Feed
from cyme.runtime.feed.past import History
from cyme.runtime.feed.subscription import Arrival, Subscription

__all__ = ["Arrival", "Feed", "History", "Subscription"]
