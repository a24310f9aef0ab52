from __future__ import annotations

import subprocess
import sys

HEAVY = (
    "asyncio", "celery", "click", "falcon", "gevent", "http.client", "kombu", "msgpack", "msgspec",
    "multiprocessing", "peewee", "psutil", "rich", "ssl", "tomllib", "zmq",
)  # fmt: skip


def loaded_by(statement: str) -> set[str]:
    program = (
        f"import sys; before = set(sys.modules); {statement}; print(*set(sys.modules) - before)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30
    )
    return set(done.stdout.split())


def test_importing_cyme_loads_nothing() -> None:
    assert {name for name in loaded_by("import cyme") if name != "cyme"} == set()


def test_the_client_loads_the_standard_library_alone_and_little_of_it() -> None:
    loaded = loaded_by("from cyme import Client")
    assert "cyme.client.client" in loaded
    assert not loaded & set(HEAVY)
    known = set(sys.stdlib_module_names) | {"cyme"}
    assert {name for name in loaded if name.split(".")[0] not in known} == set()
    ours = {name for name in loaded if name.startswith("cyme.")} - {"cyme.client", "cyme.errors"}
    assert all(name.startswith("cyme.client.") for name in ours)


def test_there_is_nothing_else_in_the_package() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import cyme; cyme.Nonsense"],
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert "module 'cyme' has no attribute 'Nonsense'" in done.stderr
