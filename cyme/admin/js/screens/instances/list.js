/* All instances: searched, filtered, chosen, and told what to do.

   /admin/instances/?q=mail&state=running,disabled&app=shop&branch=b1&label=zone=a */

import { deedButton } from "../../deed-dialogs.js";
import { fill, h, write } from "../../dom.js";
import { instanceTest, isFiltering, readFilters, tally as tallyOf } from "../../filters.js";
import { bytes, count, duration, figure, NOTHING } from "../../format.js";
import { roleRefusal } from "../../instance-deeds.js";
import {
  button, code, empty, failed, link, screenHead, searchBox, select, stateBadge, toneOf,
} from "../../parts.js";
import { createTable } from "../../table.js";
import { selectionBar, tally } from "../../table-bars.js";

const FILTERS = ["state", "app", "branch", "label"];
const STATES = ["running", "starting", "pending", "stopping", "unresponsive", "backoff", "disabled", "unknown", "stopped"];
const MARKED = new Set(["bad", "warn"]);

export function mountList(root, context) {
  const screen = new InstanceList(root, context);
  return () => screen.close();
}

class InstanceList {
  constructor(root, context) {
    Object.assign(this, { root, context });
    this.filters = readFilters(context.query, FILTERS);
    this.table = this.#table();
    this.tally = tally("instance");
    this.#build();
    this.#filter();
    const { live } = context;
    this.unsubscribe = [
      live.instances.subscribe((news) => this.#take(news)),
      live.vitals.subscribe(() => this.table.redraw()),
      live.branches.subscribe(() => this.#options()),
    ];
    if (live.instances.loaded) this.#all();
    else void live.ready.then(() => !context.signal?.aborted && this.#all());
    if (context.query.get("create") === "1" && !roleRefusal(context.session)) {
      // Asked for once: whoever loads the screen again does not mean another.
      context.setQuery({ create: "" });
      void this.#create();
    }
  }

  close() {
    for (const each of this.unsubscribe) each();
    this.table.destroy();
  }

  // --- building ----------------------------------------------------------------------------------

  #build() {
    const { context } = this;
    const refusal = roleRefusal(context.session);
    this.search = searchBox({
      label: "Search instances", value: this.filters.q, placeholder: "Name, app, branch, queue or reason",
      run: (text) => this.#set({ q: text }),
    });
    this.states = h("div", { class: "state-filter", role: "group", aria: { label: "States" } });
    this.selects = h("div", { class: "filter-selects" });
    this.clear = button("Clear filters", { kind: "quiet", small: true, run: () => this.#clear() });
    this.trouble = h("div", { class: "trouble" });
    const rows = () => [...this.table.selection].map((name) => context.live.instances.get(name)).filter(Boolean);
    this.deeds = ["start", "stop", "restart", "move", "remove"].map((deed) => deedButton(context, deed, rows, { small: true }));
    this.bar = selectionBar(this.table, "instance", this.deeds);
    fill(this.root,
      screenHead({
        title: "Instances", lead: "Celery workers that the cluster keeps running.",
        actions: [button("Create instance", {
          kind: "primary", icon: "plus", disabled: Boolean(refusal), title: refusal, run: () => this.#create(),
        })],
      }),
      h("div", { class: "toolbar" }, this.search, this.selects, this.clear, this.tally.node), this.states,
      this.trouble, this.table.node, this.bar.node);
  }

  #table() {
    const { live, href, go, query } = this.context;
    const usage = (row) => (row.pids.length ? live.usage(row.name) : undefined);
    const figureOf = (member) => (row) => usage(row)?.[member] ?? null;
    const shown = (member, words) => ({
      value: figureOf(member), render: (row) => words(figureOf(member)(row)), align: "end", first: "down",
    });
    return createTable({
      label: "Instances",
      key: (row) => row.name,
      columns: [
        { id: "name", label: "Name", value: (row) => row.name, head: true,
          render: (row) => link(row.name, href("instances", row.name)) },
        { id: "state", label: "State", value: (row) => STATES.indexOf(row.state), class: "state-cell", card: "wide",
          watch: (row) => `${row.state} ${row.reason}`,
          render: (row) => [stateBadge(row.state), h("span", { class: "reason", title: row.reason }, row.reason)] },
        { id: "app", label: "App", value: (row) => row.app, render: (row) => link(row.app, href("apps", row.app)) },
        { id: "branch", label: "Branch", value: (row) => row.branch, hide: "narrow",
          render: (row) => link(row.branch, href("branches", row.branch)) },
        { id: "up", label: "Up", ...shown("uptime_s", (value) => duration(value)), watch: (row) => duration(figureOf("uptime_s")(row)), hide: "medium" },
        { id: "restarts", label: "Restarts", value: (row) => row.restarts, align: "end", first: "down", hide: "narrow",
          render: (row) => count(row.restarts) },
        { id: "cpu", label: "CPU", ...shown("cpu", (value) => (value === null ? NOTHING : `${figure(value * 100)} %`)) },
        { id: "memory", label: "Memory", ...shown("memory_bytes", bytes) },
        { id: "slots", label: "Busy", ...shown("busy", String), watch: (row) => `${figureOf("busy")(row)}/${figureOf("slots")(row)}`,
          render: (row) => slotsTold(usage(row)) },
        { id: "queues", label: "Queues", value: (row) => row.queues.join(", "), hide: "medium", class: "queues-cell",
          render: (row) => row.queues.join(", ") || "own only" },
      ],
      sort: { by: query.get("sort") ?? "name", down: query.get("down") === "1" },
      onSort: ({ by, down }) => this.context.setQuery({ sort: by === "name" && !down ? "" : by, down }),
      selectable: true,
      onSelect: (keys) => this.#selected(keys),
      open: (row) => go(href("instances", row.name)),
      tone: (row) => (MARKED.has(toneOf(row.state)) ? toneOf(row.state) : ""),
      empty: () => this.#nothingYet(),
      nothing: () => this.#nothingFound(),
    });
  }

  #nothingYet() {
    return empty({
      icon: "instances", title: "No instance yet",
      body: [
        h("p", {}, "An instance is one Celery worker that Cyme keeps running. Make the first one here, or with:"),
        code(`cyme -a shop instances.add w1\ncurl -X PUT '${location.origin}/shop/instances/w1/?queues=orders'`, { copy: true }),
      ],
      actions: roleRefusal(this.context.session) ? [] : [button("Create instance", { kind: "primary", icon: "plus", run: () => this.#create() })],
    });
  }

  #nothingFound() {
    return empty({
      icon: "filter", title: "No instance passes the filters",
      body: "Loosen one of them, or see all.",
      actions: [button("Clear filters", { run: () => this.#clear() })],
    });
  }

  // --- rows --------------------------------------------------------------------------------------

  #all() {
    const { live } = this.context;
    const error = live.failures.instances;
    fill(this.trouble, error ? failed(error, () => live.reload()) : null);
    if (error && !live.instances.loaded) return;
    this.table.setRows(live.instances.all());
    this.#options();
    this.#tell();
  }

  #take({ changed, gone }) {
    if (this.table.rows().length === 0 || this.context.live.failures.instances) {
      this.#all();
      return;
    }
    const { instances } = this.context.live;
    this.table.change([...changed].map((key) => instances.get(key)).filter(Boolean), gone);
    fill(this.trouble);
    this.#options();
    this.#tell();
    this.#selected(this.table.selection);
  }

  #selected(keys) {
    this.bar?.update(keys);
    for (const deed of this.deeds ?? []) deed.refresh();
  }

  #tell() {
    this.tally.update(this.table);
  }

  // --- filters -----------------------------------------------------------------------------------

  #set(changes) {
    Object.assign(this.filters, changes);
    const texts = Object.entries(changes).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]);
    this.context.setQuery(Object.fromEntries(texts));
    this.#filter();
    this.#options();
  }

