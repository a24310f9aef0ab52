"""Lists and descriptions, in every form of output."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
import yaml

from cyme.cli import environment, kinds
from cyme.cli.exits import Exit
from cyme.core.alerts import Alert, AlertKind
from cyme.core.branches import BranchState
from cyme.core.status import InstanceState, InstanceStatus
from cyme.core.task_events import TaskDeed, TaskEvent
from cyme.core.vitals import QueueVitals
from cyme.testing import WALL_S
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli


@pytest.fixture(autouse=True)
def fleet(branch: FakeBranch, url: str) -> None:
    def put(path: str) -> None:
        reply = branch.client.simulate_put(path)
        assert reply.status_code == 201, reply.text

    put("/shop/?max_concurrency=4")
    put("/blog/")
    put("/shop/queues/orders/?exchange_type=topic&routing_key=orders.%23")
    put("/shop/instances/w1/?queues=orders&labels=zone%3Da")
    put("/shop/instances/w2/?is_enabled=false")
    put("/blog/instances/w3/")
    branch.supervisor.runs("w1", 4711, 4712)


def items(text: str) -> Any:
    return json.loads(text)["items"]


def test_lists_instances_of_all_apps_and_of_one(cli: Cli) -> None:
    lines = cli("get", "instances").lines
    assert " ".join(lines[0].split()) == ("NAME APP STATE BRANCH QUEUES CONC RESTARTS AGE REASON")
    assert [line.split()[0] for line in lines[1:]] == ["w1", "w2", "w3"]
    assert lines[1].split()[1:6] == ["shop", "running", "branch1", "orders", "1-4"]
    assert lines[1].endswith("it answers")
    for of_one in (["-a", "blog", "get", "i"], ["get", "i", "-a", "blog"], ["get", "i", "w3"]):
        assert [line.split()[0] for line in cli(*of_one).lines[1:]] == ["w3"]


def test_a_wide_list_shows_more(cli: Cli, branch: FakeBranch) -> None:
    branch.watching.told = (QueueVitals(app="shop", name="orders", broker="amqp://h//", depth=7),)
    for words in (["get", "queues"], ["queues"]):
        titles, row = cli(*words, "-o", "wide").lines
        assert "DEPTH" in titles
        assert "7" in row.split()
    lines = cli("get", "instances", "-o", "wide").lines
    assert {"POOL", "PID", "LABELS", "BROKER"} <= set(lines[0].split())
    assert "zone=a" in lines[1]
    assert "4711" in lines[1]


def test_queues_come_with_their_trouble_in_a_wide_list_as_on_the_screen(
    cli: Cli, branch: FakeBranch
) -> None:
    branch.client.simulate_put("/shop/queues/other/")
    branch.watching.told = (
        QueueVitals(app="shop", name="orders", broker="amqp://h//", depth=7, consumers=0),
        QueueVitals(app="shop", name="other", broker="amqp://h//", error="it is not there"),
    )
    why = "7 messages wait, and no worker consumes from the queue"
    branch.alerts = (
        Alert(
            id="a1",
            kind=AlertKind.QUEUE_UNCONSUMED,
            subject="orders",
            app="shop",
            reason=why,
            since=1.0,
        ),
    )
    for words in (["get", "queues", "-o", "wide"], ["top", "--once"]):
        lines = cli(*words).lines
        (title,) = [line for line in lines if "DEPTH" in line]
        at = title.index("TROUBLE")
        told = {line.split()[0]: line[at:] for line in lines[lines.index(title) + 1 :] if line[at:]}
        assert (told["orders"], told["other"]) == (why, "it is not there")


def test_titles_can_be_left_out(cli: Cli) -> None:
    assert cli("get", "apps", "--no-headers").lines[0].startswith("blog")


@pytest.mark.parametrize("word", ["instance", "instances", "i", "inst", "Instances"])
def test_a_type_goes_by_several_names(word: str, cli: Cli) -> None:
    assert cli("get", word, "-o", "name").lines == ["instance/w1", "instance/w2", "instance/w3"]
    assert cli("get", f"{word}/w1", "-o", "name").lines == ["instance/w1"]


def test_json_and_yaml_hold_all_of_it(cli: Cli) -> None:
    listed = items(cli("get", "instances", "-o", "json").out)
    assert [each["name"] for each in listed] == ["w1", "w2", "w3"]
    assert yaml.safe_load(cli("get", "instances", "-o", "yaml").out)["items"][1]["name"] == "w2"
    one = json.loads(cli("get", "instance", "w1", "-o", "json").out)
    assert (one["name"], one["pids"]) == ("w1", [4711, 4712])
    assert items(cli("get", "instance", "w1", "w2", "-o", "json").out)[1]["name"] == "w2"


def test_jsonpath_takes_single_fields_out(cli: Cli) -> None:
    ran = cli("get", "instances", "-o", "jsonpath={.items[*].name}")
    assert ran.out == "w1 w2 w3\n"
    assert cli("get", "instance", "w1", "-o", "jsonpath={.state}").out == "running\n"
    assert "cannot be understood" in cli("get", "i", "-o", "jsonpath={.a", code=2).err
    assert "Say jsonpath=TEMPLATE." in cli("get", "i", "-o", "jsonpath", code=2).err


def test_what_a_terminal_would_obey_stays_in_its_line_and_reaches_none(
    branch: FakeBranch, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    branch.client.simulate_put("/shop/instances/w1/?branch=branch1")
    branch.service.telemetry.collecting.judge()
    broker = branch.service.app("shop").spec.broker
    assert broker is not None
    harm = "u\x1b[2J\ntask/other"
    branch.listeners.tell(broker, TaskEvent(TaskDeed.RECEIVED, harm, "w1@branch1", WALL_S))
    assert cli("get", "tasks", "-o", "name").lines == ["task/u\\x1b[2J\\ntask/other"]
    template = "jsonpath={.items[*].uuid}"
    assert cli("get", "tasks", "-o", template).out == f"{harm}\n"
    monkeypatch.setattr(environment, "is_terminal", lambda _: True)
    assert cli("get", "tasks", "-o", template).out == "u\\x1b[2J\ntask/other\n"


def test_chooses_by_label_state_branch_and_sorts(cli: Cli) -> None:
    def names(*words: str) -> list[str]:
        return [name[len("instance/") :] for name in cli("get", "i", "-o", "name", *words).lines]

    assert names("-l", "zone=a") == ["w1"]
    assert names("-l", "zone=b") == []
    assert names("--state", "running") == ["w1"]
    assert names("--branch", "branch1") == ["w1", "w2", "w3"]
    assert names("--branch", "branch2") == []
    assert names("--sort", "-name") == ["w3", "w2", "w1"]
    assert names("--sort", "is_enabled") == ["w2", "w1", "w3"]
    assert names("--queue", "orders") == ["w1"]
    assert cli("get", "consumers", "--queue", "mails").err == "There are no such consumers.\n"
    assert "has no value" in cli("get", "i", "-l", "zone", code=2).err
    assert "Did you mean 'name'?" in cli("get", "i", "--sort", "nmae", code=2).err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["queues", "-l", "zone=a"], "--selector is for apps, instances, consumers, branches"),
        (["apps", "--state", "running"], "--state is for instances"),
        (["apps", "--branch", "branch1"], "--branch is for instances"),
        (["branches", "--queue", "orders"], "--queue is for instances, consumers, tasks"),
        (["instances", "--search", "x"], "--search is for tasks"),
        (["instances", "--limit", "1"], "--limit is for tasks, events"),
        (["instances", "--sort", "name", "-w"], "leave --sort out"),
    ],
)
def test_a_choice_that_things_do_not_have_is_refused(words: list[str], told: str, cli: Cli) -> None:
    ran = cli("get", *words, code=Exit.USAGE)
    assert told in ran.err
    assert ran.out == ""


def test_events_are_those_of_a_branch(cli: Cli) -> None:
    assert cli("get", "events", "--branch", "branch1").lines
    assert cli("get", "events", "--branch", "branch2").out == ""


def test_a_queue_chooses_its_consumers_and_no_other_of_their_instances(
    cli: Cli, branch: FakeBranch
) -> None:
    branch.client.simulate_put("/shop/queues/mails/")
    branch.client.simulate_put("/shop/instances/w1/queues/mails/")
    lines = cli("get", "consumers", "--queue", "mails").lines
    assert [line.split()[:2] for line in lines[1:]] == [["w1", "mails"]]


def test_lists_what_else_there_is(cli: Cli, branch: FakeBranch) -> None:
    assert cli("get", "apps", "-o", "name").lines == ["app/blog", "app/shop"]
    branch.watching.told = (
        QueueVitals(app="shop", name="orders", broker="amqp://h//", depth=7, consumers=2),
    )
    titles, row = cli("get", "queues").lines
    assert titles.split() == ["NAME", "APP", "DEPTH", "CONSUMERS", "OLDEST", "TROUBLE"]
    assert row.split() == ["orders", "shop", "7", "2", "-", "-"]
    assert {"topic", "orders.#"} <= set(cli("get", "queues", "-o", "wide").lines[1].split())
    titles, row = cli("get", "branches").lines
    assert row.split()[:2] == ["branch1", "alive"]
    assert re.fullmatch(r"\d+\.\d\d", row.split()[titles.split().index("LOAD")])
    assert cli("get", "consumers").lines[1].split() == [
        "w1", "orders", "shop", "branch1", "running",
    ]  # fmt: skip
    assert cli("get", "queue", "orders", "-o", "name").lines == ["queue/orders"]


def test_says_on_standard_error_that_there_is_nothing(cli: Cli) -> None:
    ran = cli("get", "queues", "-a", "blog")
    assert (ran.out, ran.err) == ("", "There are no queues of the app blog.\n")


def test_what_is_not_there_is_told_with_what_was_meant(cli: Cli) -> None:
    assert "Did you mean 'w1'?" in cli("get", "instance", "w11", code=Exit.NOT_FOUND).err
    assert "Did you mean 'shop'?" in cli("get", "app", "shpo", code=Exit.NOT_FOUND).err
    ran = cli("drain", "branch2", code=Exit.NOT_FOUND)
    assert "'cyme get branches' lists those that are there. Did you mean 'branch1'?" in ran.err
    ran = cli("move", "w1", "elsewhere", code=Exit.NOT_FOUND)
    assert "'cyme get branches' lists" in ran.err
    ran = cli("get", "queues", "-a", "nope", code=Exit.NOT_FOUND)
    assert "'cyme create app nope' creates it." in ran.err
    ran = cli("purge", "nope", "-a", "shop", code=Exit.NOT_FOUND)
    assert "'cyme create queue nope -a shop' declares it." in ran.err
    ran = cli("create", "instance", "w9", "-a", "shop", "--queues", "nope", code=Exit.USAGE)
    assert "declare it first ('cyme create queue nope -a shop')" in ran.err
    assert "No app has a queue" in cli("get", "queue", "nope", code=Exit.NOT_FOUND).err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["get"], "Missing argument"),
        (["get", "instance/w1", "w2"], "has no type"),
        (["create", "queue", "shop/orders"], "write 'queue orders -a shop'"),
        (["get", "instance/w1", "app/shop"], "one call a type"),
        (["describe", "instance"], "Which instance?"),
        (["describe", "events"], "cannot be done with events"),
    ],
)
def test_what_cannot_be_understood_is_told(words: list[str], hint: str, cli: Cli) -> None:
    assert hint in cli(*words, code=Exit.USAGE).err


def test_describes_one_thing(cli: Cli, branch: FakeBranch) -> None:
    branch.watching.told = (QueueVitals(app="shop", name="orders", broker="amqp://h//", depth=7),)
    out = cli("describe", "instance", "w1").out
    assert out.startswith("instance w1\n")
    assert "\n  state            running\n" in out
    assert "\n  labels           zone=a\n" in out
    assert "instance.created" in out
    assert "ago)" in out
    assert cli("describe", "app", "shop", "blog").out.count("created at") == 2
    assert json.loads(cli("describe", "branch", "branch1", "-o", "json").out)["id"] == "branch1"
    assert re.search(r"^  depth +7$", cli("describe", "queue", "orders").out, re.MULTILINE)


def test_describes_an_instance_that_does_not_run_with_what_to_do(
    cli: Cli, branch: FakeBranch
) -> None:
    branch.supervisor.statuses["w1"] = InstanceStatus(
        state=InstanceState.DISABLED, reason="it failed five times"
    )
    lines = cli("describe", "instance", "w1").lines
    assert lines[1].split() == ["state", "disabled"]
    assert lines[2].split(maxsplit=1) == ["reason", "it failed five times"]
    assert any("to do" in line and "then 'cyme start w1'" in line for line in lines[3:5])
    assert "'cyme describe instance NAME' tells" in cli("status", code=Exit.FAILED).err


def test_describes_what_instances_belong_to_with_the_instances(cli: Cli) -> None:
    def told(*words: str) -> list[str]:
        lines = cli("describe", *words).lines
        at = lines.index("instances")
        assert "STATE" in lines[at + 1]
        return [line.split()[0] for line in lines[at + 2 :]]

    assert told("app", "shop") == ["w1", "w2"]
    assert told("queue", "orders") == ["w1"]
    assert told("branch", "branch1") == ["w1", "w2", "w3"]
    cli("delete", "consumer", "w1", "orders")
    assert cli("describe", "queue", "orders").lines[-1] == "no instances"


def test_what_a_lost_branch_knows_is_not_waited_for(cli: Cli, branch: FakeBranch) -> None:
    branch.members.change("branch2", state=BranchState.FAILED)
    branch.give_away("w1")
    branch.journal.record("instance.not-claimed", "its worker lives", app="shop", instance="w1")
    begun = time.monotonic()
    assert "its worker lives" in cli("describe", "instance", "w1").out
    for words in (["logs", "w1"], ["restart", "w1"], ["instances.stats", "w1"]):
        assert "'branch2', which is to do this, has failed" in cli(*words, code=6).err
    assert time.monotonic() - begun < 10, "a branch asks to wait 15 s for one that has failed"


def test_describes_what_is_not_well_with_what_to_do(cli: Cli, branch: FakeBranch) -> None:
    branch.members.change("branch2", state=BranchState.FAILED, heard_s=12.5)
    out = cli("describe", "branch", "branch2").out
    assert "start it on its machine" in out
    assert "'cyme get instances --branch branch2'" in out
    assert re.search(r"^  heard +12.50s$", out, re.MULTILINE)
    branch.watching.told = (
        QueueVitals(
            app="shop", name="orders", broker="amqp://h//", depth=7, oldest_s=75.0, in_rate=0.5
        ),
    )
    assert "to do" not in cli("describe", "queue", "orders").out
    for alert, hint in (
        (AlertKind.QUEUE_UNCONSUMED, "'cyme create consumer INSTANCE orders' has"),
        (AlertKind.QUEUE_DEEP, "'cyme scale shop N' has more"),
    ):
        branch.alerts = (
            Alert(id="a1", kind=alert, subject="orders", app="shop", reason="so many", since=1.0),
        )
        branch.clock.advance(60.0)
        out = cli("describe", "queue", "orders").out
        assert hint in out
        assert "\n  trouble        so many\n" in out
        assert re.search(r"^  oldest +1m15s$", out, re.MULTILINE)
        assert re.search(r"^  in rate +0.50/s$", out, re.MULTILINE)
    assert "'cyme describe queue NAME' tells" in cli("status", code=Exit.FAILED).err


@pytest.mark.parametrize(
    ("row", "subject"),
    [
        ({"app": "a", "data": {"alert": "queue-deep", "subject": "lonely"}}, "queue/lonely"),
        ({"branch": "b1", "data": {"alert": "branch-failed", "subject": "b2"}}, "branch/b2"),
        ({"kind": "branch.failed", "branch": "b1", "data": {"branch": "b2"}}, "branch/b2"),
        ({"kind": "app.created", "branch": "b1", "app": "shop", "data": {}}, "app/shop"),
    ],
)
def test_an_event_names_what_it_is_about(row: dict[str, Any], subject: str) -> None:
    column = next(each for each in kinds.EVENTS.columns if each.title == "SUBJECT")
    assert column.value(row) == subject


def test_what_a_terminal_would_obey_is_shown_instead(cli: Cli, branch: FakeBranch) -> None:
    branch.client.simulate_put("/shop/queues/odd/?routing_key=%1B%5B2J%E2%80%AE")
    for form in ("table", "wide", "json", "yaml"):
        out = cli("get", "queues", "-o", form).out
        assert "\x1b" not in out
        assert "\u202e" not in out


def test_a_version_of_both_sides(cli: Cli) -> None:
    lines = cli("version").lines
    assert lines[0].startswith("cyme ")
    assert lines[1].startswith("branch branch1 ")
    told = json.loads(cli("version", "-o", "json").out)
    assert told["branch"]["id"] == "branch1"


def test_status_tells_what_is_not_well(cli: Cli, branch: FakeBranch) -> None:
    branch.supervisor.runs("w3")
    ran = cli("status")
    assert "1 pending, 2 running" in ran.out
    assert "All is well." in ran.out
    branch.supervisor.statuses["w3"] = InstanceStatus(
        state=InstanceState.DISABLED, reason="it failed five times"
    )
    ran = cli("status", code=Exit.FAILED)
    assert "it failed five times" in ran.out
    assert json.loads(cli("status", "-o", "json", code=1).out)["ok"] is False
    assert cli("status", "-q", code=1).out == ""
    assert cli("status", "w1").code == 0
    assert "it failed five times" in cli("status", "w1", "w3", code=1).out


def test_status_tells_reasons_to_their_end_on_a_narrow_terminal(
    cli: Cli, branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "width_of", lambda _stream: 80)
    reason = "it is alive and does not answer, as nobody would who waits for what never comes"
    branch.supervisor.statuses["w3"] = InstanceStatus(
        state=InstanceState.UNRESPONSIVE, reason=reason
    )
    lines = cli("status", code=Exit.FAILED).lines
    at = lines[3].index("REASON")
    assert " ".join(line[at:] for line in lines[4:]).split() == reason.split()
    assert max(map(len, lines)) <= 80


def test_a_branch_that_is_looked_at_without_running_is_not_fenced(
    cli: Cli, branch: FakeBranch
) -> None:
    branch.supervisor.runs("w3")
    branch.members.fenced = True
    assert "is fenced: it is catching up" in cli("status", code=Exit.FAILED).out
    branch.members.change("branch1", state=BranchState.LEFT)
    assert json.loads(cli("status", "-o", "json", code=None).out)["fenced"] is False


def test_a_worker_that_starts_once_more_is_not_well_before_it_has_answered(
    cli: Cli, branch: FakeBranch
) -> None:
    for state, restarts, code in (
        (InstanceState.STARTING, 0, Exit.OK),
        (InstanceState.STARTING, 3, Exit.FAILED),
        (InstanceState.PENDING, 3, Exit.FAILED),
        (InstanceState.RUNNING, 3, Exit.OK),
    ):
        branch.supervisor.statuses["w3"] = InstanceStatus(
            state=state, reason="its process ended", restarts=restarts
        )
        cli("status", code=code)


def test_a_restart_that_was_asked_for_is_well_for_a_while(cli: Cli, branch: FakeBranch) -> None:
    def told(*kinds: str) -> None:
        for kind in kinds:
            branch.journal.record(f"instance.{kind}", "", app="shop", instance="w3")

    def restarts(state: InstanceState, ago_s: float) -> None:
        branch.supervisor.statuses["w3"] = InstanceStatus(
            state=state, reason="", restarts=3, since=branch.clock.wall() - ago_s
        )

    restarts(InstanceState.STARTING, 1)
    cli("status", code=Exit.FAILED)
    told("stopping", "stopped", "restarting")
    assert "All is well." in cli("status").out, "when it began is forgotten"
    told("failed", "restarting", "started", "stopping", "stopped", "restarting")
    ran = cli("status")
    assert "1 pending, 1 restarting, 1 running" in ran.out
    assert "All is well." in ran.out
    restarts(InstanceState.PENDING, 1)
    assert json.loads(cli("status", "-o", "json").out)["instances"]["restarting"] == 1
    assert cli("status", "w3", code=Exit.FAILED).out, "it does not run yet"
    restarts(InstanceState.STARTING, 61)
    cli("status", code=Exit.FAILED)
    restarts(InstanceState.STARTING, 1)
    told("failed", "stopped", "restarting")
    ran = cli("status", code=Exit.FAILED)
    assert "restarting" not in ran.out
