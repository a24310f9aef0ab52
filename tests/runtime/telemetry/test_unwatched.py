from __future__ import annotations

import pytest

from cyme.errors import Unavailable
from cyme.runtime.telemetry.unwatched import UNWATCHED
from tests.runtime.service.house import BROKER


def test_nobody_watches_the_queues_of_a_branch_that_is_not_in_service() -> None:
    assert UNWATCHED.rows() == UNWATCHED.known() == ()
    with pytest.raises(Unavailable, match="Start it"):
        UNWATCHED.ask(BROKER, "shop", "mails", timeout_s=1.0)
    with pytest.raises(Unavailable, match="Start it"):
        UNWATCHED.purge(BROKER, "mails", count_max=1, timeout_s=1.0)
