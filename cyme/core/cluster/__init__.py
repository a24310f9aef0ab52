"""The cluster as a pure state machine: membership, gossip, repair and ownership.

``node.Node`` is the whole of it for one branch. It has no clock, socket, greenlet, chance or
disk: messages, ticks and the branch's own deeds come in with the time, effects go out, and
whoever drives it performs them in order. ``cyme.runtime.cluster`` drives one over ZeroMQ,
``cyme.testing.simulation`` hundreds over a network that is made of faults.

One idea a file:

* ``members``: what is known of a branch, and which word about it counts;
* ``rings``: whom a branch listens to;
* ``awareness``, ``suspicion``, ``detection``: when silence is a death;
* ``rumours``: spreading news, and noticing that some was missed;
* ``digests``, ``repair``: making two branches know the same;
* ``ownership``: who runs an instance when its owner is gone, comes back or hands it over;
* ``grounds``, ``succession``, ``claims``, ``handovers``: what that is decided by, whose turn it
  is, taking from a branch that is gone, and from one that is there;
* ``calls``: a request to another branch, with one effect however often it is tried.
"""
