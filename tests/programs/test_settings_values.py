from __future__ import annotations

import contextlib
from dataclasses import fields
from itertools import groupby
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.settings import TABLE, Address, Section, Settings
from cyme.settings.kinds import (
    CLUSTER_PORT,
    count,
    parse_address,
    parse_alert_target,
    parse_database,
    parse_depth,
    parse_group,
    parse_host,
    parse_label,
    parse_level,
    parse_name,
    parse_path,
    parse_peer,
    parse_size,
    parse_switch,
    parse_takeover,
    parse_umask,
    parse_url,
    parse_user,
    parse_webhook_target,
    seconds,
)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        (":8001", Address("127.0.0.1", 8001)),
        ("8001", Address("127.0.0.1", 8001)),
        ("0.0.0.0:80", Address("0.0.0.0", 80)),
        ("[::1]:8000", Address("::1", 8000)),
        ("host.example:1", Address("host.example", 1)),
        (":0", Address("127.0.0.1", 0)),
    ],
)
def test_an_address_may_leave_out_its_host(text: str, address: Address) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "not an address"),
        ("host", "not an address"),
        ("host:", "not an address"),
        (":80a", "not an address"),
        (":-1", "not an address"),
        (":٣", "not an address"),
        (":65536", "highest is 65535"),
        ("::1:8000", "needs brackets"),
        ("[::g]:8000", "not an IPv6 address"),
        ("999.1.1.1:80", "not an IP address"),
        ("a b:80", "not a host name"),
        ("http://host:80", "needs brackets"),
    ],
)
def test_what_is_no_address_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_address(text)


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_reads_what_it_writes(host: object, port: int) -> None:
    address = Address(str(host), port)
    assert parse_address(str(address)) == address


@given(st.text())
def test_no_text_makes_an_address_fail_in_another_way(text: str) -> None:
    with contextlib.suppress(ValueError):
        parse_address(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "99999", "1s", "", "1e9"])
def test_a_time_is_a_number_within_its_range(text: str) -> None:
    with pytest.raises(ValueError, match="number of seconds from 1 to 100"):
        seconds(1.0, 100.0).parse(text)


def test_a_time_may_be_a_fraction() -> None:
    assert seconds(0.0, 100.0).parse("2.5") == 2.5


@pytest.mark.parametrize("text", ["0", "2.5", "x", "101"])
def test_a_count_is_a_whole_number_within_its_range(text: str) -> None:
    with pytest.raises(ValueError, match="whole number from 1 to 100"):
        count(1, 100).parse(text)


@pytest.mark.parametrize(("text", "value"), [("1", True), ("Yes", True), ("off", False)])
def test_a_switch_is_told_in_words_or_digits(text: str, value: bool) -> None:
    assert parse_switch(text) is value


def test_a_switch_takes_nothing_else() -> None:
    with pytest.raises(ValueError, match="neither yes nor no"):
        parse_switch("maybe")


def test_a_level_is_known_in_either_case() -> None:
    assert parse_level("Debug") == "DEBUG"
    for text in ("loud", "\u0131nfo"):
        with pytest.raises(ValueError, match="debug, info, warning"):
            parse_level(text)


@pytest.mark.parametrize("text", ["localhost", "host:5672", "amqp:/x", "amqp://h:port/", "a b://h"])
def test_what_is_no_url_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as in amqp://"):
        parse_url(text)


@given(st.text(min_size=6, alphabet="abcdefgh"))
def test_a_bad_url_is_not_repeated(secret: str) -> None:
    with pytest.raises(ValueError, match="host or port") as caught:
        parse_url(f"amqp://user:{secret}@host:{secret}/")
    assert secret not in str(caught.value)


@pytest.mark.parametrize("text", ["cyme.sqlite", "oracle://host/x", "sqlite:"])
def test_a_database_is_of_a_kind_that_peewee_reaches(text: str) -> None:
    with pytest.raises(ValueError, match="not the URL of a database"):
        parse_database(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3", "10.1.2.3/32"),
        ("fd00::/8", "fd00::/8"),
        ("Private", "private"),
        ("Intern.Example", "intern.example"),
    ],
)
def test_a_webhook_target_is_a_network_a_host_or_a_word(text: str, target: str) -> None:
    assert parse_webhook_target(text) == target


@pytest.mark.parametrize("text", ["10.0.0.1/8", "http://host", "host:80", "a b"])
def test_what_is_no_webhook_target_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_webhook_target(text)


@pytest.mark.parametrize("text", ["host:80", "https://host", "", "-a.example", "1.2.3.4.5"])
def test_an_allowed_host_has_neither_scheme_nor_port(text: str) -> None:
    with pytest.raises(ValueError, match="not a"):
        parse_host(text)


@pytest.mark.parametrize(("text", "mask"), [("027", 0o27), ("77", 0o77), ("0", 0)])
def test_a_mask_is_octal(text: str, mask: int) -> None:
    assert parse_umask(text) == mask


