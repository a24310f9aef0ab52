from __future__ import annotations

import pytest

from cyme.core.access import Caller, Role, require
from cyme.errors import Forbidden

VIEWER = Caller(Role.VIEWER, "eve")
OPERATOR = Caller(Role.OPERATOR, "olga")
ADMIN = Caller(Role.ADMIN, "ada")


def test_each_role_includes_those_below_it() -> None:
    require(ADMIN, Role.VIEWER, "look")
    require(OPERATOR, Role.OPERATOR, "act")
    with pytest.raises(Forbidden, match=r"role operator.*'eve' has viewer"):
        require(VIEWER, Role.OPERATOR, "act")
