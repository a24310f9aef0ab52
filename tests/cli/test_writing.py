"""Creating, changing and deleting, in the new spelling and in that of nouns."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from cyme.cli import deeds
from cyme.cli.exits import Exit
from cyme.cli.options import Given
from cyme.cli.session import Session
from cyme.client.errors import PreconditionFailed
from cyme.errors import OwnerUnreachable
from tests.api.branch import ADMIN, FakeBranch
from tests.cli.conftest import Cli, served
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("url")


def shown(branch: FakeBranch, path: str) -> Any:
    return branch.client.simulate_get(path).json


def test_creates_changes_and_deletes(cli: Cli, branch: FakeBranch) -> None:
    ran = cli("create", "app", "shop", "max_concurrency=4", "labels.zone=a")
    assert (ran.out, ran.err) == ("", "The app shop is created.\n")
    app = shown(branch, "/shop/")
    assert (app["max_concurrency"], app["labels"]) == (4, {"zone": "a"})
    cli("create", "queue", "orders", "-a", "shop", "exchange=x", 'options={"durable": false}')
    assert shown(branch, "/shop/queues/orders/")["options"] == {"durable": False}
    ran = cli("create", "instance", "w1", "-a", "shop", "--queues", "orders", "-o", "name")
    assert ran.out == "instance/w1\n"
    assert ran.err == "The instance w1 is created on the branch branch1.\n"
    cli("set", "instance", "w1", "max_concurrency=8", "pool=threads")
    assert shown(branch, "/instances/w1/")["max_concurrency"] == 8
    cli("set", "instance/w1", "pool=", "labels.disk=ssd")
    assert shown(branch, "/instances/w1/")["pool"] == "prefork"
    assert shown(branch, "/instances/w1/")["labels"] == {"zone": "a", "disk": "ssd"}
    cli("set", "instance", "w1", "labels.zone=")
    assert shown(branch, "/instances/w1/")["labels"] == {"disk": "ssd"}
    cli("set", "instance", "w1", "pinned=true")
    assert shown(branch, "/instances/w1/")["pinned"] is True
    cli("set", "instance", "w1", "pinned=false")
    assert shown(branch, "/instances/w1/")["pinned"] is False
    cli("set", "queue", "orders", "-a", "shop", "exchange=y")
    assert shown(branch, "/shop/queues/orders/")["exchange"] == "y"
    cli("create", "queue", "mail", "-a", "shop")
    cli("create", "consumer", "w1", "mail")
    assert shown(branch, "/shop/instances/w1/queues/") == ["mail", "orders"]
    cli("delete", "consumer", "w1", "mail")
    cli("delete", "instance", "w1")
    cli("delete", "queue", "orders", "-a", "shop")
    cli("delete", "app", "shop", "--force")
    assert shown(branch, "/") == []


def test_the_old_spelling_does_the_same(cli: Cli, branch: FakeBranch) -> None:
    cli(
        "apps.add", "--", "shop", "redis://h:1/2", "--loglevel=INFO", "worker_prefetch_multiplier=2"
    )
    app = shown(branch, "/shop/")
    assert app["broker"]["url"] == "redis://h:1/2"
    assert (app["arguments"], app["extra_config"]) == (
        "--loglevel=INFO", "worker_prefetch_multiplier=2",
    )  # fmt: skip
    cli("apps", "add", "shop")  # once more changes nothing
    cli("-a", "shop", "queues.add", "orders", "x", "topic", "k", '{"durable": false}')
    assert shown(branch, "/shop/queues/orders/") | {"app": ""} == {
        "app": "", "name": "orders", "exchange": "x", "exchange_type": "topic",
        "routing_key": "k", "options": {"durable": False},
    }  # fmt: skip
    cli("-a", "shop", "instances.add", "w1")
    cli("-a", "shop", "consumers.add", "w1", "orders")
    assert json.loads(cli("-F", "json", "-a", "shop", "consumers", "w1").out) == ["orders"]
    assert json.loads(cli("-F", "json", "apps").out) == ["shop"]
    assert cli("-F", "json", "-a", "shop", "instances").out == '["w1"]\n'
    assert cli("-F", "pretty", "-a", "shop", "queues").out == '[\n  "orders"\n]\n'
    assert cli("-F", "json", "branches").out == '["branch1"]\n'
    assert json.loads(cli("-F", "json", "-a", "shop", "instances.get", "w1").out)["name"] == "w1"
    assert cli("instances").lines[1].startswith("w1")
    assert cli("instances.all").out == cli("instances", "list").out
    assert cli("-a", "shop", "instances.autoscale", "w1").out == "1-1\n"
    assert json.loads(
        cli("-F", "json", "-a", "shop", "instances.autoscale", "w1", "10", "2").out
    ) == {"max": 10, "min": 2}
    assert cli("autoscale", "w1").out == "2-10\n"
    assert json.loads(cli("-F", "json", "-a", "shop", "consumers.delete", "w1", "orders").out) == {
        "ok": "ok"
    }
    cli("-a", "shop", "queues.delete", "orders")
    cli("-a", "shop", "instances.delete", "w1")
    cli("apps.delete", "shop")
    assert shown(branch, "/") == []


def test_an_anonymous_instance_tells_its_name(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    name = cli("create", "instance", "-a", "shop", "-o", "jsonpath={.name}").out.strip()
    assert shown(branch, "/instances/") == [name]
    cli("-a", "shop", "instances.add")
    assert len(shown(branch, "/instances/")) == 2


def test_nobody_waits_with_nowait(cli: Cli, branch: FakeBranch) -> None:
    cli("-n", "create", "app", "shop")
    eventually(lambda: shown(branch, "/") == ["shop"])
    ran = cli("create", "instance", "w1", "-a", "shop", "-n", "-o", "json")
    assert json.loads(ran.out) == {"name": "w1", "app": "shop"}
    assert ran.err == "The instance w1 is created, or will be soon.\n"
    eventually(lambda: shown(branch, "/instances/") == ["w1"])
    cli("-n", "autoscale", "w1", "4")
    eventually(lambda: shown(branch, "/instances/w1/")["max_concurrency"] == 4)
    cli("-n", "-a", "shop", "instances.delete", "w1")
    eventually(lambda: shown(branch, "/instances/") == [])


def test_what_exists_is_not_created_again_unless_that_is_fine(cli: Cli) -> None:
    cli("create", "app", "shop")
    ran = cli("create", "app", "shop", "pool=solo", code=Exit.CONFLICT)
    assert "There is already the app shop. 'cyme set app shop" in ran.err
    ran = cli("create", "app", "shop", "pool=solo", "--exist-ok")
    assert ran.err == "The app shop is there already, and has what is given here.\n"
    assert json.loads(cli("get", "app", "shop", "-o", "json").out)["pool"] == "solo"


def test_of_several_those_are_created_that_can_be(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    cli("create", "queue", "b", "-a", "shop")
    ran = cli("create", "queue", "a", "b", "c", "-a", "shop", "-o", "name", code=Exit.PARTLY)
    assert ran.lines == ["queue/a", "queue/c"]
    assert "There is already the queue b." in ran.err
    assert "Done: 2 of 3. Not done: 1." in ran.err
    assert shown(branch, "/shop/queues/") == ["a", "b", "c"]


def test_an_instance_of_no_app_is_not_created(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    ran = cli("create", "instance", "w1", "-a", "shpo", "--queues", "q", code=Exit.NOT_FOUND)
    assert "'cyme create app shpo' creates it. Did you mean 'shop'?" in ran.err
    assert shown(branch, "/") == ["shop"]


def test_what_others_depend_on_is_deleted_with_force(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    cli("create", "queue", "orders", "-a", "shop")
    cli("create", "instance", "w1", "-a", "shop", "--queues", "orders")
    for words in (["-a", "shop", "queues.delete", "orders"], ["apps.delete", "shop"]):
        assert "say --force to" in cli(*words, code=Exit.CONFLICT).err
        cli(*words, "--force")
    assert shown(branch, "/") == []


def test_what_is_no_url_is_told_in_the_words_of_the_command(cli: Cli) -> None:
    cli("create", "app", "shop")
    cli("create", "queue", "orders", "-a", "shop")
    ran = cli("queue", "shop", "orders", "shop.example/x", code=Exit.USAGE)
    assert "must begin with http:// or https://, as http://host/path?query" in ran.err
    assert "/shop/queue/" not in ran.err


def test_a_typo_in_set_creates_nothing(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    assert "Did you mean 'shop'?" in cli("set", "app", "shpo", "pool=solo", code=3).err
    assert shown(branch, "/") == ["shop"]


def test_what_is_gone_by_then_is_not_made_by_a_change(branch: FakeBranch) -> None:
    session = Session(Given())
    with pytest.raises(PreconditionFailed):
        deeds.change(session, "app", ("gone",), {"pool": "solo"})
    session.close()
    assert shown(branch, "/") == []


def test_secrets_come_from_files_and_standard_input(
    cli: Cli, branch: FakeBranch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "password").write_text("s3cret\n")
    cli("create", "app", "shop", "hostname=h", "userid=me", "password=@password")
    assert shown(branch, "/shop/")["broker"]["password"] == "s3cret"
    monkeypatch.setattr("sys.stdin", io.StringIO("a b/@"))
    cli("set", "app", "shop", "broker=amqp://you:x@host:1//", "password=@-")
    broker = shown(branch, "/shop/")["broker"]
    assert (broker["userid"], broker["password"], broker["hostname"]) == ("you", "a b/@", "host")
    assert "give its hostname" in cli("set", "app", "shop", "password=x", code=2).err
    assert "cannot be read" in cli("set", "app", "shop", "password=@nope", code=2).err


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (["create", "instance", "w1"], "Which app? Name it with -a APP"),
        (["create", "app"], "What shall the app be called?"),
        (["create", "app", "x", "Bad=1"], "is no parameter"),
        (["create", "app", "x", "pool.a=1"], "pool has no members"),
        (["create", "app", "x", "pool=solo", "pool=solo"], "is there twice"),
        (["create", "app", "x", "nope=1"], "nope: is not known"),
        (["create", "app", "x", "--wait"], "are for instances"),
        (["create", "branch", "x"], "cannot be done with branches"),
        (["create", "consumer", "w1"], "INSTANCE QUEUE"),
        (["create", "pool=solo"], "Create what?"),
        (["set", "app", "x"], "Say: cyme set TYPE NAME PARAMETER=VALUE."),
        (["delete", "instances"], "Name them, or say --all"),
        (["delete", "instance", "w1", "--all"], "Name what to delete, or"),
        (["start"], "Which instances?"),
        (["start", "w1", "--all"], "Name instances, or choose"),
        (["-a", "x", "queues.add", "q", "e", "direct", "k", "[1]"], "must be a JSON object"),
        (["-a", "x", "queues.add", "q", "e", "direct", "k", "{"], "are no JSON"),
    ],
)
def test_what_cannot_be_understood_is_told(words: list[str], hint: str, cli: Cli) -> None:
    assert hint in cli(*words, code=Exit.USAGE).err


def test_a_script_that_deletes_many_must_mean_it(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    for name in ("w1", "w2", "w3"):
        cli("create", "instance", name, "-a", "shop")
    ran = cli("delete", "instances", "--all", "-a", "shop", code=Exit.REFUSED)
    assert "Delete 3 instances? Nobody can be asked here; add --yes" in ran.err
    assert len(shown(branch, "/instances/")) == 3
    cli("delete", "instances", "w1", "w2", "--yes")
    assert shown(branch, "/instances/") == ["w3"]
    cli("delete", "instances", "--all", "--yes", "-a", "shop")
    assert "no instances to delete" in cli("delete", "instances", "--all").err


def test_some_done_and_some_not_is_a_code_of_its_own(cli: Cli) -> None:
    cli("create", "app", "shop")
    cli("create", "instance", "w1", "-a", "shop")
    ran = cli("delete", "instance", "w1", "nope", "--yes", code=Exit.PARTLY)
    assert "Done: 1 of 2. Not done: 1." in ran.err
    cli("delete", "instance", "nope", "never", "--yes", code=Exit.NOT_FOUND)
    cli("delete", "instance", "nope", "--missing-ok")


def test_starts_stops_and_restarts(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop")
    cli("create", "instance", "w1", "w2", "-a", "shop", "labels.zone=a")
    cli("stop", "w1")
    assert shown(branch, "/instances/w1/")["is_enabled"] is False
    cli("start", "w1")
    assert shown(branch, "/instances/w1/")["is_enabled"] is True
    cli("restart", "-l", "zone=a", "--at-a-time", "all", "--yes")
    assert branch.supervisor.restarted == ["w1", "w2"]
    assert cli("stop", "-a", "shop", "--all", code=Exit.REFUSED).err
    cli("shutdown-all", "--yes")
    assert not any(shown(branch, f"/instances/{name}/")["is_enabled"] for name in ("w1", "w2"))
    cli("start-all")
    assert shown(branch, "/instances/w2/")["is_enabled"] is True
    cli("restart-all", "--yes")
    assert branch.supervisor.restarted == ["w1", "w2", "w1", "w2"]
    assert "has no instances" in cli("start-all", "--branch", "elsewhere").err


def test_scales_an_app_up_and_down(cli: Cli, branch: FakeBranch) -> None:
    cli("create", "app", "shop", "max_concurrency=4")
    cli("create", "queue", "orders", "-a", "shop")
    cli("create", "instance", "w1", "-a", "shop", "-q", "orders", "pool=threads", "labels.zone=a")
    cli("scale", "shop", "3")
    assert shown(branch, "/instances/") == ["shop-1", "shop-2", "w1"]
    made = shown(branch, "/instances/shop-2/")
    assert (made["pool"], made["queues"], made["labels"]) == (
        "threads", ["orders"], {"zone": "a"},
    )  # fmt: skip
    assert "has 3 instances already" in cli("scale", "shop", "3").err
    cli("stop", "shop-2")
    cli("scale", "shop", "1", "--prefix", "of-stopped", "--like", "shop-2")
    assert shown(branch, "/instances/of-stopped-1/")["is_enabled"] is True
    cli("delete", "instance", "of-stopped-1")
    cli("start", "shop-2")
    branch.supervisor.runs("w1")
    branch.supervisor.runs("shop-1")
    cli("scale", "shop", "2")
    assert shown(branch, "/instances/") == ["shop-1", "w1"]
    assert cli("scale", "shop", "0", code=Exit.REFUSED).err
    cli("scale", "shop", "1", "--prefix", "shop-fast", "--like", "w1")
    assert "shop-fast-1" in shown(branch, "/instances/")
    cli("scale", "shop", "0", "--prefix", "shop-fast")
    cli("scale", "shop", "1", "-l", "disk=ssd")
    assert shown(branch, "/instances/shop-2/")["labels"] == {"disk": "ssd"}
    assert "N" in cli("scale", "shop", "-1", code=2).err


def test_moves_drains_and_spreads(cli: Cli, branch: FakeBranch) -> None:
    assert "No instance moves." in cli("rebalance", "--dry-run").err
    cli("create", "app", "shop")
    cli("create", "instance", "w1", "-a", "shop")
    assert cli("move", "w1", "elsewhere", code=None).code in {2, 3, 5, 6}
    ran = cli("move", "w1", "branch1")
    assert ran.err == "The instance w1 was on the branch branch1 already, and stays there.\n"
    ran = cli("drain", "branch1", code=1)
    assert "'cyme move INSTANCE BRANCH' moves what is pinned" in ran.err
    assert "takes no instances any more" in ran.err
    assert "w1" in ran.out
    cli("undrain", "branch1")


def test_tokens_are_made_listed_and_revoked(cli: Cli, branch: FakeBranch) -> None:
    token = ADMIN["Authorization"].removeprefix("Bearer ")
    with served(branch.closed_app) as closed, pytest.MonkeyPatch.context() as patch:
        patch.setenv("CYME_URL", closed)
        assert cli("get", "apps", code=Exit.NOT_ALLOWED).err
        patch.setenv("CYME_TOKEN", token)
        made = cli("token", "create", "grafana", "--role", "viewer")
        assert len(made.lines) == 1
        assert made.lines[0] not in made.err
        assert "grafana" in cli("token", "list").out
        cli("token", "create", "x?role=admin", "--role", "viewer")
        assert branch.kept_tokens.list()[-1].name == "x?role=admin", "a name is no path"
        cli("token", "revoke", "grafana")
        assert "Did you mean" not in cli("get", "token", "grafana", code=3).err


def test_a_token_for_all_branches_is_shown_where_one_of_them_cannot_be_told(
    cli: Cli, branch: FakeBranch, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> object:
        raise OwnerUnreachable("The branch 'branch2' does not answer.")

    branch.members.change("branch2")
    branch.members.answer = away
    with served(branch.closed_app) as closed:
        monkeypatch.setenv("CYME_URL", closed)
        monkeypatch.setenv("CYME_TOKEN", ADMIN["Authorization"].removeprefix("Bearer "))
        made = cli("token", "create", "prometheus", "--all-branches", code=Exit.PARTLY)
        assert made.lines == ["secret of prometheus"]
        assert "branch2" in made.err
        assert [each.name for each in branch.kept_tokens.list()][-1] == "prometheus"
        ran = cli("token", "revoke", "prometheus", "--all-branches", "--yes", code=Exit.PARTLY)
        assert "Done: 1 of 2. Not done: 1." in ran.err
        assert (
            "not both" in cli("token", "create", "x", "--branch", "a", "--all-branches", code=2).err
        )