@pytest.mark.parametrize("text", ["8", "1777", "-1", "rwx"])
def test_what_is_no_mask_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="octal"):
        parse_umask(text)


def test_users_and_groups_are_found_by_name_and_number() -> None:
    assert parse_user("root") == 0
    assert parse_user("12345") == 12345
    assert parse_group("root") == 0
    assert parse_group("12345") == 12345


def test_a_user_or_group_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="no user 'nobody-here'"):
        parse_user("nobody-here")
    with pytest.raises(ValueError, match="no group 'nobody-here'"):
        parse_group("nobody-here")


def test_a_path_knows_the_home_directory() -> None:
    assert str(parse_path("~/x")) == str(Path.home() / "x")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [("", "empty"), (" ", "empty"), ("a\0b", "NUL"), ("~nobody-here/x", "no such home")],
)
def test_what_is_no_path_is_refused(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        parse_path(text)


def test_a_name_is_one_that_can_be_a_directory() -> None:
    assert parse_name("branch1") == "branch1"
    for text in ("", "..", "-x", "a/b", "x" * 129):
        with pytest.raises(ValueError, match="is not a name"):
            parse_name(text)


def test_every_setting_has_names_and_a_help_of_its_own() -> None:
    for names in (
        [row.key for row in TABLE],
        [row.env for row in TABLE],
        [row.flag for row in TABLE],
        [row.short for row in TABLE if row.short],
        [row.help for row in TABLE],
    ):
        assert len(set(names)) == len(names)
    assert all(row.help.endswith(".") for row in TABLE)


def test_the_sections_are_the_whole_table_and_no_setting_stands_in_two() -> None:
    assert [section for section, _ in groupby(TABLE, key=lambda row: row.section)] == list(Section)
    names = [row.field for row in TABLE]
    assert len(names) == len(set(names))
    assert set(names) == {field.name for field in fields(Settings)}


def test_settings_are_printed_without_what_may_hold_a_password() -> None:
    url = "amqp://me:hush@host"
    settings = Settings(database=url, broker=url, result_backend=url, alert_urls=(url,))
    assert "hush" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("other", "other", CLUSTER_PORT),
        ("other:7", "other", 7),
        ("192.0.2.1", "192.0.2.1", CLUSTER_PORT),
        ("[2001:db8::1]", "2001:db8::1", CLUSTER_PORT),
        ("[::1]:0", "::1", 0),
    ],
)
def test_a_branch_to_join_is_a_host_with_or_without_a_port(text: str, host: str, port: int) -> None:
    assert parse_peer(text) == Address(host, port)


@pytest.mark.parametrize("text", ["", "a b", "host:x", "::1", "http://host", "-x"])
def test_what_is_no_branch_to_join_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="write it as"):
        parse_peer(text)


@pytest.mark.parametrize("text", ["zone", "=a", "zone=", "zo ne=a", "zone=a=b", "-z=a"])
def test_a_label_is_a_key_and_a_value(text: str) -> None:
    assert parse_label("zone=a-1") == ("zone", "a-1")
    with pytest.raises(ValueError, match="zone=a"):
        parse_label(text)


def test_take_over_is_a_time_or_off() -> None:
    assert parse_takeover("30") == 30.0
    assert parse_takeover("0") == 0.0
    assert parse_takeover("off") is None
    for wrong in ("soon", "-1", "nan", "100000"):
        with pytest.raises(ValueError, match="off"):
            parse_takeover(wrong)


@pytest.mark.parametrize(
    ("text", "size"),
    [("0", 0), ("1000", 1000), ("512K", 524_288), ("10m", 10_485_760), ("1GiB", 2**30)],
)  # fmt: skip
def test_a_size_may_have_a_unit(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "-1", "1.5M", "10T", "many", "1 0"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@pytest.mark.parametrize("text", ["https://host/path?x=1,2", "http://u:p@127.0.0.1:9/"])
def test_alerts_go_to_a_url(text: str) -> None:
    assert parse_alert_target(f" {text} ") == text


@pytest.mark.parametrize(
    "text",
    ["host", "ftp://host/", "http://", "http://a:b/", "http://[", "http://a b/", "http://a/\x00"],
)
def test_what_is_no_url_is_no_place_for_alerts_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="write it as") as caught:
        parse_alert_target(text)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "depth"), [("0", (None, 0)), ("tasks=5", ("tasks", 5)), ("a=b=10000", ("a=b", 10_000))]
)
def test_a_depth_is_for_all_queues_or_those_of_a_name(
    text: str, depth: tuple[str | None, int]
) -> None:
    assert parse_depth(text) == depth


@pytest.mark.parametrize("text", ["", "-1", "many", "tasks=", "=5", "1" * 20])
def test_what_is_no_depth_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a number of messages"):
        parse_depth(text)
