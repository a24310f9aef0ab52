"""Tasks: whose they are, and what became of them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cyme.cli.exits import Exit
from cyme.cli.faults import BadUsage, CommandFailed
from cyme.cli.printing import form_of, print_data
from cyme.cli.text.clean import json_safe, one_line
from cyme.client.errors import NotFound, TaskPending
from cyme.client.tasks import WAIT_S_MAX, Task, TaskResult

if TYPE_CHECKING:
    from cyme.cli.session import Session


def app_of_task(session: Session, task: str) -> str:
    """Return the app of a task: the one that was named, or that its events tell.

    Raises:
        BadUsage: Nobody knows.
    """
    if session.app is not None:
        return session.app
    try:
        app = session.get("cluster", "tasks", task).get("app")
    except NotFound:
        app = None
    if not app:
        raise BadUsage(f"The app of the task {task} is not known; name it with -a APP.")
    return str(app)


def finish(session: Session, app: str, task: str, timeout_s: float | None) -> int:
    """Wait for a task, print what it returned, and return 0 if it succeeded, else 1.

    Raises:
        CommandFailed: It was not done in time.
    """
    wait_s = timeout_s or WAIT_S_MAX
    try:
        result = Task(session.calls, app, task).wait(wait_s)
    except TaskPending as exc:
        raise CommandFailed(
            f"The task {task} is not done after {wait_s:g} s; it is {exc.state}. "
            f"'cyme wait task {task} -a {app}' goes on waiting.",
            Exit.TIMED_OUT,
        ) from exc
    _print(session, result)
    if not result.has_succeeded:
        session.warn(f"The task {task} ended with {result.state}.")
        return Exit.FAILED
    return Exit.OK


def _print(session: Session, result: TaskResult) -> None:
    data: dict[str, Any] = {
        "uuid": result.uuid,
        "state": result.state,
        "result": result.value,
        **({"traceback": result.traceback} if result.traceback else {}),
    }
    form = form_of(session)
    if form.name == "name":
        session.out(f"task/{result.uuid}")
    elif not form.is_table:
        print_data(session, data, form)
    elif isinstance(result.value, dict) and "status_code" in result.value:
        session.say(f"{result.value['status_code']} {result.value.get('url', '')}")
        content = str(result.value.get("content", ""))
        session.out_lines(one_line(line) for line in content.split("\n"))
    elif isinstance(result.value, str):
        session.out_lines(one_line(line) for line in result.value.split("\n"))
    else:
        session.out(json_safe(json.dumps(result.value, ensure_ascii=False, indent=2)))
