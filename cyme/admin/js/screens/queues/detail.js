/* One queue: what waits in it, who consumes from it, and how it is declared. */

import { fill, h, refill, write } from "../../dom.js";
import { count, oldestWait, rate } from "../../format.js";
import { roleRefusal } from "../../instance-deeds.js";
import { button, code, empty, facts, failed, iconButton, link, notice, panel, screenHead, select, stateBadge } from "../../parts.js";
import { declareQueue, purgeQueue, removeQueue } from "../../queue-deeds.js";
import { toast } from "../../toast.js";
import { loaded, waiting } from "../../waiting.js";

const LOOK_MS = 5_000;

export async function mountDetail(root, context) {
  const [app, name] = context.params;
  context.setTitle?.(name);
  fill(root, screenHead({ title: name, back: back(context) }), waiting());
  await loaded(context.live, "queues", "instances");
  if (context.signal?.aborted) return () => {};
  const screen = new QueueScreen(root, context, app, name);
  return () => screen.close();
}

const back = ({ href }) => ({ href: href("queues"), label: "Queues" });

const FIGURES = [
  ["Waiting", (usage) => count(usage.depth)],
  ["Oldest waits for", oldestWait],
  ["In", (usage) => rate(usage.in_rate)],
  ["Out", (usage) => rate(usage.out_rate)],
  ["Consumers", (usage) => count(usage.consumers)],
];

