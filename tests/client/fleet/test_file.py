from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.client.fleet import Fleet, InvalidFleet, Prune, parse, plan, read
from cyme.client.fleet.exporting import written
from cyme.client.fleet.toml import value_text
from tests.client.fleet.fleets import few, fleets

FLEET = """
[apps.shop]
broker = { env = "BROKER" }
pool = "prefork"
max_concurrency = 4
is_enabled = true
env = { MODE = "prod", SECRET = "$SECRET", PATH = "${HOME}/bin:$$PATH", env = "x" }
labels = { zone = "a" }

[apps.shop.queues.orders]
routing_key = "orders.#"
options = { durable = true, "x.y" = [1, 2.5, { a = "$MODE" }] }

[apps.shop.queues.odd]
options = '{"a": null}'

[apps.shop.instances.w1]
queues = ["orders", "odd", "orders"]
branch = "b1"

[apps.shop.instances."w.2"]
queues = []
broker = { hostname = "h", password = { env = "SECRET" }, virtual_host = "v/1" }

[apps.empty]
"""
ENVIRON = {"BROKER": "redis://h/1", "SECRET": "p@ss", "HOME": "/root", "MODE": "m"}


WRONG = """\
[apps.x] pol: is not known here; did you mean pool?
[apps.x] pool: must be a text in quotes, or { env = "NAME" }
[apps.x] max_concurrency: must be a whole number
[apps.x] is_enabled: must be true or false
[apps.x] env.A: must be a text in quotes, or { env = "NAME" }
[apps.x] broker: refers to the variable USER, which is not set (write $$ for a plain $)
[apps.x] broker: refers to the variable PASS, which is not set (write $$ for a plain $)
[apps.x] labels: must be a table of texts, as { NAME = "value" }
[apps.x] workdir: must refer to a variable by its name
[apps.x.queues] q: must be a table
[apps.x.queues.r] options: must be a table, or a JSON object in quotes
[apps.x.queues.r] queues: is not known here; \
there are exchange, exchange_type, options, routing_key
[apps.x.queues.s] options.when: must be something that JSON can hold
[apps.x.queues.s] options.inf: must be something that JSON can hold
[apps.x.instances.w] queues: must be a list of names, as ["one", "two"]
[apps.x.instances.w] broker.host: is not known; did you mean hostname?
[apps.x.instances.w] broker.hostname: is missing; or give the broker as a URL
[apps.x.instances.p] pinned: must not be false beside branch, which keeps it there
[apps.y.instances] -v: is no name: it must have 1 to 128 letters, digits, '.', '_' and '-', \
and begin with a letter, a digit or '_'
[apps.y.instances] w: is the name of an instance of 'x' too; \
names of instances are unique in a cluster
""".splitlines()


def faults(text: str) -> list[str]:
    with pytest.raises(InvalidFleet) as caught:
        parse(text, environ={})
    assert [str(each) for each in caught.value.faults] == str(caught.value).split("\n")
    return [str(each).removeprefix("fleet.toml: ") for each in caught.value.faults]


