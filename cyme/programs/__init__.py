"""The executables: options, start-up, signals, and the wiring of all parts."""
