"""The ``cyme`` command: everything that the HTTP API can do, from a terminal."""
