"""What the pages about the client show is what happens."""

from __future__ import annotations

import doctest
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cyme.api.server import HttpServer
from tests.api.branch import BRANCH_ID, FakeBranch
from tests.client.cluster import ADMIN_TOKEN
from tests.house.checkout import ROOT

_FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE | doctest.IGNORE_EXCEPTION_DETAIL


#: The pages speak to a branch that knows its administrator; here it asks for a token.
_PAGES_CLIENT = 'Client("http://127.0.0.1:8000")'


@pytest.fixture
def url(branch: FakeBranch) -> Iterator[str]:
    """Yield where the branch serves its API."""
    server = HttpServer(branch.closed_app, ("127.0.0.1", 0))
    server.start()
    yield f"http://127.0.0.1:{server.address[1]}"
    server.stop(1.0)


def page_text(page: str) -> str:
    return (ROOT / "docs" / page).read_text().replace("machine2", BRANCH_ID)


def played(page: str, url: str) -> doctest.TestResults:
    text = page_text(page).replace(_PAGES_CLIENT, f"Client({url!r}, token={ADMIN_TOKEN!r})")
    runner = doctest.DocTestRunner(optionflags=_FLAGS)
    runner.run(doctest.DocTestParser().get_doctest(text, {}, page, page, 0))
    return runner.summarize()


def test_the_page_about_the_client_shows_what_happens(url: str) -> None:
    result = played("client.rst", url)
    assert (result.failed, result.attempted > 30) == (0, True)


def test_the_page_about_fleets_shows_what_happens(
    branch: FakeBranch, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.members.change(BRANCH_ID, labels=(("disk", "ssd"),))
    block = re.search(r"\.\. code-block:: toml\n\n((?:    .*\n|\n)+)", page_text("fleet.rst"))
    assert block is not None
    file = tmp_path / "fleet.toml"
    file.write_text(re.sub(r"^    ", "", block[1], flags=re.MULTILINE))
    monkeypatch.chdir(tmp_path)
    result = played("fleet.rst", url)
    assert (result.failed, result.attempted > 10) == (0, True)
