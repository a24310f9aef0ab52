from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyme.core.access import Role
from cyme.core.worker_options import (
    ARGUMENTS_CHARS_MAX,
    OPTIONS,
    Arguments,
    Kind,
    Option,
    read_arguments,
)
from cyme.errors import InvalidRequest


def _refusal(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        read_arguments(text)
    (fault,) = caught.value.faults
    assert fault.parameter == "arguments"
    return fault.detail


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("", ()),
        ("-l INFO", (("--loglevel", "INFO"),)),
        ("-linfo", (("--loglevel", "info"),)),
        ("--loglevel=DEBUG", (("--loglevel", "DEBUG"),)),
        ("--time-limit 1.5 -B", (("--time-limit", "1.5"), ("-B", None))),
        ("-BE", (("-B", None), ("-E", None))),
        ("-EOfair", (("-E", None), ("-O", "fair"))),
        ("--events --task-events", (("-E", None),)),
        ("--time-limit=1 --time-limit=2", (("--time-limit", "2"),)),
        ("--prefetch-multiplier=0", (("--prefetch-multiplier", "0"),)),
    ],
)
def test_reads_options_as_celery_does(
    text: str, options: tuple[tuple[str, str | None], ...]
) -> None:
    assert read_arguments(text) == Arguments(options)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("--concurrency=3", "use the parameter max_concurrency instead"),
        ("-c3", "max_concurrency"),
        ("-P solo", "use the parameter pool instead"),
        ("--pool=os:system", "use the parameter pool instead"),
        ("--broker=amqp://me:hush@h//", "use the parameter broker instead"),
        ("-A proj", "celery_app"),
        ("--executable=/bin/sh", "python"),
        ("-Q a,b", "queues"),
        ("-n w1@h", "Cyme sets it"),
        ("-D", "watches the worker itself"),
        ("--logfle=/tmp/x", "is not an option of celery worker"),
        ("--time-limt=3", "did you mean --time-limit?"),
        ("--time-limit=soon", "a number"),
        ("--time-limit", "not 'nothing'"),
        ("--time-limit=", "not 'nothing'"),
        ("--max-tasks-per-child=1.5", "a whole number"),
        ("--max-tasks-per-child=12345678901", "a whole number"),
        ("--max-tasks-per-child -B", "not '-B'"),
        ("--include -B", "not '-B'"),
        ("-O best", "one of default, fair"),
        ("--loglevel=\u0131nfo", "one of DEBUG, INFO"),
        ("--beat=yes", "takes no value"),
        ("--time-limit=1.x", "a number"),
        ("worker", "is not an option of celery worker"),
        ("-", "is not an option"),
        ("-- a=b", "extra_config"),
        ("task_acks_late=1", "extra_config"),
        ("'", "check its quotes"),
        ("-l\nINFO", "line break"),
        ("-B " * ARGUMENTS_CHARS_MAX, "at most"),
        ("-z", "-z is not an option"),
    ],
)
def test_refuses_what_it_does_not_know_and_says_what_to_do(text: str, told: str) -> None:
    assert told in _refusal(text)


def test_no_secret_of_a_refused_option_is_repeated() -> None:
    assert "hush" not in _refusal("--broker=amqp://me:hush@h//")


def test_tells_which_options_only_an_administrator_may_give() -> None:
    arguments = read_arguments("--purge -s /tmp/x -B --include a,b --purge")
    assert arguments.admin_only == ("--purge", "-s", "--include")


def test_every_option_is_spelled_once() -> None:
    names = [name for option in OPTIONS for name in option.names]
    assert len(names) == len(set(names))
    assert all(option.instead for option in OPTIONS if option.role is None)
    assert all(option.choices for option in OPTIONS if option.kind is Kind.CHOICE)


def _value(option: Option) -> st.SearchStrategy[str | None]:
    match option.kind:
        case Kind.FLAG:
            return st.none()
        case Kind.CHOICE:
            return st.sampled_from(option.choices)
        case Kind.INTEGER:
            return st.integers(0, 10**8).map(str)
        case Kind.NUMBER:
            return st.tuples(st.integers(0, 999), st.integers(0, 999)).map(
                lambda pair: f"{pair[0]}.{pair[1]}"
            )
        case _:
            printable = st.characters(codec="utf-8", exclude_categories=["C", "Z"])
            return st.text(printable, min_size=1, max_size=20).filter(
                lambda text: not text.startswith("-")
            )


_given = st.lists(
    st.sampled_from([option for option in OPTIONS if option.role is not None]).flatmap(
        lambda option: st.tuples(st.sampled_from(option.names), _value(option))
    ),
    max_size=5,
)


@given(_given)
def test_accepted_options_survive_quoting(options: list[tuple[str, str | None]]) -> None:
    words = []
    for name, value in options:
        words += [name] if value is None else [name, value]
    read = read_arguments(shlex.join(words)).options
    again = []
    for name, value in read:
        again += [name] if value is None else [name, value]
    assert read_arguments(shlex.join(again)).options == read


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["-l", "--x=y", "-B", "'", '"', "\\", "=", "a"]))
)
def test_refuses_or_accepts_anything(text: str | list[str]) -> None:
    try:
        arguments = read_arguments(text if isinstance(text, str) else " ".join(text))
    except InvalidRequest:
        return
    roles = {name: option.role for option in OPTIONS for name in option.names}
    assert all(roles[name] in (Role.OPERATOR, Role.ADMIN) for name, _ in arguments.options)
