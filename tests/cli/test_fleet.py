"""A cluster as a file says."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from cyme.cli.exits import Exit
from cyme.core.status import InstanceState, InstanceStatus
from tests.api.branch import FakeBranch
from tests.cli.conftest import Cli
from tests.waiting import eventually

pytestmark = pytest.mark.usefixtures("url")

FLEET = """
[apps.shop]
max_concurrency = 4

[apps.shop.queues.orders]
routing_key = "orders"

[apps.shop.instances.w1]
queues = ["orders"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "fleet.toml"
    path.write_text(FLEET)
    return path


def test_a_difference_is_shown_and_made_once(cli: Cli, file: Path, branch: FakeBranch) -> None:
    ran = cli("diff", "-f", str(file), code=Exit.FAILED)
    assert ran.lines == [
        "+ create app shop",
        "+     max_concurrency = 4",
        "+ create queue shop/orders",
        '+     routing_key = "orders"',
        "+ create instance shop/w1",
        '+     queues = ["orders"]',
    ]
    assert ran.err == "3 to create.\n"
    assert cli("apply", "-f", str(file), "--dry-run").out == ran.out
    assert branch.client.simulate_get("/").json == []
    ran = cli("apply", "-f", str(file))
    assert "done: create instance shop/w1\n" in ran.err
    assert "3 changes are made.\n" in ran.err
    assert cli("diff", "-f", str(file)).out == ""
    ran = cli("apply", "-f", str(file))
    assert (ran.out, ran.err) == ("", "Nothing changes: the cluster is as the file says.\n")


def test_what_changes_is_told_field_by_field(cli: Cli, file: Path) -> None:
    cli("apply", "-f", str(file))
    file.write_text(FLEET.replace("= 4", "= 8"))
    assert cli("diff", "-f", str(file), code=1).lines == [
        "~ update app shop", "~     max_concurrency: 4 -> 8",
    ]  # fmt: skip
    told = json.loads(cli("diff", "-f", str(file), "-o", "json", code=1).out)
    assert told["items"] == [
        {"action": "update", "kind": "app", "app": "shop", "name": "shop",
         "fields": [{"name": "max_concurrency", "old": "4", "new": "8"}]}
    ]  # fmt: skip
    assert told["restarts"] == []
    assert cli("diff", "-f", str(file), "-o", "name", code=1).out == "app/shop\n"


def test_what_the_file_lacks_goes_only_where_that_is_asked(
    cli: Cli, file: Path, branch: FakeBranch
) -> None:
    cli("apply", "-f", str(file))
    for name in ("w2", "w3"):
        cli("create", "instance", name, "-a", "shop")
    assert cli("diff", "-f", str(file)).out == ""
    assert cli("diff", "-f", str(file), "--prune", code=1).lines == [
        "- delete instance shop/w2", "- delete instance shop/w3",
    ]  # fmt: skip
    ran = cli("apply", "-f", str(file), "--prune", code=Exit.REFUSED)
    assert "add --yes" in ran.err
    cli("apply", "-f", str(file), "--prune", "--yes")
    assert branch.client.simulate_get("/instances/").json == ["w1"]
    cli("create", "app", "blog")
    assert cli("diff", "-f", str(file), "--prune").out == ""
    assert cli("diff", "-f", str(file), "--prune", "all", code=1).lines == ["- delete app blog"]


def test_what_failed_half_way_is_told(cli: Cli, tmp_path: Path, branch: FakeBranch) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text('[apps.blog]\n[apps.shop]\ncelery_app = "x"\n[apps.shop.instances.w1]\n')
    ran = cli("apply", "-f", str(path), code=Exit.PARTLY)
    assert "done: create app blog" in ran.err
    assert "failed: create app shop: To set celery_app" in ran.err
    assert "not tried: create instance shop/w1" in ran.err
    assert "1 of 3 changes are made, 1 failed, 1 were not tried:" in ran.err
    assert branch.client.simulate_get("/").json == ["blog"]
    cli("apply", "-f", str(path), code=Exit.NOT_ALLOWED)


def test_all_that_is_wrong_with_a_file_is_told(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "fleet.toml"
    path.write_text("[apps.shop]\nmax_concurency = 4\npool = 3\n")
    ran = cli("apply", "-f", str(path), code=Exit.USAGE)
    assert "max_concurency" in ran.err
    assert "pool" in ran.err
    assert "2 faults; nothing was changed" in ran.err
    assert "cannot be read" in cli("diff", "-f", "nope.toml", code=2).err


def test_a_file_can_come_from_standard_input(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(FLEET))
    assert cli("diff", "-f", "-", code=1).lines[0] == "+ create app shop"


def test_what_is_exported_changes_nothing(
    cli: Cli, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("apply", "-f", str(file))
    cli("set", "app", "shop", "broker=amqp://me:s3cret'x@h:1//")
    ran = cli("export", "-f", "out.toml", "--env-file", "out.env")
    assert "s3cret" not in ran.err + ran.out + (tmp_path / "out.toml").read_text()
    assert (tmp_path / "out.env").stat().st_mode & 0o777 == 0o600
    name, _, value = (tmp_path / "out.env").read_text().strip().partition("=")
    assert value == "'s3cret%27x'"
    assert cli("diff", "-f", "out.toml", "--env-file", "out.env").out == ""
    assert "--env-file FILE reads" in cli("diff", "-f", "out.toml", code=Exit.USAGE).err
    (tmp_path / "odd.env").write_text("what is this")
    wrong = ["apply", "-f", "out.toml", "--env-file"]
    assert "NAME='value'" in cli(*wrong, "odd.env", code=Exit.USAGE).err
    assert "cannot be read: No such" in cli(*wrong, "no.env", code=Exit.USAGE).err
    monkeypatch.setenv(name, "s3cret%27x")
    assert cli("diff", "-f", "out.toml", "--prune", "all").out == ""
    assert "--env-file FILE writes them" in cli("export").err
    assert "There is no app named 'nope'" in cli("export", "nope", code=3).err


def test_a_secret_that_is_not_told_is_exported_as_no_secret(
    cli: Cli, file: Path, tmp_path: Path
) -> None:
    """An empty one in its place would be set where the file is applied."""
    cli("apply", "-f", str(file))
    cli("set", "app", "shop", "result_backend=redis://:hush@h/1")
    ran = cli("export", "-f", "out.toml", "--env-file", "out.env")
    assert "does not tell SHOP_RESULT_BACKEND_PASSWORD, so set what is meant yourself" in ran.err
    refused = cli("diff", "-f", "out.toml", "--env-file", "out.env", code=Exit.USAGE)
    assert "SHOP_RESULT_BACKEND_PASSWORD, which is not set" in refused.err
    env = (tmp_path / "out.env").read_text()
    (tmp_path / "out.env").write_text(env.replace("#SHOP", "SHOP").replace("''", "hush"))
    assert cli("diff", "-f", "out.toml", "--env-file", "out.env").out == ""


IN_TURN = """
[apps.shop]
pool = "threads"
max_concurrency = 8
[apps.shop.queues.mails]
[apps.shop.instances.w1]
[apps.shop.instances.w2]
[apps.shop.instances.w3]
arguments = "--loglevel=DEBUG"
[apps.shop.instances.w4]
"""


class Workers(threading.Thread):
    """Restarts workers as a supervisor would: when what they are started with has changed.

    Attributes:
        failing: Those that do not come back.
        first: What somebody does just before one of them restarts.
        restarts: How often each of them restarted.
    """

    def __init__(self, branch: FakeBranch, names: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._branch = branch
        self._ended = threading.Event()
        self._with = {name: self._given(name) for name in names}
        self.failing: set[str] = set()
        self.first: dict[str, Callable[[], object]] = {}
        self.restarts = dict.fromkeys(names, 0)
        for name in names:
            branch.supervisor.runs(name, 1)

    def _given(self, name: str) -> tuple[object, object]:
        row = shown(self._branch, f"/instances/{name}/")
        return row["pool"], row["arguments"]

    def run(self) -> None:
        pids = count(2)
        while not self._ended.wait(0.02):
            for name, was in self._with.items():
                given = self._given(name)
                if given == was:
                    continue
                self._with[name] = given
                self.restarts[name] += 1
                self.first.pop(name, lambda: None)()
                if name in self.failing:
                    self._branch.supervisor.statuses[name] = InstanceStatus(
                        state=InstanceState.BACKOFF, reason="no such pool"
                    )
                else:
                    self._branch.supervisor.runs(name, next(pids))

    def stop(self) -> None:
        self._ended.set()
        self.join()


def shown(branch: FakeBranch, path: str) -> Any:
    return branch.client.simulate_get(path).json


@pytest.fixture
def workers(cli: Cli, url: str, branch: FakeBranch, file: Path) -> Iterator[Workers]:
    """Three workers run and one is stopped, and the file wants another pool of them."""
    cli("create", "app", "shop", "max_concurrency=4")
    cli("create", "instance", "w1", "w2", "w3", "w4", "-a", "shop")
    cli("stop", "w4")
    file.write_text(IN_TURN.replace("w4]", "w4]\nis_enabled = false"))
    stopped = InstanceStatus(state=InstanceState.STOPPED, reason="it is disabled")
    branch.supervisor.statuses["w4"] = stopped
    workers = Workers(branch, ["w1", "w2", "w3"])
    workers.start()
    yield workers
    workers.stop()


@pytest.mark.usefixtures("workers")
def test_whose_worker_restarts_is_told_before(cli: Cli, file: Path) -> None:
    restarting = [f"~ restart instance shop/{name}" for name in ("w1", "w2", "w3")]
    for words in (["diff"], ["apply", "--dry-run"], ["apply", "--dry-run", "--rolling"]):
        ran = cli(*words, "-f", str(file), code=None)
        assert ran.lines[-3:] == restarting
        assert "3 to restart." in ran.err
    told = json.loads(cli("diff", "-f", str(file), "-o", "json", code=1).out)
    assert told["restarts"] == ["shop/w1", "shop/w2", "shop/w3"]


def test_a_file_is_taken_up_in_turn(
    cli: Cli, file: Path, branch: FakeBranch, workers: Workers
) -> None:
    ran = cli("apply", "-f", str(file), "--rolling")
    told = ran.err.splitlines()
    changed = ["The instance w1 is changed.", "The instance w2 is changed."]
    steps = [told.index(line) for line in (*changed, "done: update instance shop/w3")]
    for name, next_step in zip(("w1", "w2"), steps[1:], strict=True):
        assert told.index(f"{name}: running: it answers") < next_step
    assert [line for line in told if line.startswith("done: ")] == [
        "done: update instance shop/w3", "done: update app shop", "done: create queue shop/mails",
    ]  # fmt: skip
    assert told.index("3 instances run anew.") < told.index("done: update app shop")
    assert workers.restarts == {"w1": 1, "w2": 1, "w3": 1}
    assert told[-1] == "3 changes are made."
    assert shown(branch, "/shop/")["max_concurrency"] == 8
    assert shown(branch, "/instances/w1/")["own"] == []
    assert cli("diff", "-f", str(file)).out == ""


def test_instances_restart_once_for_what_is_their_own_and_what_is_not_any_more(
    cli: Cli, file: Path, branch: FakeBranch, workers: Workers
) -> None:
    cli("set", "instance", "w1", "w2", "pool=eventlet")
    eventually(lambda: workers.restarts == {"w1": 1, "w2": 1, "w3": 0})
    file.write_text(
        '[apps.shop]\nmax_concurrency = 4\npool = "threads"\n'
        'arguments = "-l ERROR"\n[apps.shop.queues.mails]\n'
        '[apps.shop.instances.w1]\n[apps.shop.instances.w2]\npool = "gevent"\n'
        '[apps.shop.instances.w3]\narguments = "-l INFO"\nqueues = ["mails"]\n'
    )
    cli("apply", "-f", str(file), "--rolling")
    rows = [shown(branch, f"/instances/{name}/") for name in ("w1", "w2", "w3")]
    assert [row["pool"] for row in rows] == ["threads", "gevent", "threads"]
    assert [row["arguments"] for row in rows] == ["-l ERROR", "-l ERROR", "-l INFO"]
    assert [row["own"] for row in rows] == [[], ["pool"], ["arguments"]]
    assert rows[2]["queues"] == ["mails"]
    assert (workers.restarts["w1"], workers.restarts["w2"]) == (2, 2)
    assert cli("diff", "-f", str(file)).out == ""


def test_a_file_is_taken_up_no_further_than_it_works(
    cli: Cli, file: Path, branch: FakeBranch, workers: Workers
) -> None:
    workers.failing.add("w2")
    ran = cli("apply", "-f", str(file), "--rolling", code=Exit.PARTLY)
    told = ran.err.splitlines()
    assert "The instance w2 did not come back: no such pool. 'cyme logs w2' shows" in ran.err
    assert "not restarted: w3" in told
    assert "The app is not changed" in ran.err
    assert told[-4:] == [
        "0 of 3 changes are made. Not made:", "not made: update app shop",
        "not made: create queue shop/mails", "not made: update instance shop/w3",
    ]  # fmt: skip
    assert shown(branch, "/shop/")["pool"] is None
    own = {name: shown(branch, f"/instances/{name}/")["own"] for name in ("w1", "w2", "w3")}
    assert own == {"w1": ["pool"], "w2": [], "w3": []}
    assert shown(branch, "/shop/queues/") == []


def test_instances_that_do_not_run_with_their_own_stop_it_too(
    cli: Cli, file: Path, branch: FakeBranch, workers: Workers
) -> None:
    workers.failing |= {"w1", "w2"}
    one = '[apps.shop.instances.{}]\narguments = "--loglevel=DEBUG"\n'
    off = '[apps.shop.instances.w4]\narguments = "-l INFO"\nis_enabled = false\n'
    file.write_text(
        "[apps.shop]\nmax_concurrency = 4\n" + one.format("w1") + one.format("w2") + off
    )
    ran = cli("apply", "-f", str(file), "--at-a-time", "1", code=Exit.PARTLY)
    assert "done: update instance shop/w1" in ran.err, "it is told that its worker has it"
    assert "not made: update instance shop/w2" in ran.err
    assert shown(branch, "/instances/w2/")["own"] == []
    workers.failing.clear()
    branch.supervisor.runs("w1", 99)
    ran = cli("apply", "-f", str(file), "--at-a-time", "all")
    assert "1 instance runs anew." in ran.err
    assert shown(branch, "/instances/w4/")["arguments"] == "-l INFO"

    file.write_text(file.read_text().replace("DEBUG", "INFO"))
    for name in ("w1", "w2"):
        branch.supervisor.statuses[name] = InstanceStatus(state=InstanceState.STOPPED, reason="")
    workers.failing |= {"w1", "w2"}
    assert "run anew" not in cli("apply", "-f", str(file), "--rolling").err
    assert shown(branch, "/instances/w2/")["arguments"] == "--loglevel=INFO"


def test_what_somebody_else_changed_meanwhile_is_left_and_told(
    cli: Cli, file: Path, branch: FakeBranch, workers: Workers
) -> None:
    workers.first["w3"] = lambda: branch.client.simulate_put("/shop/?max_concurrency=3")
    ran = cli("apply", "-f", str(file), "--rolling", code=Exit.PARTLY)
    assert "max_concurrency of the app 'shop' has changed since the plan was made" in ran.err
    assert "'cyme set instance NAME PARAMETER=' takes it back" in ran.err
    assert shown(branch, "/shop/")["pool"] is None
    assert shown(branch, "/instances/w1/")["own"] == ["pool"]


@pytest.mark.usefixtures("workers")
def test_what_no_instance_can_be_given_is_not_taken_up_in_turn(cli: Cli, file: Path) -> None:
    cli("set", "app", "shop", "pool=threads")
    file.write_text("[apps.shop]\nmax_concurrency = 4\n[apps.shop.instances.w1]\n")
    ran = cli("apply", "-f", str(file), "--rolling", code=Exit.USAGE)
    assert "pool of the app shop is reset" in ran.err
    assert ran.out == ""
    cli("apply", "-f", str(file))


def test_what_fails_before_its_turn_is_told(cli: Cli, file: Path) -> None:
    file.write_text('[apps.shop]\ncelery_app = "x"\n[apps.shop.instances.w1]\n')
    ran = cli("apply", "-f", str(file), "--rolling", code=Exit.NOT_ALLOWED)
    assert "failed: create app shop: To set celery_app" in ran.err
    assert "not made: create instance shop/w1" in ran.err
