"""The user's own application, in the user's own virtual environment or in ours."""

from __future__ import annotations

import sys
import venv
from pathlib import Path

import pytest
from celery import Celery

from tests.system.conftest import StartBranch
from tests.system.remote import broker_url
from tests.system.target import Target

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

RESULT_TIMEOUT_S = 20

SHOP = """
import os
import sys
from celery import Celery

app = Celery("shop", backend={backend!r})

@app.task(name="shop.describe")
def describe():
    return {{
        "prefix": sys.prefix,
        "cwd": os.getcwd(),
        "colour": os.environ.get("SHOP_COLOUR"),
        "prefetch": app.conf.worker_prefetch_multiplier,
    }}
"""


def test_an_application_keeps_its_own_results_and_its_worker_requests_urls_too(
    start_branch: StartBranch, room: Path, redis_url: str, target: Target
) -> None:
    (room / "shop.py").write_text(SHOP.format(backend=redis_url))
    branch = start_branch()
    branch.put(
        "/foo/instances/w1/",
        celery_app="shop",
        workdir=str(room),
        env={"SHOP_COLOUR": "red"},
        arguments="--max-tasks-per-child=100",
        extra_config="worker_prefetch_multiplier=7",
    )
    branch.running("foo", "w1")
    with Celery(
        broker=broker_url(branch, "foo"), backend=redis_url, set_as_current=False
    ) as celery:
        described = celery.send_task("shop.describe", queue="dq.w1").get(timeout=RESULT_TIMEOUT_S)
    assert described == {
        "prefix": sys.prefix,
        "cwd": str(room.resolve()),
        "colour": "red",
        "prefetch": 7,
    }
    queued = branch.ask("GET", f"/foo/queue/dq.w1/{target.url}/hello")
    done = branch.ask("GET", f"/foo/query/{queued.member('uuid')}/wait/?timeout=20")
    assert done.member("state") == "SUCCESS", done


def test_the_interpreter_of_another_virtual_environment_runs_the_worker(
    start_branch: StartBranch, room: Path, redis_url: str
) -> None:
    """The other environment sees this one's packages, but it is another interpreter."""
    place = room / "venv"
    venv.create(place, with_pip=False, symlinks=True)
    site_packages = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    theirs = next(place.glob("lib/python*/site-packages"))
    (theirs / "borrowed.pth").write_text(f"{site_packages}\n")
    (room / "shop.py").write_text(SHOP.format(backend=redis_url))
    branch = start_branch()
    branch.put(
        "/foo/instances/w1/",
        celery_app="shop",
        workdir=str(room),
        python=str(place / "bin" / "python"),
    )
    branch.running("foo", "w1")
    with Celery(
        broker=broker_url(branch, "foo"), backend=redis_url, set_as_current=False
    ) as celery:
        described = celery.send_task("shop.describe", queue="dq.w1").get(timeout=RESULT_TIMEOUT_S)
    assert isinstance(described, dict)
    assert described["prefix"] == str(place)


@pytest.mark.parametrize("pool", ["threads", "gevent", "eventlet", "solo"])
def test_every_pool_requests_urls(start_branch: StartBranch, target: Target, pool: str) -> None:
    branch = start_branch()
    branch.put("/foo/instances/w1/", pool=pool)
    branch.running("foo", "w1")
    queued = branch.ask("POST", f"/foo/queue/dq.w1/{target.url}/hello?from={pool}", body=b"x")
    done = branch.ask("GET", f"/foo/query/{queued.member('uuid')}/wait/?timeout=20")
    assert done.member("state") == "SUCCESS", done
    assert [seen.target for seen in target.seen] == [f"/hello?from={pool}"]
    refused = branch.ask("POST", "/foo/instances/w1/autoscale/?max=3&min=1")
    assert refused.status == (400 if pool in {"threads", "solo"} else 200), refused


HERMIT = """
from celery import Celery

app = Celery("hermit")
app.conf.update(
    worker_enable_remote_control=False,
    control_exchange="hermitage",
    task_create_missing_queues=False,
)
"""


def test_an_application_that_shuts_itself_off_is_managed_all_the_same(
    start_branch: StartBranch, room: Path, target: Target
) -> None:
    (room / "hermit.py").write_text(HERMIT)
    branch = start_branch()
    branch.put("/foo/instances/w1/", celery_app="hermit", workdir=str(room))
    branch.running("foo", "w1", timeout_s=30)
    queued = branch.ask("GET", f"/foo/queue/dq.w1/{target.url}/hello")
    done = branch.ask("GET", f"/foo/query/{queued.member('uuid')}/wait/?timeout=20")
    assert done.member("state") == "SUCCESS", done
