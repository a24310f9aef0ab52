/* How an event is shown.

   eventRow(event, href)     in a list: when, what, why, who
   kindBadge(event)          its kind, with the tone of what it means
   subjectOf(event, href)    links to what it is about: instance, app, branch
   whoDid(event)             who did it, "" for what happened by itself
   textOf(event)             all of its words in small letters, for a search */

import { h } from "./dom.js";
import { badge, link, time } from "./parts.js";

const BAD = /\.(disabled|failed|lost|unresponsive|rejected)$|alert/;
/** Whoever logs out, or is away for long, is in no trouble. */
const WARN = /(?<!^session)\.(suspect|backoff|ended|killed|exited|retried|revoked|forgotten|left|drained|unknown)$/;
/** Kinds that are about somebody, whatever branch they name. */
const NAMED = /^(token|session)\./;
const GOOD = /\.(running|started|revived|joined|succeeded|created|adopted|alive|cleared)$/;

export function toneOfKind(kind) {
  if (BAD.test(kind)) return "bad";
  if (WARN.test(kind)) return "warn";
  return GOOD.test(kind) ? "ok" : "info";
}

export function kindBadge(event) {
  return badge(event.kind, toneOfKind(event.kind));
}

export function whoDid(event) {
  return event.data?.by ?? event.data?.caller ?? "";
}

export function subjectOf(event, href) {
  const { app, instance, data = {} } = event;
  const queue = named(data, "queue");
  if (instance) return link(instance, href("instances", instance), { class: "strong" });
  if (queue && app) return link(queue, href("queues", app, queue), { class: "strong" });
  if (app) return link(app, href("apps", app), { class: "strong" });
  const branch = named(data, "branch") || (event.kind.startsWith("branch.") ? event.branch : "");
  if (branch && !NAMED.test(event.kind)) return link(branch, href("branches", branch), { class: "strong" });
  const name = event.kind.startsWith("session.") ? whoDid(event) : (data.token ?? data.name ?? data.broker ?? "");
  return typeof name === "string" && name ? h("span", { class: "strong" }, name) : "";
}

/** The queue or branch that an event names, or that its alert is about. */
function named(data, noun) {
  const name = data[noun] ?? (String(data.alert).startsWith(`${noun}-`) ? data.subject : "");
  return typeof name === "string" ? name : "";
}

export function eventRow(event, href) {
  return h(
    "div",
    { class: "feed-row" },
    h("div", { class: "feed-what" }, kindBadge(event), subjectOf(event, href)),
    h("p", { class: "feed-why" }, event.reason),
    h("div", { class: "feed-when" }, time(event.at, "ago")),
  );
}

export function textOf(event) {
  const { kind, reason, app, instance, branch } = event;
  return [kind, reason, app, instance, branch, whoDid(event)].filter(Boolean).join(" ").toLowerCase();
}
