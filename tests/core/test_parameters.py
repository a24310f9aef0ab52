from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.access import Role
from cyme.core.launch import effective_spec
from cyme.core.model import Broker
from cyme.core.parameters import (
    BROKER_SCHEMES,
    SPEC_PARAMETERS,
    check_changes,
    check_spec,
    role_needed,
)
from cyme.errors import InvalidRequest
from tests.core import records


def _refusal(name: str, value: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        check_changes({name: value})
    (fault,) = caught.value.faults
    assert fault.parameter == name
    assert caught.value.detail == f"{name}: {fault.detail}"
    return fault.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("broker", Broker("amqp://u:p@h:5672//")),
        ("broker", Broker("redis+socket:///tmp/r.sock")),
        ("broker", Broker("SQS://key:secret@")),
        ("result_backend", "redis://h/1"),
        ("result_backend", "db+postgresql://h/x"),
        ("pool", "gevent"),
        ("min_concurrency", 1),
        ("max_concurrency", 500),
        ("arguments", "-l DEBUG"),
        ("extra_config", "task_acks_late=1"),
        ("is_enabled", False),
        ("celery_app", "proj"),
        ("celery_app", "proj.celery:make.app"),
        ("workdir", "/srv/proj dir"),
        ("python", "/opt/venv/bin/python3.12"),
        ("env", {"A_1": "x\ny", "_": ""}),
        ("env", (("A", "1"),)),
        ("labels", "zone=a,disk=ssd"),
        ("labels", {"zone": "a"}),
        ("queues", ["a", "b"]),
        ("queues", ()),
    ],
)
def test_takes_what_is_right(name: str, value: object) -> None:
    check_changes({name: value})
    check_changes({name: None})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("broker", "amqp://h", "must be a broker"),
        ("broker", Broker("memory://"), "nobody outside"),
        ("broker", Broker("ampq://h"), "did you mean amqp?"),
        ("broker", Broker("os:system://h"), "not a kind of broker"),
        ("broker", Broker("h:5672"), "must be a URL"),
        ("broker", Broker("amqp://h:0"), "must be a URL"),
        ("broker", Broker("amqp://h:99999"), "is not a URL"),
        ("broker", Broker("amqp://[h"), "is not a URL"),
        ("broker", Broker("amqp://a;amqp://b"), "name one"),
        ("broker", Broker("amqp://a b"), "%20"),
        ("broker", Broker("amqp://" + "h" * 3000), "at most"),
        ("broker", Broker(cast(str, 7)), "must be a text"),
        ("result_backend", "os.path+x://h", "not a result backend"),
        ("result_backend", "rediss", "must be a URL"),
        ("result_backend", 7, "must be a text"),
        ("result_backend", "redis://\n", "control character"),
        ("pool", "processes", "must be one of prefork"),
        ("pool", 3, "must be one of"),
        ("min_concurrency", 0, "must be 1 to"),
        ("max_concurrency", 100_001, "must be 1 to"),
        ("max_concurrency", True, "whole number"),
        ("max_concurrency", "4", "whole number"),
        ("arguments", "--pool=solo", "parameter pool"),
        ("arguments", [], "must be a text"),
        ("extra_config", "worker_pool=solo", "parameter pool"),
        ("extra_config", 3, "must be a text"),
        ("is_enabled", 1, "true or false"),
        ("celery_app", "proj.celery:app()", "module:attribute"),
        ("celery_app", "proj; rm", "module:attribute"),
        ("celery_app", "a" * 300, "at most"),
        ("workdir", "proj", "absolute"),
        ("workdir", "/a/../b", "go up"),
        ("python", "~/bin/python", "absolute"),
        ("python", "/bin/\0sh", "control character"),
        ("env", "A=1", "a list or a map"),
        ("env", {"A": 1}, "from names to texts"),
        ("env", ["AB"], "from names to texts"),
        ("env", {"A=B": "x"}, "not a name for a variable"),
        ("env", {"A": "\0"}, "no variable can hold"),
        ("env", {"A": "\ud800"}, "no variable can hold"),
        ("env", {"CELERY_BROKER_URL": "x"}, "use the parameter broker"),
        ("env", {"CYME_WORKER": "x"}, "kept for Cyme"),
        ("env", {f"A{n}": "" for n in range(300)}, "at most 256"),
        ("env", {"A": "x" * 40_000}, "longer than"),
        ("labels", "zone", "such as zone=a"),
        ("labels", {"zone": "b c"}, "not a word for a label"),
        ("queues", "a", "must be a list"),
        ("queues", ["dq.x"], "direct queues"),
        ("queues", [3], "list of names"),
        ("queues", ["q"] * 300, "at most 256"),
        ("max_concurency", 3, "did you mean max_concurrency?"),
    ],
)
def test_refuses_what_is_wrong_and_says_what_would_be_right(
    name: str, value: object, told: str
) -> None:
    assert told in _refusal(name, value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("result_backend", "redis://:hush/1@h:6379/0"),
        ("broker", Broker("amqp://me:hush#1@h//")),
        ("result_backend", "redis://:hush @h"),
        ("result_backend", "redis://:hush@[h"),
    ],
)
def test_a_url_that_is_none_is_not_repeated(name: str, value: object) -> None:
    assert "hush" not in _refusal(name, value)


def test_tells_all_faults_at_once() -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_changes({"pool": "x", "is_enabled": 3, "queues": [], "odd": 1})
    assert [fault.parameter for fault in caught.value.faults] == ["pool", "is_enabled", "odd"]


