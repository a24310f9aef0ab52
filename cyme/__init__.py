"""Cyme manages clusters of Celery worker instances.

Importing this package patches nothing, starts nothing and loads nothing heavy.
"""

__version__ = "0.1.0"