class QueueScreen {
  constructor(root, context, app, name) {
    Object.assign(this, { root, context, app, name });
    this.key = `${app}/${name}`;
    this.path = context.api.path(app, "queues", name);
    const { live } = context;
    this.unsubscribe = [
      live.queues.subscribe(({ changed, gone }) => (changed.has(this.key) || gone.has(this.key)) && this.#draw()),
      live.instances.subscribe(() => this.panels && this.#drawConsumers()),
      live.vitals.subscribe(() => this.panels && this.#drawFigures(live.queueUsage(app, name))),
    ];
    this.#draw();
    if (this.panels) void this.#look();
    this.timer = setInterval(() => !document.hidden && this.panels && !live.queueUsage(app, name) && void this.#look(), LOOK_MS);
  }

  close() {
    clearInterval(this.timer);
    for (const each of this.unsubscribe) each();
  }

  #draw() {
    const row = this.context.live.queues.get(this.key);
    if (!row) {
      this.#drawGone();
      return;
    }
    if (!this.panels) this.#build();
    fill(this.panels.declaration, facts([
      ["App", link(this.app, this.context.href("apps", this.app))],
      ["Exchange", row.exchange ?? `not set (${this.name})`],
      ["Exchange type", row.exchange_type ?? "not set (direct)"],
      ["Routing key", row.routing_key ?? `not set (${this.name})`],
      ["Options", row.options ? code(JSON.stringify(row.options, null, 2)) : "none"],
    ]));
    this.#drawConsumers();
    this.#drawFigures(this.context.live.queueUsage(this.app, this.name));
  }

  #drawGone() {
    const { context, app, name } = this;
    this.panels = null;
    const error = context.live.failures.queues;
    fill(this.root, screenHead({ title: name, back: back(context) }),
      error ? failed(error, () => context.live.reload()) : empty({
        icon: "queues", title: `The app ${app} has no queue ${name}`,
        body: [h("p", {}, "It was deleted, or is in another app. This declares it:"), code(`cyme -a ${app} queues.add ${name}`, { copy: true })],
        actions: [button("All queues", { run: () => context.go("queues") })],
      }));
  }

  #build() {
    const { context } = this;
    const refusal = roleRefusal(context.session);
    const guarded = { disabled: Boolean(refusal), title: refusal };
    const row = { app: this.app, name: this.name };
    this.figures = FIGURES.map(([label, words]) => ({ label, words, node: h("dd", {}) }));
    this.panels = { trouble: h("div"), consumers: h("div"), declaration: h("div") };
    fill(this.root,
      screenHead({
        title: this.name, back: back(context), lead: h("span", {}, "A queue of ", link(this.app, context.href("apps", this.app))),
        actions: [
          button("Queue a URL", { icon: "tasks", run: () => context.go(context.href("tasks", { app: this.app, queue: this.name })) }),
          button("Change", { icon: "edit", run: () => this.#change(), ...guarded }),
          button("Purge", { icon: "drain", run: async () => (await purgeQueue(context, row)) !== undefined && this.#look(), ...guarded }),
          button("Delete", { icon: "trash", kind: "grave", run: async () => (await removeQueue(context, row)) && context.go("queues"), ...guarded }),
        ],
      }),
      h("dl", { class: "stat-row" }, this.figures.map((each) => h("div", { class: "stat" }, h("dt", {}, each.label), each.node))),
      this.panels.trouble,
      h("div", { class: "detail-grid" },
        h("div", { class: "detail-main" }, panel({ title: "Consumers", note: "Instances that take work from it." }, this.panels.consumers)),
        h("div", { class: "detail-side" }, panel({ title: "Declaration" }, this.panels.declaration))));
  }

  /** Asks for the figures of this moment. */
  async #look() {
    try {
      this.#drawFigures(await this.context.api.get(`${this.path}stats/`, { signal: this.context.signal }));
    } catch (error) {
      if (error.name !== "AbortError" && error.status !== 404 && this.panels) fill(this.panels.trouble, failed(error, () => this.#look()));
    }
  }

  #drawFigures(usage) {
    if (!usage || !this.panels) return;
    for (const { words, node } of this.figures) write(node, words(usage));
    const isStuck = usage.depth > 0 && usage.consumers === 0;
    const mark = usage.error || (isStuck ? "stuck" : "");
    if (mark === this.drawnTrouble) return;
    this.drawnTrouble = mark;
    fill(this.panels.trouble,
      usage.error ? notice({ kind: "warn", title: "It cannot be looked at", body: usage.error }) : null,
      !usage.error && isStuck ? notice({ kind: "warn", title: "Work waits and nobody takes it", body: "Add a consumer below, or start one that is stopped." }) : null);
  }

  #drawConsumers() {
    const { live, session, href } = this.context;
    const refusal = roleRefusal(session);
    const rows = live.instances.all().filter((row) => row.app === this.app).sort((a, b) => (a.name < b.name ? -1 : 1));
    const [mine, others] = [rows.filter((row) => row.queues.includes(this.name)), rows.filter((row) => !row.queues.includes(this.name))];
    const mark = [mine.map((row) => [row.name, row.state, row.reason]), others.map((row) => row.name)];
    refill(this.panels.consumers, mark, () => [
      mine.length
        ? h("ul", { class: "row-list" }, mine.map((row) => h("li", {},
          link(row.name, href("instances", row.name)), stateBadge(row.state, row.reason),
          h("span", { class: "row-note" }, row.state === "running" ? "" : row.reason),
          refusal ? null : h("span", { class: "row-end" }, iconButton(`Have ${row.name} stop consuming`, "close", () => this.#consumer("delete", row))))))
        : h("p", { class: "quiet-note" }, "Nobody consumes from it."),
      this.#adder(others, refusal),
    ]);
  }

  #adder(others, refusal) {
    if (refusal) return h("p", { class: "quiet-note" }, refusal);
    if (!others.length) {
      return h("p", { class: "quiet-note" }, "Every instance of the app consumes from it, or there is none: ",
        link("create one", this.context.href("instances", { app: this.app, create: 1 })), ".");
    }
    const chosen = this.panels.consumers.querySelector("select")?.value;
    const names = others.map((row) => row.name);
    const choice = select({ label: "Instance that is to consume", options: names, value: names.includes(chosen) ? chosen : names[0], run: () => {} });
    const add = () => this.#consumer("put", others.find((row) => row.name === choice.input.value));
    return h("div", { class: "inline-form" }, choice, button("Have it consume", { icon: "plus", run: add }));
  }

  async #consumer(verb, row) {
    const { api, live } = this.context;
    await api[verb](api.path(row.app, "instances", row.name, "queues", this.name));
    live.instances.put(await api.get(api.path(row.app, "instances", row.name)));
    toast(verb === "put" ? `${row.name} consumes from ${this.name}` : `${row.name} no longer consumes from ${this.name}`);
  }

  async #change() {
    const { data, tag } = await this.context.api.request("GET", this.path);
    await declareQueue(this.context, { app: this.app, before: { app: this.app, ...data }, tag });
  }
}
