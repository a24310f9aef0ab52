"""Patches the test process as ``cyme-branch`` patches its own: before anything else is loaded.

``CYME_TESTS_PATCHED=0`` leaves it as it is, which shows that the core needs none of it.
"""

import os

if os.environ.get("CYME_TESTS_PATCHED", "1") != "0":
    from gevent import monkey

    monkey.patch_all()
