/* What happened in the cluster, why, and who did it: live, and as far back as the branches know. */

import { openDialog } from "../dialog.js";
import { kindBadge, subjectOf, textOf, whoDid } from "../event-row.js";
import { h, write } from "../dom.js";
import { download } from "../download.js";
import { clock, day, moment, NOTHING, plural } from "../format.js";
import { button, code, copyButton, empty, facts, failed, link, screenHead, searchBox, select, tabs } from "../parts.js";
import { createTable } from "../table.js";
import { tally } from "../table-bars.js";

export const title = "Events";

const KEPT_MAX = 2_000;
const LISTED = 1_000;
/** Celery's own events may come by the thousand; so many are kept beside the others. */
const TASKS_KEPT_MAX = 500;

const KINDS = ["instance", "app", "queue", "branch", "broker", "session", "token", "alert", "cluster"];
const SINCE = [
  ["", "As far back as known"],
  ["3600", "The last hour"],
  ["86400", "The last day"],
  ["604800", "The last week"],
];

export function mount(root, context) {
  const screen = new EventsScreen(root, context);
  screen.start();
  return () => screen.stop();
}

class EventsScreen {
  #context;
  #root;
  #events = new Map();
  #waiting = [];
  #isPaused = false;
  #ends = [];
  #tasks = null;
  #filters;
  #loading = null;

  constructor(root, context) {
    this.#root = root;
    this.#context = context;
    const { query } = context;
    this.#filters = Object.fromEntries(["q", "kind", "app", "instance", "branch", "since", "show", "tasks"].map((name) => [name, query.get(name) ?? ""]));
  }

  start() {
    const { live } = this.#context;
    this.#build();
    this.#filter();
    void this.#load();
    this.#ends.push(live.events.subscribe((fresh) => this.#take(fresh)));
    this.#ends.push(live.branches.subscribe(() => this.#offer()));
    this.#ends.push(live.apps.subscribe(() => this.#offer()));
    this.#listenToTasks();
  }

  stop() {
    this.#tasks?.close();
    this.#loading?.abort();
    this.#ends.forEach((end) => end());
    this.table.destroy();
  }

  // --- building ----------------------------------------------------------------------------------

