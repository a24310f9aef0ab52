from __future__ import annotations

import pytest

from cyme.core.branches import BranchInfo
from cyme.core.model import BranchId
from cyme.core.ports import Members
from cyme.errors import OwnerUnreachable
from cyme.runtime.alone import Alone

INFO = BranchInfo(id=BranchId("b1"), port=8000)


def test_knows_itself_and_nobody_else() -> None:
    alone: Members = Alone(INFO)
    assert list(alone.ids()) == ["b1"]
    assert alone.info("b1") == INFO
    assert alone.info("b2") is None


def test_can_ask_nobody() -> None:
    with pytest.raises(OwnerUnreachable, match=r"'b2' owns this.*delete instance"):
        Alone(INFO).forward(BranchId("b2"), "delete_instance", {}, timeout_s=1.0)
