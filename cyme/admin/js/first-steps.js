/* What a new cluster is told: four steps to the first task, each ticked off as it is taken.

   const guide = firstSteps(context);   guide.node   guide.update() */

import { fill, h, icon } from "./dom.js";
import { code, link, panel } from "./parts.js";

/**
 * Whoever has had an instance for so long needs no guide. It is no longer than tasks are counted, so
 * that a guide which went does not come back when they are forgotten.
 */
const NEW_FOR_MS = 10 * 60_000;

export function firstSteps({ live, href, session }) {
  const list = h("ol", { class: "steps" });
  const node = panel({ title: "First steps", note: "each of them on this page, or on a command line" }, list);
  let before = "";
  return {
    node,
    update: () => {
      const steps = stepsOf(live, href, session);
      const at = steps.findIndex((step) => !step.isDone);
      node.hidden = !live.apps.loaded || !live.instances.loaded || isAtWork(live);
      const now = steps.map((step) => step.isDone).join();
      if (now === before) return;
      before = now;
      fill(list, steps.map((step, index) => stepRow(step, index, index === at, session)));
    },
  };
}

/** Tells whether the cluster is beyond its first steps: it works, or has been there for a while. */
function isAtWork(live) {
  if (!live.instances.size) return false;
  const isOld = (row) => Date.now() - Date.parse(row.created_at) > NEW_FOR_MS;
  return hasWorked(live) || live.instances.all().some(isOld);
}

function hasWorked(live) {
  const tasks = live.vitals.get()?.tasks;
  return (tasks?.succeeded ?? 0) + (tasks?.failed ?? 0) > 0;
}

function stepsOf(live, href, session) {
  const app = live.apps.all()[0]?.name ?? "shop";
  const queue = live.queues.all()[0]?.name ?? "emails";
  return [
    {
      title: "Create an app",
      words: "An app is a broker and what its workers have in common. Without a broker it takes the one that this branch brings along.",
      command: `curl -X PUT ${location.origin}/shop/`,
      isDone: live.apps.size > 0,
      place: ["Create an app", href("apps", { create: 1 })],
    },
    {
      title: "Declare a queue",
      words: "Tasks wait in queues until a worker takes them.",
      command: `curl -X PUT ${location.origin}/${app}/queues/emails/`,
      isDone: live.queues.size > 0,
      place: ["Declare a queue", href("queues", { create: 1 })],
    },
    {
      title: "Start an instance",
      words: `An instance is a Celery worker that is kept running, on ${session.branch} unless you say where.`,
      command: `curl -X PUT ${location.origin}/${app}/instances/mailer/ -d queues=${queue}`,
      isDone: live.instances.size > 0,
      place: ["Start an instance", href("instances", { create: 1 })],
    },
    {
      title: "Queue a task",
      words: "Any URL can be a task: a worker requests it, and keeps what it was answered.",
      command: `curl ${location.origin}/${app}/queue/${queue}/https://example.com/`,
      isDone: hasWorked(live),
      place: ["Queue a URL", href("tasks", { create: 1 })],
    },
  ];
}

function stepRow(step, index, isNext, session) {
  return h(
    "li",
    { class: "step", dataset: { state: step.isDone ? "done" : isNext ? "next" : "later" } },
    h("span", { class: "step-mark", aria: { hidden: "true" } }, step.isDone ? icon("check") : index + 1),
    h(
      "div",
      { class: "step-text" },
      h("h3", {}, step.title, step.isDone && h("span", { class: "quiet" }, " done")),
      h("p", { class: "quiet" }, step.words),
      !step.isDone && code(withToken(step.command, session), { copy: true }),
    ),
    isNext && session.may("operator") && link(step.place[0], step.place[1], { class: "button primary" }),
  );
}

function withToken(command, session) {
  return session.open ? command : command.replace("curl ", 'curl -H "Authorization: Bearer $CYME_TOKEN" ');
}
