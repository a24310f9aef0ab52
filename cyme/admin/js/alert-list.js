/* What needs somebody, and what to do about it.

   const list = alertList({ href, session });   list.node   list.update(alerts of the vitals) */

import { fill, h, icon } from "./dom.js";
import { link, time } from "./parts.js";

/* By kind: what it means, what to do, and where to do it. */
const ADVICE = {
  "instance-disabled": {
    title: "Instance disabled",
    advice: "It failed too often and is left alone. Its log tells why; mend that, then start it again.",
    places: ({ subject }, href) => [["Open the instance", href("instances", subject)], ["Read its log", href("logs", { instance: subject })]],
  },
  "instance-unresponsive": {
    title: "Instance unresponsive",
    advice: "Its worker runs and does not answer: a task may hold it, or its broker. It is restarted if it stays so.",
    places: ({ subject }, href) => [["Open the instance", href("instances", subject)], ["Read its log", href("logs", { instance: subject })]],
  },
  "branch-failed": {
    title: "Branch failed",
    advice: "Nobody hears of it. Its instances go to other branches unless they are pinned; look at the machine.",
    places: ({ subject }, href) => [["Open the branch", href("branches", subject)], ["Its instances", href("instances", { branch: subject })]],
  },
  "queue-deep": {
    title: "Queue deep",
    advice: "More comes in than is worked off. Add instances that consume it, or raise their concurrency.",
    places: ({ app, subject }, href) => [["Open the queue", queueAddress(app, subject, href)], ["Instances", href("instances", { app })]],
  },
  "queue-unconsumed": {
    title: "Nobody consumes this queue",
    advice: "Messages wait and no instance takes them. Have an instance consume it, or start one that does.",
    places: ({ app, subject }, href) => [["Open the queue", queueAddress(app, subject, href)]],
  },
  "broker-lost": {
    title: "Broker lost",
    advice: "It does not answer. Workers are left as they are until it is back; look at the broker's server.",
    places: (alert, href) => [["What happened", href("events", { kind: "broker.*" })]],
  },
  "database-lost": {
    title: "Database lost",
    advice: "Its branch takes no changes until it is back; workers run on. Look at the database's server, or make room on the disk.",
    places: ({ subject }, href) => [["Open the branch", href("branches", subject)]],
  },
};

const UNKNOWN = { title: "Look at this", advice: "", places: () => [] };

export function alertList({ href }) {
  const node = h("ul", { class: "alert-list" });
  let before = "";
  return {
    node,
    update: (alerts) => {
      const now = JSON.stringify(alerts);
      if (now === before) return;
      before = now;
      fill(node, alerts.map((alert) => h("li", {}, alertRow(alert, href))));
    },
  };
}

function alertRow(alert, href) {
  const { title, advice, places } = ADVICE[alert.kind] ?? UNKNOWN;
  const isBad = !["queue-deep", "instance-unresponsive"].includes(alert.kind);
  return h(
    "div",
    { class: "alert-row", dataset: { tone: isBad ? "bad" : "warn" } },
    icon(isBad ? "alert" : "warn"),
    h(
      "div",
      { class: "alert-text" },
      h("p", {}, h("strong", {}, `${title}: ${alert.subject}`), " ", h("span", { class: "quiet" }, time(alert.since, "ago"))),
      alert.reason && h("p", { class: "alert-reason" }, alert.reason),
      advice && h("p", { class: "quiet" }, advice),
    ),
    h("div", { class: "alert-places" }, places(alert, href).map(([label, address]) => link(label, address, { class: "button small" }))),
  );
}

function queueAddress(app, subject, href) {
  const name = app && subject.startsWith(`${app}/`) ? subject.slice(app.length + 1) : subject;
  return app ? href("queues", app, name) : href("queues", { q: name });
}
