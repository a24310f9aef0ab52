"""Property tests here are many and small; no deadline, because machines differ."""

from hypothesis import settings

settings.register_profile("core", deadline=None, max_examples=25, print_blob=True)
settings.load_profile("core")