def test_reads_apps_queues_and_instances_with_their_variables(tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    fleet = read(path, ENVIRON)
    assert list(fleet.apps) == ["shop", "empty"]
    shop = fleet.apps["shop"]
    assert shop.parameters == {
        "broker": "redis://h/1",
        "pool": "prefork",
        "max_concurrency": 4,
        "is_enabled": True,
        "env": {"MODE": "prod", "SECRET": "p@ss", "PATH": "/root/bin:$PATH", "env": "x"},
        "labels": {"zone": "a"},
    }
    assert shop.queues == {
        "orders": {
            "routing_key": "orders.#",
            "options": {"durable": True, "x.y": [1, 2.5, {"a": "m"}]},
        },
        "odd": {"options": {"a": None}},
    }
    assert shop.instances == {
        "w1": {"queues": ["odd", "orders"], "branch": "b1"},
        "w.2": {"broker": "amqp://guest:p%40ss@h:5672/v%2F1"},
    }
    assert "p@ss" not in repr(fleet)


def test_names_file_table_and_key_of_everything_that_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(InvalidFleet) as caught:
        read(tmp_path / "missing.toml", {})
    assert "missing.toml: it cannot be read: no such file" in str(caught.value)
    (tmp_path / "latin.toml").write_bytes(b"a = '\xff'")
    with pytest.raises(InvalidFleet, match="UTF-8"):
        read(tmp_path / "latin.toml", {})
    assert "it is no TOML: " in faults("[apps.x")[0]
    assert "line 2" in faults("[apps.x]\na ==")[0]
    assert faults("appz = 1\napps = 2") == [
        "appz: is not known here; did you mean apps?",
        "apps: must be a table of tables",
    ]
    assert (
        faults(
            """
        [apps.x]
        pol = "solo"
        pool = 3
        max_concurrency = true
        is_enabled = "yes"
        env = { A = 1 }
        broker = "amqp://$USER:$PASS@h"
        labels = "zone=a"
        workdir = { env = "a b" }
        [apps.x.queues]
        q = 1
        [apps.x.queues.r]
        options = "[1]"
        queues = ["a"]
        [apps.x.queues.s.options]
        when = 2026-01-01
        inf = inf
        [apps.x.instances.w]
        queues = "a"
        broker = { host = "h" }
        [apps.x.instances.p]
        branch = "b1"
        pinned = false
        [apps.y.instances.w]
        [apps.y.instances."-v"]
        """
        )
        == WRONG
    )


def test_a_suggestion_of_parameters_names_sections_too() -> None:
    assert faults("[apps.x.instance.w]") == [
        "[apps.x] instance: is not known here; did you mean instances?"
    ]


@few
@given(fleets())
def test_what_is_exported_reads_back_as_it_was_and_holds_no_secret(fleet: Fleet) -> None:
    exported = written(fleet)
    variables = {name: value for name, value in exported.variables.items() if value is not None}
    assert variables.keys() == exported.variables.keys()
    again = parse(exported.text, environ=variables)
    assert not plan(fleet, again, Prune.ALL)
    assert not plan(again, fleet, Prune.ALL)
    for secret in ("s3cret", "p%40ss", "api_key=abc"):
        assert secret not in exported.text
        assert secret not in repr(exported)


def test_a_secret_that_the_branch_does_not_tell_is_named() -> None:
    masked = "redis://:********@h/1"
    fleet = parse(f'[apps.a]\nresult_backend = "{masked}"\nenv = {{ X = "********" }}', environ={})
    exported = written(fleet)
    assert exported.variables == {"A_RESULT_BACKEND_PASSWORD": None, "A_X": None}
    assert 'result_backend = "redis://:${A_RESULT_BACKEND_PASSWORD}@h/1"' in exported.text


@pytest.mark.parametrize(
    "url",
    [
        "redis://h/1?password=********",
        "azureblockblob://AccountName=me;AccountKey=********;EndpointSuffix=net",
    ],
)
def test_a_url_is_a_secret_whose_secret_is_no_password(url: str) -> None:
    def fleet(url: str) -> Fleet:
        return parse(f'[apps.a]\nresult_backend = "{url}"\n', environ={})

    exported = written(fleet(url))
    assert exported.variables == {"A_RESULT_BACKEND_URL": None}
    assert "*" not in exported.text
    known = url.replace("********", "hu/sh==")
    assert written(fleet(known)).variables == {"A_RESULT_BACKEND_URL": known}
    assert not plan(fleet(url), fleet(known)), "what is not told is not compared"


def test_secrets_that_would_share_a_variable_get_two() -> None:
    apps = "".join(
        f'[apps."{name}"]\nbroker = "redis://:{name[1]}x@h/1"\n' for name in ("a.b", "a-b", "a_b")
    )
    exported = written(parse(apps, environ={}))
    assert exported.variables == {
        "A_B_BROKER_PASSWORD": "-x",
        "A_B_BROKER_PASSWORD_2": ".x",
        "A_B_BROKER_PASSWORD_3": "_x",
    }


@few
@given(st.text())
def test_texts_are_written_so_that_they_read_back(text: str) -> None:
    if any(0xD800 <= ord(each) <= 0xDFFF for each in text):
        return
    assert tomllib.loads(f"a = {value_text(text)}")["a"] == text


def test_there_is_no_null_in_toml() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        value_text(None)
