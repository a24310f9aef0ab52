from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.errors import SettingsError
from cyme.settings import SWITCH, TABLE, Loaded, Setting, describe, load

#: For each setting two values, as text and as a settings file has them.
SAMPLES: Mapping[str, tuple[str, str]] = {
    "address": (":8001", "host:1"),
    "id": ("one", "two"),
    "db": ("postgresql://u@h/one", "mysql://u@h/two"),
    "cluster": ("one", "two"),
    "join": ("one", "two:1"),
    "bind": ("0.0.0.0", "[::]:1"),
    "advertise": ("one.example", "two.example"),
    "takeover": ("11", "off"),
    "alert-url": ("https://a.example/x", "http://b.example"),
    "label": ("zone=a", "zone=b"),
    "broker": ("amqp://one//", "redis://two/0"),
    "result-backend": ("redis://one/1", "redis://two/1"),
    "allowed-host": ("one.example", "two.example"),
    "webhook-allow": ("private", "10.0.0.0/8"),
    "loglevel": ("debug", "error"),
    "uid": ("1", "2"),
    "gid": ("1", "2"),
    "umask": ("022", "077"),
}
NUMBERS = ("11", "12")
PATHS = ("/one", "/two")

Write = Callable[[str], Path]


def samples(row: Setting) -> tuple[str, str]:
    if row.key in SAMPLES:
        return SAMPLES[row.key]
    return PATHS if row.kind.metavar == "PATH" else NUMBERS


def in_toml(row: Setting, text: str) -> str:
    if row.kind is SWITCH:
        return f"{row.key} = {text}"
    if row.kind.is_list:
        return f'{row.key} = ["{text}"]'
    return f"{row.key} = {text}" if int in row.kind.file_types[:1] else f'{row.key} = "{text}"'


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(text: str) -> Path:
        path = tmp_path / "settings.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write_file


def load_from(
    flags: Mapping[str, str | bool | tuple[str, ...] | None] | None = None,
    environ: Mapping[str, str] | None = None,
    file: Path | None = None,
    here: Path = Path("/nowhere"),
) -> Loaded:
    return load(flags or {}, environ or {}, file=file, here=here)


def test_everything_has_a_default() -> None:
    loaded = load_from()
    assert str(loaded.settings.address) == "127.0.0.1:8000"
    assert loaded.settings.instance_dir == Path("instances")
    assert loaded.settings.sup_interval_s == 10.0
    assert loaded.sources == {}
    assert loaded.file is None
    assert loaded.warnings == ()


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.key)
def test_a_flag_wins_over_a_variable_and_that_over_the_file(row: Setting, write: Write) -> None:
    if row.kind is SWITCH:
        written, variable = write(in_toml(row, "true")), {row.env: "0"}
        assert getattr(load_from(None, None, written).settings, row.field) is True
        assert getattr(load_from(None, variable, written).settings, row.field) is False
        assert getattr(load_from({row.key: True}, variable, written).settings, row.field) is True
        return
    one, two = samples(row)
    three = row.kind.parse(one)
    file = write(in_toml(row, two))

    def value(loaded: Loaded) -> object:
        found = getattr(loaded.settings, row.field)
        return found[0] if row.kind.is_list else found

    flag = (one,) if row.kind.is_list else one
    from_file = load_from(file=file)
    assert value(from_file) == row.kind.parse(two)
    assert from_file.sources == {row.key: f"{row.key} in {file}"}
    from_variable = load_from(None, {row.env: one}, file)
    assert value(from_variable) == three
    assert from_variable.sources == {row.key: row.env}
    from_flag = load_from({row.key: flag}, {row.env: two}, file)
    assert value(from_flag) == three
    assert from_flag.sources == {row.key: row.flag}


@given(st.data())
def test_each_setting_comes_from_the_first_source_that_has_it(data: st.DataObject) -> None:
    rows = [row for row in TABLE if row.kind.metavar == "SECONDS"]
    given_by = {
        source: data.draw(
            st.dictionaries(st.sampled_from([row.key for row in rows]), st.integers(1, 1000))
        )
        for source in ("flag", "env")
    }
    loaded = load_from(
        {key: str(number) for key, number in given_by["flag"].items()},
        {row.env: str(given_by["env"][row.key]) for row in rows if row.key in given_by["env"]},
    )
    for row in rows:
        wanted = given_by["flag"].get(row.key, given_by["env"].get(row.key, row.default))
        assert getattr(loaded.settings, row.field) == wanted


def test_an_empty_variable_is_as_none() -> None:
    assert load_from(None, {"CYME_SUP_INTERVAL": ""}).settings.sup_interval_s == 10.0


def test_a_list_may_be_repeated_and_separated_by_commas() -> None:
    flags = load_from({"webhook-allow": ("10.0.0.0/8,private", "a.example")})
    assert flags.settings.webhook_allow == ("10.0.0.0/8", "private", "a.example")
    variable = load_from(None, {"CYME_WEBHOOK_ALLOW": "10.0.0.0/8, private,"})
    assert variable.settings.webhook_allow == ("10.0.0.0/8", "private")


def test_a_key_may_be_written_with_underscores(write: Write) -> None:
    assert load_from(file=write("sup_interval = 3")).settings.sup_interval_s == 3.0


