from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cyme.programs.banner import Facts, banner, summary

FACTS = Facts(
    branch_id="branch1",
    pid=4711,
    url="http://127.0.0.1:8001",
    cluster="default, no other branch yet (at tcp://127.0.0.1:7700)",
    directory=Path("/d"),
    database="/d/cyme.sqlite",
    broker="redis://:********@127.0.0.1:1/0",
    broker_kind="embedded, started now",
    log="standard error",
    settings_file=None,
    admin_token=Path("/d/admin.token"),
    needs_token=False,
    tells_certificate=False,
    instances=0,
    warnings=["the embedded broker is not for production and more of that " * 3],
)


def test_it_says_what_runs_where_and_how_to_go_on() -> None:
    text = banner(FACTS, 80)
    for word in (
        "'branch1'",
        "4711",
        FACTS.url,
        f"{FACTS.url}/admin/",
        "/d/cyme.sqlite",
        FACTS.broker,
        "/d/admin.token",
        FACTS.cluster,
    ):
        assert str(word) in text
    assert "  cyme create instance -a foo --wait " in text
    assert "curl -X PUT http://127.0.0.1:8001/foo/instances/ " in text
    assert "its workers run on" in text
    assert "no instances yet" in text


def test_it_fits_the_terminal() -> None:
    lines = banner(FACTS, 80).splitlines()
    assert max(map(len, lines)) <= 80
    assert max(map(len, banner(FACTS, 1).splitlines())) <= 80


def test_the_commands_carry_what_a_protected_branch_asks_for() -> None:
    text = banner(replace(FACTS, needs_token=True, tells_certificate=True), 80)
    assert 'curl --cacert CA.pem -H "Authorization: Bearer $(cat /d/admin.token)" -X PUT' in text


def test_a_branch_without_http_names_no_commands() -> None:
    text = banner(replace(FACTS, url=None, admin_token=None, instances=3), 80)
    assert "curl" not in text
    assert "/admin/" not in text
    assert "none (--without-http)" in text
    assert "3 instances" in text
    assert "admin token" not in text


def test_it_says_when_the_workers_stop_too() -> None:
    assert "its workers stop with it" in banner(replace(FACTS, stops_workers=True), 80)


def test_the_summary_is_one_line() -> None:
    text = summary(replace(FACTS, settings_file=Path("/d/cyme.toml"), instances=1))
    assert "\n" not in text
    assert "HTTP http://127.0.0.1:8001" in text
    assert "1 instance," in text
    assert "settings /d/cyme.toml" in text
