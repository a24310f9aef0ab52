from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from .conftest import Open

ACKNOWLEDGED_MIN = 100


def test_what_was_acknowledged_outlives_a_kill(url: str, tmp_path: Path, database: Open) -> None:
    program = "tests.adapters.database.writing_program"
    process = subprocess.Popen(
        [sys.executable, "-m", program, url, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        acknowledged = [process.stdout.readline().strip() for _ in range(ACKNOWLEDGED_MIN)]
    finally:
        process.kill()
    # What was printed before the kill counts too; a line cut in half does not.
    rest = process.stdout.read()
    acknowledged += rest.split("\n")[:-1]
    process.stdout.close()
    process.wait()
    assert len(acknowledged) >= ACKNOWLEDGED_MIN
    found = {record.name for record in database(url).load()}
    assert set(acknowledged) <= found
    assert {f"pair-{name}" for name in found if not name.startswith("pair-")} <= found
