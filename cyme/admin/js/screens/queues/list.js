/* All queues: what waits, what comes and goes, who consumes. */

import { fill, h } from "../../dom.js";
import { wordTest } from "../../filters.js";
import { count, NOTHING, oldestWait, rate } from "../../format.js";
import { roleRefusal } from "../../instance-deeds.js";
import { badge, button, code, empty, failed, link, screenHead, searchBox, select } from "../../parts.js";
import { declareQueue, purgeQueue } from "../../queue-deeds.js";
import { createTable } from "../../table.js";
import { tally } from "../../table-bars.js";

/** A message that waits longer than that, in seconds, is worth a look. */
const LONG_S = 300;

export function mountList(root, context) {
  const screen = new QueueList(root, context);
  return () => screen.close();
}

class QueueList {
  constructor(root, context) {
    Object.assign(this, { root, context });
    this.refusal = roleRefusal(context.session);
    this.filters = { q: context.query.get("q") ?? "", app: context.query.get("app") ?? "", waiting: context.query.get("waiting") === "1" };
    this.table = this.#table();
    this.tally = tally("queue");
    this.#build();
    const { live } = context;
    this.unsubscribe = [
      live.queues.subscribe(() => this.#show()),
      live.vitals.subscribe(() => (this.table.redraw(), this.#filter())),
      live.instances.subscribe(() => this.table.redraw()),
      live.apps.subscribe(() => this.#apps()),
    ];
    if (live.queues.loaded) this.#show();
    else void live.ready.then(() => !context.signal?.aborted && this.#show());
    if (context.query.get("create") === "1" && !roleRefusal(context.session)) {
      // Asked for once: whoever loads the screen again does not mean another.
      context.setQuery({ create: "" });
      void this.#declare();
    }
  }

  close() {
    for (const each of this.unsubscribe) each();
    this.table.destroy();
  }

  #build() {
    this.trouble = h("div", { class: "trouble" });
    this.apps = h("div", { class: "filter-selects" });
    const waiting = button("Only where something waits", { pressed: this.filters.waiting, run: () => {
      waiting.setAttribute("aria-pressed", String(!this.filters.waiting));
      this.#set({ waiting: !this.filters.waiting });
    } });
    fill(this.root,
      screenHead({
        title: "Queues", lead: "Where work waits until an instance takes it.",
        actions: [button("Declare queue", { kind: "primary", icon: "plus", disabled: Boolean(this.refusal), title: this.refusal, run: () => this.#declare() })],
      }),
      h("div", { class: "toolbar" },
        searchBox({ label: "Search queues", value: this.filters.q, placeholder: "Name, app or exchange", run: (q) => this.#set({ q }) }),
        this.apps, waiting, this.tally.node),
      this.trouble, this.table.node);
    this.#apps();
    this.#filter();
  }

  #table() {
    const { live, href, go } = this.context;
    const usage = (row) => live.queueUsage(row.app, row.name);
    const of = (member) => (row) => usage(row)?.[member] ?? null;
    const figureColumn = (member, words) => ({
      value: of(member), render: (row) => words(of(member)(row)), watch: (row) => words(of(member)(row)), align: "end", first: "down",
    });
    return createTable({
      label: "Queues",
      key: (row) => `${row.app}/${row.name}`,
      columns: [
        { id: "name", label: "Name", value: (row) => row.name, head: true, render: (row) => link(row.name, href("queues", row.app, row.name)) },
        { id: "app", label: "App", value: (row) => row.app, render: (row) => link(row.app, href("apps", row.app)) },
        { id: "depth", label: "Waiting", ...figureColumn("depth", count) },
        { id: "oldest", label: "Oldest", ...figureColumn("oldest_s"), watch: (row) => oldestWait(usage(row)), render: (row) => oldestWait(usage(row)) },
        { id: "in", label: "In", ...figureColumn("in_rate", rate), hide: "narrow" },
        { id: "out", label: "Out", ...figureColumn("out_rate", rate), hide: "narrow" },
        { id: "consumers", label: "Consumers", ...figureColumn("consumers", count),
          watch: (row) => JSON.stringify([of("consumers")(row), of("depth")(row)]), render: (row) => consumersTold(usage(row)) },
        { id: "note", label: "Note", value: (row) => usage(row)?.error ?? "", hide: "medium", class: "note-cell",
          render: (row) => (usage(row) ? usage(row).error || "" : h("span", { class: "quiet-note" }, "not looked at yet")),
          watch: (row) => usage(row)?.error ?? NOTHING },
        { id: "deeds", label: "", name: "Actions", value: () => "", sortable: false, align: "end", class: "deeds-cell",
          render: (row) => button("Purge", { small: true, kind: "quiet", disabled: Boolean(this.refusal), title: this.refusal || `Empty ${row.name}, with the count first`, run: () => purgeQueue(this.context, row) }) },
      ],
      sort: { by: this.context.query.get("sort") ?? "name", down: this.context.query.get("down") === "1" },
      onSort: ({ by, down }) => this.context.setQuery({ sort: by === "name" && !down ? "" : by, down }),
      open: (row) => go(href("queues", row.app, row.name)),
      tone: (row) => toneOfQueue(usage(row)),
      empty: () => this.#nothingYet(),
    });
  }

  #nothingYet() {
    return empty({
      icon: "queues", title: "No queue yet",
      body: [
        h("p", {}, "Work waits in queues until an instance that consumes from them takes it. Declare the first here, or with:"),
        code(`cyme -a shop queues.add orders\ncurl -X PUT ${location.origin}/shop/queues/orders/`, { copy: true }),
      ],
      actions: this.refusal ? [] : [button("Declare queue", { kind: "primary", icon: "plus", run: () => this.#declare() })],
    });
  }

  #show() {
    const { live } = this.context;
    const error = live.failures.queues;
    fill(this.trouble, error ? failed(error, () => live.reload()) : null);
    if (error && !live.queues.loaded) return;
    this.table.setRows(live.queues.all());
    this.#apps();
    this.#filter();
  }

  #apps() {
    const apps = [...new Set(this.context.live.apps.all().map((row) => row.name))].sort();
    const mark = apps.join();
    if (mark === this.drawnApps) return;
    this.drawnApps = mark;
    const known = this.filters.app && !apps.includes(this.filters.app) ? [this.filters.app, ...apps] : apps;
    fill(this.apps, select({
      label: "App", value: this.filters.app,
      options: [{ value: "", label: "All apps" }, ...known.map((value) => ({ value, label: value }))],
      run: (app) => this.#set({ app }),
    }));
  }

  #set(changes) {
    Object.assign(this.filters, changes);
    this.context.setQuery(changes);
    this.#filter();
  }

  #filter() {
    const { q, app, waiting } = this.filters;
    const { live } = this.context;
    const isNamed = wordTest(q, (row) => `${row.name} ${row.app} ${row.exchange ?? ""}`);
    const passes = (row) =>
      (!app || row.app === app) &&
      (!waiting || (live.queueUsage(row.app, row.name)?.depth ?? 0) > 0) &&
      isNamed(row);
    this.table.filter(q || app || waiting ? passes : null);
    this.tally.update(this.table);
  }

  async #declare() {
    const row = await declareQueue(this.context, { app: this.filters.app });
    if (row) this.context.go(this.context.href("queues", row.app, row.name));
  }
}

function toneOfQueue(usage) {
  if (!usage || usage.error) return usage?.error ? "warn" : "";
  if (usage.depth > 0 && usage.consumers === 0) return "bad";
  return usage.oldest_s > LONG_S ? "warn" : "";
}

function consumersTold(usage) {
  if (usage?.consumers === 0 && usage.depth > 0) return badge("none", "bad", "Messages wait and nobody takes them");
  return count(usage?.consumers ?? null);
}
