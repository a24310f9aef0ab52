"""The cluster as it runs: what drives ``core.cluster.node.Node`` over the sockets.

* ``structure``: MessagePack within limits;
* ``shapes``, ``rows``: what plain values must be like to become values of ours;
* ``wire``: messages as frames;
* ``encoding``: arguments, results and errors of calls as bytes.
"""
