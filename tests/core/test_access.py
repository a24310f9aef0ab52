from __future__ import annotations

import pytest

from cyme.core.access import CODE_CHOOSING, Caller, Role, require, require_for_parameters
from cyme.errors import Forbidden

VIEWER = Caller(Role.VIEWER, "eve")
OPERATOR = Caller(Role.OPERATOR, "olga")
ADMIN = Caller(Role.ADMIN, "ada")


def test_each_role_includes_those_below_it() -> None:
    require(ADMIN, Role.VIEWER, "look")
    require(OPERATOR, Role.OPERATOR, "act")
    with pytest.raises(Forbidden, match=r"role operator.*'eve' has viewer"):
        require(VIEWER, Role.OPERATOR, "act")


@pytest.mark.parametrize("parameter", sorted(CODE_CHOOSING))
def test_only_an_administrator_chooses_code(parameter: str) -> None:
    with pytest.raises(Forbidden, match=parameter):
        require_for_parameters(OPERATOR, ["pool", parameter])
    require_for_parameters(ADMIN, [parameter])


def test_other_parameters_are_everybodys_who_may_write() -> None:
    require_for_parameters(OPERATOR, ["pool", "max_concurrency"])
