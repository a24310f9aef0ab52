/* Queue a URL, look an id up, and see the tasks that the events of the workers told of lately.

   /admin/tasks/?q=mail&state=FAILURE&app=shop&queue=orders */

import { field } from "../../dialog.js";
import { fill, h, icon, write } from "../../dom.js";
import { duration, NOTHING } from "../../format.js";
import { button, code, empty, failed, link, panel, screenHead, searchBox, select, time } from "../../parts.js";
import { createTable } from "../../table.js";
import { TaskFollow } from "../../task-follow.js";
import { taskForm } from "../../task-form.js";
import { taskBadge } from "../../task-view.js";
import { loaded, waiting } from "../../waiting.js";

const RECENT_MAX = 100;
const LOOK_MS = 3_000;
const STATES = [
  ["", "All states"], ["PENDING", "Waiting"], ["RECEIVED", "Received"], ["STARTED", "Running"], ["SUCCESS", "Done"],
  ["FAILURE", "Failed"], ["RETRY", "Retrying"], ["REVOKED", "Revoked"], ["REJECTED", "Rejected"],
];
const TONES = { FAILURE: "bad", REJECTED: "bad", RETRY: "warn" };
const UUID = /^[0-9a-zA-Z][0-9a-zA-Z._-]{0,254}$/;

export async function mountList(root, context) {
  fill(root, screenHead({ title: "Tasks" }), waiting());
  await loaded(context.live, "apps", "queues");
  if (context.signal?.aborted) return () => {};
  const screen = new TaskList(root, context);
  return () => screen.close();
}

