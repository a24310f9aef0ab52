"""Who may do what: every verb of every path that is served, tried with every role."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import falcon.inspect
from falcon import testing

from cyme.api.operations import ASYNC_SEGMENT
from tests.api.branch import ADMIN, OPERATOR, VIEWER, FakeBranch

#: Those who ask, the least trusted first.
CALLERS: dict[str, dict[str, str]] = {
    "anybody": {},
    "viewer": VIEWER,
    "operator": OPERATOR,
    "admin": ADMIN,
}

READS = frozenset({"GET", "HEAD"})

#: What asks for no token. The page's files hold no secret; a login brings its token along, and who
#: logs out shows the cookie that ends.
PUBLIC = frozenset(
    {
        *(f"{verb} /ping" for verb in ("GET", "HEAD", "POST", "PUT")),
        *(f"{verb} /{path}" for verb in READS for path in ("healthz", "readyz")),
        *(f"{verb} /admin" for verb in READS),
        *(f"{verb} /admin/{{screen:path}}" for verb in READS),
        *(f"{verb} /admin/static/{{path:path}}" for verb in READS),
        "POST /admin/session",
        "DELETE /admin/session",
    }
)

#: Below this any verb queues a URL, and below that everything is about tokens.
QUEUES_URLS, TOKENS = "/{app}/queue/", "/branches/{branch}/tokens"

NAMES = {
    "app": "foo",
    "name": "i1",
    "queue": "q",
    "branch": "branch1",
    "task": "0199c5a5-6b52-8d4e-9a62-3f7b0c61d2aa",
    "url:path": "http://host/",
    "path:path": "js/main.js",
    "screen:path": "instances",
}


def role_meant(verb: str, template: str) -> str:
    """Return who may do it at the least."""
    if f"{verb} {template}" in PUBLIC:
        return "anybody"
    if template.startswith(TOKENS):
        return "admin"
    if verb == "OPTIONS" and ASYNC_SEGMENT in template:  # it tells which verbs there are
        return "viewer"
    if template.startswith(QUEUES_URLS) or verb not in READS:
        return "operator"
    return "viewer"


def served(app: Any) -> Iterator[tuple[str, str]]:
    """Yield every verb and path that is served."""
    for route in falcon.inspect.inspect_app(app).routes:
        for method in route.methods:
            # The test's client knows no CONNECT; it goes where GET goes.
            if not method.internal and method.method != "CONNECT":
                yield method.method, route.path


def path_of(template: str) -> str:
    """Return a path with names in it."""
    return re.sub(r"{([\w:]+)}", lambda found: NAMES[found[1]], template)


def least_role(client: testing.TestClient, verb: str, template: str) -> str:
    """Return who is let in, the least trusted that is."""
    for who, headers in CALLERS.items():
        reply = client.simulate_request(
            verb, path_of(template), headers=headers, query_string="follow=0&timeout=0"
        )
        if reply.status_code not in {401, 403}:
            return who
    raise AssertionError(f"nobody may {verb} {template}")


def test_every_route_asks_for_the_role_that_it_should(branch: FakeBranch) -> None:
    found = {
        f"{verb} {template}": least_role(branch.closed, verb, template)
        for verb, template in served(branch.closed_app)
    }
    meant = {each: role_meant(*each.split(" ", 1)) for each in found}
    assert found == meant
    assert found.keys() >= PUBLIC
    assert len(found) > 100, "what is served was found"


def test_a_viewer_writes_by_no_verb(branch: FakeBranch) -> None:
    branch.client.simulate_put("/foo/instances/i1/")
    before = list(branch.replica.records())
    templates = {template for _, template in served(branch.closed_app)}
    verbs = ("PUT", "POST", "DELETE", "PATCH", "OPTIONS", "TRACE")
    for template, verb in itertools.product(sorted(templates), verbs):
        path = path_of(template)
        reply = branch.closed.simulate_request(verb, path, headers=VIEWER)
        public = f"{verb} {template}" in PUBLIC
        harmless = verb == "OPTIONS" and reply.status_code == 200 and not reply.content
        assert reply.status_code >= 400 or public or harmless, (verb, path)
    assert list(branch.replica.records()) == before
    assert branch.tasks.sent == []


def test_no_route_shows_a_viewer_a_secret(branch: FakeBranch) -> None:
    secret = "hush"
    parameters = {
        "broker": f"redis://me:{secret}@host:6379/1",
        "result_backend": f"redis://:{secret}@host:6379/2",
        "env": {"KEY": secret},
        "extra_config": f'\'cache_backend_options={{"a": "redis://u:{secret}@h"}}\'',
    }
    for path in ("/foo/", "/foo/instances/i1/"):
        made = branch.closed.simulate_put(path, json=parameters, headers=ADMIN)
        assert made.status_code == 201, made.text
        assert secret in made.text, "who may write sees it"
    for queue in (NAMES["queue"], NAMES["name"]):
        branch.closed.simulate_put(f"/foo/queues/{queue}/", headers=ADMIN)
    branch.supervisor.runs("i1", 71)
    shown = []
    for verb, template in served(branch.closed_app):
        if verb == "GET" and not template.startswith(QUEUES_URLS):
            reply = read(branch.closed, template)
            assert secret not in reply.text, template
            shown += [template] if reply.status_code == 200 else []
    assert {"/", "/{app}", "/instances", "/{app}/instances/{name}", "/queues", "/events"} < {*shown}
    assert {"/metrics", "/cluster/vitals", "/openapi.json", "/branches/{branch}"} < {*shown}


def read(client: testing.TestClient, template: str) -> testing.Result:
    """Return what a viewer reads there, as much of it as there is, without waiting."""
    for query in ("details=1", "follow=0", "timeout=0"):
        reply = client.simulate_get(path_of(template), headers=VIEWER, query_string=query)
        if reply.status_code != 400:
            return reply
    return client.simulate_get(path_of(template), headers=VIEWER)
