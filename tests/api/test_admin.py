"""The files of the page, as they are served."""

from __future__ import annotations

import re
from importlib import resources

import pytest
from falcon import testing

from cyme.api.page_files import page_files
from tests.api.branch import FakeBranch

#: What would make markup of data, or load what is not the page's own.
BARRED_IN_MODULES = (
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function",
    r"""(?m)^(?:import|export)\b.*\bfrom\s+["'](?!\.)""",
    r"""\bimport\(\s*["'`](?!\.)""",
    r"""setAttribute\(["']style""",
)


@pytest.mark.parametrize("path", ["/admin", "/admin/", "/admin/instances/w1", "/admin/a/b/c/d?q=1"])
def test_every_address_of_the_page_is_the_page(branch: FakeBranch, path: str) -> None:
    reply = branch.closed.simulate_get(path)
    assert reply.status_code == 200, "the page itself needs no token"
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    assert "/admin/static/js/main.js" in reply.text
    head = branch.closed.simulate_head(path)
    assert (head.status_code, head.content) == (200, b"")


def test_the_page_may_load_nothing_but_its_own_files(client: testing.TestClient) -> None:
    for path in ("/admin/", "/admin/static/js/main.js"):
        headers = client.simulate_get(path).headers
        policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
        assert policy == {
            "default-src": "'none'",
            "script-src": "'self'",
            "style-src": "'self'",
            "img-src": "'self' data:",
            "connect-src": "'self'",
            "base-uri": "'none'",
            "form-action": "'none'",
            "frame-ancestors": "'none'",
        }
        assert headers["referrer-policy"] == "same-origin"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("js/main.js", "text/javascript; charset=utf-8"),
        ("js/screens/branches.js", "text/javascript; charset=utf-8"),
        ("css/tokens.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
    ],
)
def test_files_have_their_types_and_are_kept_until_they_change(
    client: testing.TestClient, path: str, media_type: str
) -> None:
    reply = client.simulate_get(f"/admin/static/{path}")
    assert (reply.status_code, reply.headers["content-type"]) == (200, media_type)
    tag = reply.headers["etag"]
    again = client.simulate_get(f"/admin/static/{path}", headers={"If-None-Match": f'"x", {tag}'})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    other = client.simulate_get(f"/admin/static/{path}", headers={"If-None-Match": '"x"'})
    assert other.status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "../__init__.py",
        "__init__.py",
        "../admin/index.html/..",
        "..%2f..%2ferrors.py",
        "js/../../errors.py",
        "/etc/passwd",
        "js",
        "js/none.js",
        "%00",
    ],
)
def test_no_path_leads_out_of_the_page(branch: FakeBranch, path: str) -> None:
    reply = branch.closed.simulate_get(f"/admin/static/{path}")
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert "content-security-policy" in reply.headers


def test_the_page_holds_no_script_or_style_that_its_policy_would_bar() -> None:
    index = resources.files("cyme.admin").joinpath("index.html").read_text()
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=|javascript:", index)
    assert set(re.findall(r'(?:src|href)="([^"]*)"', index))
    assert all(
        each.startswith("/admin/static/") for each in re.findall(r'(?:src|href)="([^"]*)"', index)
    )


def test_no_module_makes_markup_of_data_or_loads_from_elsewhere() -> None:
    modules = {path: file for path, file in page_files().items() if path.endswith(".js")}
    assert "js/screens/branches.js" in modules
    for path, file in modules.items():
        for barred in BARRED_IN_MODULES:
            assert not re.search(barred, file.content.decode()), (path, barred)


def test_a_link_on_another_site_may_open_the_page_and_nothing_else(branch: FakeBranch) -> None:
    visit = {
        "Sec-Fetch-Site": "cross-site",
        "Sec-Fetch-Mode": "navigate",
        "Sec-Fetch-Dest": "document",
        "Referer": "http://wiki.example/",
    }
    assert branch.client.simulate_get("/admin/instances/w1", headers=visit).status_code == 200
    for path in ("/", "/admin/session/", "/instances/", "/administration/"):
        assert branch.client.simulate_get(path, headers=visit).status_code == 403, path
    framed = visit | {"Sec-Fetch-Dest": "iframe"}
    assert branch.client.simulate_get("/admin/", headers=framed).status_code == 403
    rebound = visit | {"Host": "evil.example"}
    assert branch.client.simulate_get("/admin/", headers=rebound).status_code == 421
    assert branch.client.simulate_post("/admin/session/", headers=visit).status_code == 403