  #build() {
    const { href, query } = this.#context;
    const set = (name) => (value) => this.#set(name, value);
    this.pause = button("Pause", { icon: "pause", pressed: false, run: () => this.#toggle() });
    this.news = h("p", { class: "quiet", role: "status" });
    this.kind = select({ label: "Kind", value: this.#filters.kind, options: kindOptions(this.#filters.kind), run: set("kind") });
    this.app = select({ label: "App", options: [], run: set("app") });
    this.branch = select({ label: "Branch", options: [], run: set("branch") });
    this.#offer();
    this.since = select({ label: "Since", value: this.#filters.since, options: SINCE.map(([value, label]) => ({ value, label })), run: set("since") });
    this.withTasks = h("input", { type: "checkbox", checked: this.#filters.tasks === "1", onchange: () => this.#set("tasks", this.withTasks.checked ? "1" : "") });
    this.search = searchBox({ label: "Search events", placeholder: "Search name, reason or person", value: this.#filters.q, run: set("q") });
    this.instance = h("span", { class: "chips" });
    this.table = createTable({
      label: "Events",
      key: (event) => event.id,
      columns: [
        { id: "at", label: "When", first: "down", width: "9.5rem", value: (event) => Date.parse(event.at), render: (event) => h("time", { datetime: event.at, title: moment(event.at) }, when(event.at)) },
        { id: "kind", label: "What", value: (event) => event.kind, render: kindBadge },
        { id: "subject", label: "About", head: true, value: (event) => event.instance ?? event.app ?? event.branch, render: (event) => [subjectOf(event, href), event.instance && event.app && h("span", { class: "quiet of-app" }, event.app)] },
        { id: "reason", label: "Why", class: "wide-cell", card: "wide", sortable: false, value: (event) => event.reason },
        { id: "by", label: "Who", hide: "narrow", value: (event) => whoDid(event) || null, render: (event) => whoDid(event) || h("span", { class: "quiet unbroken" }, "by itself") },
        { id: "branch", label: "Branch", hide: "medium", value: (event) => event.branch, render: (event) => (event.branch ? link(event.branch, href("branches", event.branch)) : NOTHING) },
      ],
      sort: { by: query.get("by") ?? "at", down: query.get("down") !== "0" },
      onSort: ({ by, down }) => this.#context.setQuery({ by: by === "at" ? "" : by, down: down ? "" : "0" }),
      open: (event) => this.#open(event),
      nothing: () => empty({ icon: "filter", title: "No event passes the filter", body: "Take a filter away, or wait: new events appear by themselves.", actions: [button("Clear the filters", { run: () => this.#clear() })] }),
      empty: () => (this.error ? failed(this.error, () => this.#load()) : empty({ icon: "events", title: "Nothing has happened yet", body: "Every change of state and every write appears here, with its reason and who did it." })),
    });
    this.many = tally("event");
    this.show = tabs({
      label: "Which events", value: this.#filters.show, run: set("show"),
      options: [{ value: "", label: "All" }, { value: "people", label: "Done by people" }, { value: "trouble", label: "Trouble" }],
    });
    this.#root.append(
      screenHead({ title: "Events", lead: "What happened in the cluster, why, and who did it. New events appear by themselves.", actions: [this.news, this.pause, button("Download", { icon: "download", title: "Those that are shown, as JSON lines", run: () => this.#download() })] }),
      h("div", { class: "toolbar" }, this.show, this.search, this.kind, this.app, this.branch, this.since, h("label", { class: "check-label" }, this.withTasks, "Celery's task events"), this.instance, this.many.node),
      this.table.node,
    );
  }

  #offer() {
    const { live } = this.#context;
    options(this.app, "All apps", live.apps.all().map((row) => row.name), this.#filters.app);
    options(this.branch, "All branches", live.branches.all().map((row) => row.id), this.#filters.branch);
  }

  // --- what is there -----------------------------------------------------------------------------

  async #load() {
    const { api } = this.#context;
    this.#loading?.abort();
    const loading = new AbortController();
    this.#loading = loading;
    const { kind, app, instance, branch, since } = this.#filters;
    try {
      const found = await api.get("/events/", { query: { follow: 0, limit: LISTED, kind, app, instance, branch, since }, signal: loading.signal });
      if (loading.signal.aborted) return;
      this.error = null;
      for (const event of found) this.#events.set(event.id, event);
    } catch (error) {
      if (loading.signal.aborted) return;
      this.error = error;
    }
    this.#draw();
  }

  #take(fresh) {
    if (this.#isPaused) {
      this.#waiting.push(...fresh);
      this.#waiting.splice(0, this.#waiting.length - KEPT_MAX);
      const number = this.#waiting.filter((event) => this.#passes(event)).length;
      write(this.news, number ? `${plural(number, "new event")} waiting` : "Paused");
      return;
    }
    for (const event of fresh) this.#events.set(event.id, event);
    this.#draw();
  }

  #draw() {
    this.#trim();
    this.table.setRows([...this.#events.values()]);
    this.many.update(this.table);
  }

  #trim() {
    const tasks = [...this.#events.values()].filter((event) => event.kind.startsWith("task."));
    const surplus = [
      ...oldest(tasks, tasks.length - TASKS_KEPT_MAX),
      ...(this.#events.size > KEPT_MAX + TASKS_KEPT_MAX ? oldest([...this.#events.values()], this.#events.size - KEPT_MAX - TASKS_KEPT_MAX) : []),
    ];
    for (const event of surplus) this.#events.delete(event.id);
  }

  #listenToTasks() {
    this.#tasks?.close();
    this.#tasks = null;
    if (this.#filters.tasks !== "1") {
      for (const [id, event] of this.#events) if (event.kind.startsWith("task.")) this.#events.delete(id);
      return;
    }
    const source = new EventSource("/events/?tasks=1&kind=task.*");
    let fresh = [];
    source.onmessage = (frame) => {
      fresh.push(JSON.parse(frame.data));
      if (fresh.length > 1) return;
      // Many at a time are drawn once.
      setTimeout(() => {
        const taken = fresh;
        fresh = [];
        if (this.#tasks === source) this.#take(taken.slice(-TASKS_KEPT_MAX));
      }, 200);
    };
    this.#tasks = source;
  }

  // --- what is shown -----------------------------------------------------------------------------

  #set(name, value) {
    this.#filters[name] = value;
    this.#context.setQuery({ [name]: value });
    this.#filter();
    if (name === "tasks") {
      this.#listenToTasks();
      this.#draw();
    } else if (!["q", "show"].includes(name)) void this.#load();
  }

  #clear() {
    for (const name of Object.keys(this.#filters)) this.#filters[name] = name === "tasks" ? this.#filters.tasks : "";
    this.#context.setQuery(this.#filters);
    for (const each of [this.kind, this.app, this.branch, this.since]) each.input.value = "";
    this.search.input.value = "";
    this.show.choose("", true);
    this.#filter();
    void this.#load();
  }

  #filter() {
    const { instance } = this.#filters;
    this.instance.replaceChildren(...(instance ? [button(`Instance ${instance}`, { small: true, icon: "close", title: "Show all instances", run: () => this.#set("instance", "") })] : []));
    this.table.filter((event) => this.#passes(event));
    this.many.update(this.table);
  }

  #passes(event) {
    const { q, kind, app, instance, branch, since, show } = this.#filters;
    if (app && event.app !== app) return false;
    if (instance && !instance.split(",").includes(event.instance)) return false;
    if (branch && event.branch !== branch && event.data?.branch !== branch) return false;
    if (kind && !matchesKind(event.kind, kind)) return false;
    if (since && Date.parse(event.at) < Date.now() - Number(since) * 1000) return false;
    if (show === "people" && !whoDid(event)) return false;
    if (show === "trouble" && kindBadge(event).dataset.tone !== "bad" && kindBadge(event).dataset.tone !== "warn") return false;
    return !q || textOf(event).includes(q.toLowerCase());
  }

  #toggle() {
    this.#isPaused = !this.#isPaused;
    this.pause.setAttribute("aria-pressed", String(this.#isPaused));
    write(this.pause.querySelector(".button-label"), this.#isPaused ? "Resume" : "Pause");
    write(this.news, this.#isPaused ? "Paused" : "");
    if (this.#isPaused) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#take(waiting);
  }

  #open(event) {
    const { href } = this.#context;
    const text = JSON.stringify(event, null, 2);
    openDialog({
      title: event.kind,
      size: "large",
      body: [
        h("p", { class: "feed-why-large" }, event.reason),
        facts([
          ["When", moment(event.at)],
          ["About", subjectOf(event, href) || NOTHING],
          event.app && ["App", link(event.app, href("apps", event.app))],
          event.branch && ["Told by", link(event.branch, href("branches", event.branch))],
          ["Who", whoDid(event) || "by itself"],
        ]),
        code(text),
      ],
      actions: [{ label: "Close", kind: "primary" }],
    }).node.querySelector(".dialog-foot").prepend(copyButton(text, "Copy as JSON"));
  }

  #download() {
    const lines = this.table.shown().map((event) => `${JSON.stringify(event)}\n`);
    const at = new Date().toISOString().slice(0, 19).replaceAll(":", "");
    download(`cyme-events-${at}.jsonl`, lines.join(""), "application/x-ndjson");
  }
}

function when(at) {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return isToday ? clock(at) : day(at);
}

function matchesKind(kind, wanted) {
  return wanted.split(",").some((each) => (each.endsWith(".*") ? kind.startsWith(each.slice(0, -1)) : kind === each));
}

function kindOptions(chosen) {
  const known = [{ value: "", label: "All kinds" }, ...KINDS.map((kind) => ({ value: `${kind}.*`, label: `${kind}.*` }))];
  return chosen && !known.some((each) => each.value === chosen) ? [...known, { value: chosen, label: chosen }] : known;
}

function options(place, all, names, chosen) {
  const wanted = [...new Set([...names, ...(chosen ? [chosen] : [])])].sort();
  const mark = wanted.join("\n");
  if (place.mark !== mark) {
    place.mark = mark;
    place.input.replaceChildren(h("option", { value: "" }, all), ...wanted.map((name) => h("option", { value: name }, name)));
  }
  place.input.value = chosen;
}

function oldest(events, number) {
  if (number <= 0) return [];
  return [...events].sort((a, b) => Date.parse(a.at) - Date.parse(b.at)).slice(0, number);
}