class TaskList {
  constructor(root, context) {
    Object.assign(this, { root, context });
    this.filters = { q: "", state: "", app: "", queue: "" };
    for (const name of Object.keys(this.filters)) this.filters[name] = context.query.get(name) ?? "";
    this.follow = null;
    this.isPaused = false;
    this.form = taskForm({ ...context, sent: (task) => this.#sent(task) });
    this.table = this.#table();
    this.#build();
    void this.#look();
    this.timer = setInterval(() => !document.hidden && !this.isPaused && void this.#look(), LOOK_MS);
  }

  close() {
    clearInterval(this.timer);
    this.form.close();
    this.follow?.close();
    this.table.destroy();
  }

  #build() {
    const { live } = this.context;
    this.followed = h("div", { class: "task-followed", aria: { live: "polite" } });
    this.trouble = h("div", { class: "trouble" });
    this.pause = button("Pause", { icon: "pause", small: true, title: "Hold the list still, to read it", run: () => this.#toggle() });
    const apps = live.apps.all().map((row) => row.name).sort();
    const { app } = this.filters;
    const choices = app && !apps.includes(app) ? [app, ...apps] : apps;
    fill(this.root,
      screenHead({ title: "Tasks", lead: "Have a worker request a URL, and see what became of any task." }),
      h("div", { class: "task-grid" },
        h("div", { class: "task-side" }, panel({ title: "Queue a URL" }, this.form.node), this.followed),
        panel({ title: "Look a task up" }, this.#lookUp(apps))),
      panel({ title: "Recent tasks", note: "As their events told; the latest first.", flush: true, actions: [this.pause] },
        h("div", { class: "toolbar in-panel" },
          searchBox({ label: "Search tasks", value: this.filters.q, placeholder: "Id, name, exception or URL", ms: 250, run: (q) => this.#set({ q }) }),
          select({ label: "State", value: this.filters.state, options: STATES.map(([value, label]) => ({ value, label })), run: (state) => this.#set({ state }) }),
          select({ label: "App", value: this.filters.app, options: [{ value: "", label: "All apps" }, ...choices.map((value) => ({ value, label: value }))], run: (app) => this.#set({ app }) })),
        this.trouble, this.table.node));
  }

  #lookUp(apps) {
    const app = field({ name: "look-app", label: "App", type: "select", options: apps, value: this.filters.app || this.form.app() });
    const uuid = field({ name: "uuid", label: "Id", placeholder: "0199c5a5-6b52-8d4e-9a62-3f7b0c61d2aa", hint: "As the reply to whoever queued it has it." });
    const form = h("form", { class: "form", novalidate: true }, app.node, uuid.node,
      h("div", { class: "form-foot" }, button("Look it up", { type: "submit", icon: "search" })));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const wanted = uuid.value().trim();
      const isId = UUID.test(wanted);
      uuid.say(isId ? "" : "An id, such as the reply to a queued URL has.");
      if (isId && app.value()) this.context.go(this.context.href("tasks", app.value(), wanted));
      else uuid.input.focus();
    });
    return form;
  }

  #table() {
    const { href, go } = this.context;
    const address = (row) => href("tasks", row.app, row.uuid);
    return createTable({
      label: "Recent tasks",
      key: (row) => row.uuid,
      columns: [
        { id: "at", label: "Heard of", value: (row) => row.at, first: "down", watch: (row) => row.at, render: (row) => time(row.at) },
        { id: "state", label: "State", value: (row) => row.state, render: (row) => taskBadge(row.state) },
        { id: "name", label: "Task", value: (row) => row.url ?? row.name, head: true, class: "task-name-cell",
          render: (row) => [row.app ? link(shownName(row), address(row)) : shownName(row), row.exception ? h("span", { class: "reason", title: row.exception }, row.exception) : null],
          watch: (row) => `${row.name} ${row.url} ${row.exception}` },
        { id: "app", label: "App", value: (row) => row.app, hide: "narrow" },
        { id: "queue", label: "Queue", value: (row) => row.queue, hide: "medium" },
        { id: "instance", label: "Instance", value: (row) => row.instance, hide: "narrow",
          render: (row) => (row.instance ? link(row.instance, href("instances", row.instance)) : NOTHING) },
        { id: "runtime", label: "Took", value: (row) => row.runtime_s ?? null, align: "end", first: "down", render: (row) => duration(row.runtime_s) },
      ],
      sort: { by: "at", down: true },
      open: (row) => row.app && go(address(row)),
      tone: (row) => TONES[row.state] ?? "",
      empty: () => this.#nothing(),
    });
  }

  #nothing() {
    if (Object.values(this.filters).some(Boolean)) {
      return empty({ icon: "filter", title: "No recent task matches", body: "Only the latest are kept; look an older one up by its id." });
    }
    const queue = this.context.live.queues.all()[0];
    return empty({
      icon: "tasks", title: "No task was heard of yet",
      body: [
        h("p", {}, "Queue a URL above, or from a terminal:"),
        code(`curl ${location.origin}/${queue?.app ?? "shop"}/queue/${queue?.name ?? "orders"}/https://example.com/`, { copy: true }),
      ],
    });
  }

  #set(changes) {
    Object.assign(this.filters, changes);
    this.context.setQuery(changes);
    void this.#look();
  }

  #toggle() {
    this.isPaused = !this.isPaused;
    write(this.pause.querySelector(".button-label"), this.isPaused ? "Resume" : "Pause");
    this.pause.querySelector("svg").replaceWith(icon(this.isPaused ? "play" : "pause"));
    if (!this.isPaused) void this.#look();
  }

  async #look() {
    this.looking?.abort();
    this.looking = new AbortController();
    const { signal } = this.looking;
    try {
      const rows = await this.context.api.get("/cluster/tasks/", { query: { ...this.filters, limit: RECENT_MAX }, signal });
      fill(this.trouble);
      this.table.setRows(rows);
      this.table.retell();
    } catch (error) {
      if (signal.aborted) return;
      fill(this.trouble, failed(error, () => this.#look()));
    }
  }

  #sent(task) {
    this.follow?.close();
    const { api, href } = this.context;
    this.follow = new TaskFollow({ api, app: task.app, uuid: task.uuid });
    fill(this.followed, panel({
      title: `${task.method} ${task.url}`.slice(0, 80),
      actions: [link("Open", href("tasks", task.app, task.uuid))],
    }, this.follow.node));
    if (matchMedia("(max-width: 900px)").matches) this.followed.scrollIntoView({ block: "start" });
    void this.#look();
  }
}

function shownName(row) {
  if (row.url) return row.url;
  return row.name || row.uuid;
}