  #clear() {
    this.search.input.value = "";
    this.#set({ q: "", state: [], app: [], branch: [], label: [] });
    this.search.input.focus();
  }

  #filter() {
    this.clear.hidden = !isFiltering(this.filters);
    this.table.filter(isFiltering(this.filters) ? instanceTest(this.filters) : null);
    this.#tell();
  }

  /** What can be chosen among; drawn again only where it changed, so that no list shuts. */
  #options() {
    const rows = this.context.live.instances.all();
    const states = tallyOf(rows, "state");
    const apps = tallyOf(rows, "app").map(([name]) => name).sort();
    const branches = tallyOf(rows, "branch").map(([name]) => name).sort();
    const labels = [...new Set(rows.flatMap((row) => Object.entries(row.labels ?? {}).map(([key, value]) => `${key}=${value}`)))].sort();
    this.#drawStates(states);
    const mark = JSON.stringify([apps, branches, labels, this.filters]);
    if (mark === this.drawnOptions) return;
    this.drawnOptions = mark;
    fill(this.selects,
      this.#choice("app", "All apps", apps), this.#choice("branch", "All branches", branches),
      labels.length ? this.#choice("label", "All labels", labels) : null);
  }

  #choice(name, all, values) {
    const chosen = this.filters[name];
    const known = [...new Set([...values, ...chosen])];
    return select({
      label: name[0].toUpperCase() + name.slice(1), value: chosen.length === 1 ? chosen[0] : chosen.length ? "*" : "",
      options: [{ value: "", label: all }, ...(chosen.length > 1 ? [{ value: "*", label: chosen.join(", ") }] : []),
        ...known.map((value) => ({ value, label: value }))],
      run: (value) => value !== "*" && this.#set({ [name]: value ? [value] : [] }),
    });
  }

  #drawStates(states) {
    const counts = new Map(states);
    const wanted = STATES.filter((state) => counts.has(state) || this.filters.state.includes(state));
    const mark = wanted.join();
    if (mark !== this.drawnStates) {
      this.drawnStates = mark;
      this.stateButtons = new Map(wanted.map((state) => [state, stateButton(state, () => this.#toggleState(state))]));
      fill(this.states, [...this.stateButtons.values()].map((each) => each.node));
    }
    for (const [state, { node, number }] of this.stateButtons) {
      node.setAttribute("aria-pressed", String(this.filters.state.includes(state)));
      write(number, count(counts.get(state) ?? 0));
    }
  }

  #toggleState(state) {
    const has = this.filters.state.includes(state);
    this.#set({ state: has ? this.filters.state.filter((each) => each !== state) : [...this.filters.state, state] });
  }

  async #create() {
    const { createInstance } = await import("../../instance-create.js");
    const name = await createInstance(this.context, { app: this.filters.app[0] });
    if (name) this.context.go(this.context.href("instances", name));
  }
}

function slotsTold(vitals) {
  if (vitals?.slots === null || vitals?.slots === undefined) return NOTHING;
  return h("span", { class: "busy-slots", title: `${vitals.busy ?? 0} of ${vitals.slots} slots are busy` }, `${vitals.busy ?? 0} / ${vitals.slots}`);
}

function stateButton(state, run) {
  const number = h("span", { class: "state-count" });
  const node = h("button", { type: "button", class: "state-button", dataset: { tone: toneOf(state) }, onclick: run },
    h("span", { class: "dot", aria: { hidden: "true" } }), state, number);
  return { node, number };
}
