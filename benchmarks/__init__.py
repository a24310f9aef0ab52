"""Benchmarks: each question has a module, an answer in figures, and a peer measured beside it.

``python -m benchmarks list`` shows the questions, ``run`` answers them, ``compare`` sets two
reports side by side. Absolute figures depend on the machine and the hour; what counts is the
ratio to a peer that was measured in turns with Cyme, in the same run.
"""
