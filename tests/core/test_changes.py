from __future__ import annotations

from dataclasses import replace

import pytest

from cyme.core.changes import (
    app_tombstone,
    instance_tombstone,
    queue_tombstone,
    spec_with,
    what_changed,
    without_queue,
)
from cyme.core.model import QueueName, Stamp, WorkerSpec, merged
from tests.core import records

LATER = Stamp(9, 0, "b1")


def test_changes_are_applied_and_the_rest_stays() -> None:
    spec = spec_with(WorkerSpec(pool="solo", workdir="/a"), {"workdir": None, "max_concurrency": 3})
    assert spec == WorkerSpec(pool="solo", max_concurrency=3)


def test_what_is_no_field_of_a_spec_is_left_out() -> None:
    assert spec_with(WorkerSpec(), {"queues": ["a"]}) == WorkerSpec()


@pytest.mark.parametrize(
    "env", [{"B": "2", "A": "1"}, [("B", "2"), ("A", "1")], (("A", "1"), ("B", "2"))]
)
def test_equal_environments_are_kept_alike(env: object) -> None:
    assert spec_with(WorkerSpec(), {"env": env}).env == (("A", "1"), ("B", "2"))


@pytest.mark.parametrize("labels", ["b=2,a=1", {"b": "2", "a": "1"}, (("b", "2"), ("a", "1"))])
def test_equal_labels_are_kept_alike(labels: object) -> None:
    assert spec_with(WorkerSpec(), {"labels": labels}).labels == (("a", "1"), ("b", "2"))


def test_labels_are_reset_by_nothing_and_are_none_by_an_empty_map() -> None:
    spec = WorkerSpec(labels=(("a", "1"),))
    assert spec_with(spec, {"labels": None}).labels is None
    assert spec_with(spec, {"labels": ""}).labels is None
    assert spec_with(spec, {"labels": {}}).over(spec).labels == ()


def test_blank_arguments_are_none() -> None:
    spec = spec_with(WorkerSpec(arguments="-B"), {"arguments": " ", "extra_config": ""})
    assert spec == WorkerSpec()
    assert spec_with(spec, {"arguments": "-B"}).arguments == "-B"


def test_tells_which_fields_differ() -> None:
    changed = what_changed(WorkerSpec(pool="solo"), WorkerSpec(arguments="-B"))
    assert changed == ["arguments", "pool"]


def test_an_instance_leaves_a_queue() -> None:
    instance = replace(records.instance(), queues=(QueueName("a"), QueueName("b")))
    after = without_queue(instance, "a", LATER, 5.0)
    assert (after.queues, after.version, after.updated_at) == (("b",), 2, 5.0)
    assert merged(instance, after) is after


def test_what_is_deleted_is_newer_than_what_was_and_keeps_no_secret() -> None:
    app, queue, instance = records.app(), records.queue(), records.instance(env=(("K", "hush"),))
    for before, after in (
        (app, app_tombstone(app, LATER, 5.0)),
        (queue, queue_tombstone(queue, LATER, 5.0)),
        (instance, instance_tombstone(instance, LATER, 5.0)),
    ):
        assert after.deleted
        assert after.version == before.version + 1
        assert after.updated_at == 5.0
        assert merged(before, after) is after
        assert getattr(after, "spec", WorkerSpec()) == WorkerSpec()
