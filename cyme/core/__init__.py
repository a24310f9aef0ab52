"""The pure core: it decides, and does nothing else.

Laws of this package, held by import-linter, ruff and the tests:

* it imports the standard library only, and of that nothing that touches the world: no clock,
  socket, thread, process, random, logging or os;
* time comes in as an argument, in seconds; whatever should happen goes out as a value;
* the same inputs give the same outputs.
"""