# --- together ------------------------------------------------------------------------------------


def _together(**spec: Any) -> None:
    app, mine = records.app(), records.instance(**spec)
    check_spec(mine.spec.over(app.spec), effective_spec(mine, app, None))


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"max_concurrency": 5},
        {"min_concurrency": 5},
        {"min_concurrency": 2, "max_concurrency": 5, "pool": "gevent"},
        {"max_concurrency": 5, "pool": "threads"},
        {"max_concurrency": 5, "min_concurrency": 5, "pool": "threads"},
        {"pool": "solo"},
        {"pool": "solo", "min_concurrency": 1, "max_concurrency": 1},
    ],
)
def test_takes_limits_that_go_together(spec: dict[str, Any]) -> None:
    _together(**spec)


@pytest.mark.parametrize(
    ("spec", "parameter", "told"),
    [
        ({"min_concurrency": 5, "max_concurrency": 2}, "min_concurrency", "is over"),
        ({"max_concurrency": 2, "pool": "solo"}, "max_concurrency", "pool solo takes"),
        ({"max_concurrency": 2000}, "max_concurrency", "pool prefork takes"),
        (
            {"min_concurrency": 2, "max_concurrency": 5, "pool": "threads"},
            "min_concurrency",
            "cannot change its concurrency while it runs",
        ),
    ],
)
def test_refuses_limits_that_contradict_each_other_or_the_pool(
    spec: dict[str, Any], parameter: str, told: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        _together(**spec)
    assert caught.value.faults[0].parameter == parameter
    assert told in caught.value.faults[0].detail


# --- who may -------------------------------------------------------------------------------------


def test_an_operator_chooses_everything_but_code() -> None:
    changes = {
        "pool": "solo",
        "arguments": "-B",
        "extra_config": "task_acks_late=1",
        "result_backend": "redis://h",
        "broker": Broker("amqp://u:p%40ss@h?heartbeat=10&ssl_cert_reqs=required"),
    }
    assert role_needed(changes) == (Role.OPERATOR, "")
    assert role_needed({"arguments": None, "result_backend": None})[0] is Role.OPERATOR
    for url in ("SQS://k%2F:secret@", "sentinel://h:26379/0", "rediss://[::1]/3"):
        assert role_needed({"broker": Broker(url)})[0] is Role.OPERATOR, url


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"celery_app": None}, "celery_app"),
        ({"workdir": "/tmp"}, "workdir"),
        ({"python": "python3"}, "python"),
        ({"env": {}}, "env"),
        ({"arguments": "--include a"}, "--include in arguments"),
        ({"extra_config": "worker_consumer=a:B"}, "worker_consumer in extra_config"),
        ({"result_backend": "db+sqlite:////tmp/x"}, "a result_backend of the kind db"),
        ({"result_backend": "redis+socket:///tmp/x"}, "a result_backend of the kind redis+socket"),
        ({"result_backend": "redis://h?credential_provider=a.b"}, "'credential_provider' in the"),
        ({"result_backend": "redis://h?x&connection_class=a.b"}, "'connection_class' in the URL"),
    ],
)
def test_only_an_administrator_chooses_code(changes: dict[str, object], told: str) -> None:
    role, deed = role_needed(changes)
    assert role is Role.ADMIN
    assert told in deed


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqla+sqlite:////tmp/x.pth", "a broker of the kind sqla+sqlite"),
        ("sqlalchemy+mysql://h/?local_infile=1", "a broker of the kind sqlalchemy+mysql"),
        ("filesystem://", "a broker of the kind filesystem"),
        ("pyro://h", "a broker of the kind pyro"),
        ("pgmq://h", "a broker of the kind pgmq"),
        ("redis+socket:///tmp/x", "a broker of the kind redis+socket"),
        ("redis://socket%3A%2F%2F%2Ftmp%2Fx%3Fcredential_provider%3Da.b", "percent-encoded"),
        ("redis://h?credential_provider=a.b", "'credential_provider' in the URL of broker"),
        ("rediss://h?ssl_ca_certs=/dev/zero", "'ssl_ca_certs' in the URL"),
        ("redis://h?%63redential_provider=a.b", "'credential_provider' in the URL"),
        ("amqp://h?transport=a.b", "'transport' in the URL"),
    ],
)
def test_only_an_administrator_names_files_and_classes_in_a_broker(url: str, told: str) -> None:
    changes = {"broker": Broker(url)}
    check_changes(changes)
    role, deed = role_needed(changes)
    assert role is Role.ADMIN
    assert told in deed


# --- whatever comes ------------------------------------------------------------------------------

_anything = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.binary(max_size=5)
    | st.lists(st.text(max_size=5) | st.integers() | st.tuples(st.text(), st.text()), max_size=3)
    | st.dictionaries(st.text(max_size=5), st.text(max_size=5) | st.integers(), max_size=3)
    | st.text(max_size=30).map(Broker)
    | st.builds(
        lambda scheme, rest: Broker(f"{scheme}://{rest}"),
        st.sampled_from(sorted(BROKER_SCHEMES)),
        st.text(max_size=10),
    )
)


@given(st.dictionaries(st.sampled_from([*SPEC_PARAMETERS, "queues", "odd"]), _anything))
def test_refuses_or_accepts_anything(changes: dict[str, object]) -> None:
    try:
        check_changes(changes)
    except InvalidRequest:
        return
    assert "odd" not in changes
    assert role_needed(changes)[0] in (Role.OPERATOR, Role.ADMIN)