def test_the_file_in_the_current_directory_is_read(tmp_path: Path) -> None:
    (tmp_path / "cyme.toml").write_text("sup-interval = 3")
    loaded = load_from(here=tmp_path)
    assert loaded.settings.sup_interval_s == 3.0
    assert loaded.file == tmp_path / "cyme.toml"


def test_the_variable_names_a_file_too(write: Write) -> None:
    path = write("sup-interval = 3")
    assert load_from(None, {"CYME_CONFIG": str(path)}).settings.sup_interval_s == 3.0


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_read_only_when_it_is_named(tmp_path: Path) -> None:
    path = tmp_path / "cyme.toml"
    path.write_text("sup-interval = 3")
    os.chown(path, 12345, 12345)
    with pytest.raises(SettingsError, match="belongs to another user"):
        load_from(here=tmp_path)
    assert load_from(file=path).settings.sup_interval_s == 3.0


@pytest.mark.parametrize(
    ("text", "complaints"),
    [
        ("sup-interval 3", ["is not TOML", "line 1"]),
        ("sup-intervall = 3", ["no setting 'sup-intervall'", "Did you mean 'sup-interval'?"]),
        ("[branch]\nid = 'x'", ["no setting 'branch'"]),
        ("sup-interval = '3'", ["sup-interval in ", "it takes a number"]),
        ("sup-interval = true", ["sup-interval in ", "it takes a number"]),
        ("insecure = 1", ["insecure in ", "true or false"]),
        ("numc = 2.5", ["numc in ", "a whole number"]),
        ("webhook-allow = 'private'", ["webhook-allow in ", "a list of texts"]),
        ("webhook-allow = [1]", ["webhook-allow in ", "a list of texts"]),
        ("loglevel = 'loud'", ["loglevel in ", "not a log level"]),
        ("loglevel = 3", ["loglevel in ", "text in quotes"]),
        ("uid = 1.5", ["uid in ", "text in quotes", "or a whole number"]),
        ("broker = 'secret'", ["broker in ", "not a URL"]),
    ],
)
def test_a_complaint_of_the_file_names_it_and_the_key(
    write: Write, text: str, complaints: list[str]
) -> None:
    path = write(text)
    with pytest.raises(SettingsError) as caught:
        load_from(file=path)
    for complaint in [*complaints, str(path)]:
        assert complaint in str(caught.value)
    assert "secret" not in str(caught.value)


def test_a_file_that_cannot_be_read_is_a_complaint(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read: No such file"):
        load_from(file=tmp_path / "missing.toml")
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="not text in UTF-8"):
        load_from(file=binary)
    huge = tmp_path / "huge.toml"
    huge.write_bytes(b"#" * (1 << 21))
    with pytest.raises(SettingsError, match="too large"):
        load_from(file=huge)


def test_a_complaint_names_the_flag_or_the_variable() -> None:
    with pytest.raises(SettingsError, match=r"^--sup-interval: 'soon' is not a number"):
        load_from({"sup-interval": "soon"})
    with pytest.raises(SettingsError, match=r"^CYME_SUP_INTERVAL: 'soon' is not a number"):
        load_from(None, {"CYME_SUP_INTERVAL": "soon"})
    with pytest.raises(SettingsError, match=r"^\[ADDR\]:PORT: 'x' is not an address"):
        load_from({"address": "x"})


def test_a_password_on_the_command_line_is_warned_of() -> None:
    loaded = load_from({"broker": "amqp://user:hushhush@host//"})
    (warning,) = loaded.warnings
    assert "CYME_BROKER" in warning
    assert "hushhush" not in warning
    assert load_from({"broker": "amqp://user@host//"}).warnings == ()
    assert load_from(None, {"CYME_BROKER": "amqp://user:hushhush@host//"}).warnings == ()


def test_a_password_in_a_file_that_others_can_read_is_warned_of(write: Write) -> None:
    path = write('broker = "amqp://user:hushhush@host//"')
    assert load_from(file=path).warnings == ()
    path.chmod(0o644)
    (warning,) = load_from(file=path).warnings
    assert f"chmod 600 {path}" in warning


def test_a_slip_in_the_name_of_a_variable_is_warned_of() -> None:
    (warning,) = load_from(None, {"CYME_BROKR": "x", "CYME_SOMETHING_ELSE": "y"}).warnings
    assert "Did you mean CYME_BROKER?" in warning


def test_no_secret_is_shown() -> None:
    url = "amqp://user:hushhush@host//"
    loaded = load_from({"broker": url, "result-backend": url, "db": "mysql://u:hushhush@h/x"})
    assert "hushhush" not in repr(loaded)
    shown = describe(loaded)
    assert shown["broker"] == "amqp://user:********@host//"
    assert "hushhush" not in str(shown)


def test_the_urls_of_alerts_are_not_told(tmp_path: Path) -> None:
    url = "https://hooks.example/services/hush"
    loaded = load({"alert-url": (url, url)}, {}, file=None, here=tmp_path)
    assert describe(loaded) == {"alert-url": "2 of them"}
    assert "hush" not in repr(loaded)
    with_password = load({"alert-url": ("http://me:hush@a/",)}, {}, file=None, here=tmp_path)
    assert any("CYME_ALERT_URL" in warning for warning in with_password.warnings)
