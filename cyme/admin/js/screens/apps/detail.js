/* One app: how its workers are run, its instances and its queues. */

import { namesTold } from "../../diff-view.js";
import { confirm } from "../../dialog.js";
import { fill, h, refill } from "../../dom.js";
import { count, plural } from "../../format.js";
import { createInstance } from "../../instance-create.js";
import { roleRefusal } from "../../instance-deeds.js";
import { breakable, button, code, empty, facts, failed, link, panel, screenHead, stateBadge, time } from "../../parts.js";
import { toast } from "../../toast.js";
import { loaded, waiting } from "../../waiting.js";
import { editWorker } from "../../worker-edit.js";
import { fieldsOf, shownValue } from "../../worker-fields.js";

const INSTANCES_SHOWN_MAX = 50;

export async function mountDetail(root, context) {
  const name = context.params[0];
  context.setTitle?.(name);
  fill(root, screenHead({ title: name, back: back(context) }), waiting());
  await loaded(context.live, "apps", "instances", "queues");
  if (context.signal?.aborted) return () => {};
  const screen = new AppScreen(root, context, name);
  return () => screen.close();
}

const back = ({ href }) => ({ href: href("apps"), label: "Apps" });

class AppScreen {
  constructor(root, context, name) {
    Object.assign(this, { root, context, name });
    const { live } = context;
    this.unsubscribe = [
      live.apps.subscribe(({ changed, gone }) => (changed.has(name) || gone.has(name)) && this.#draw()),
      live.instances.subscribe(() => this.panels && this.#drawInstances()),
      live.queues.subscribe(() => this.panels && this.#drawQueues()),
      live.vitals.subscribe(() => this.panels && this.#drawQueues()),
    ];
    this.#draw();
  }

  close() {
    for (const each of this.unsubscribe) each();
  }

  get instances() {
    return this.context.live.instances.all().filter((row) => row.app === this.name).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  get queues() {
    return this.context.live.queues.all().filter((row) => row.app === this.name).sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #draw() {
    const { context, name } = this;
    const row = context.live.apps.get(name);
    if (!row) {
      this.#drawGone();
      return;
    }
    if (!this.panels) this.#build(row);
    const shown = fieldsOf("app");
    fill(this.panels.settings, facts([
      ...shown.map((each) => [each.label, h("span", { class: "setting-value" }, breakable(shownValue(each, row[each.name])))]),
      ["Created", time(row.created_at)], ["Changed", time(row.updated_at)],
    ]));
    this.#drawInstances();
    this.#drawQueues();
  }

  #drawGone() {
    const { context, name } = this;
    this.panels = null;
    const error = context.live.failures.apps;
    fill(this.root, screenHead({ title: name, back: back(context) }),
      error ? failed(error, () => context.live.reload()) : empty({
        icon: "apps", title: `There is no app ${name}`,
        body: [h("p", {}, "It was deleted, or its name is another. This makes one of that name:"), code(`cyme apps.add ${name}`, { copy: true })],
        actions: [button("All apps", { run: () => context.go("apps") })],
      }));
  }

  #build(row) {
    const { context, name } = this;
    const refusal = roleRefusal(context.session);
    const guarded = { disabled: Boolean(refusal), title: refusal };
    this.panels = { settings: h("div"), instances: h("div"), queues: h("div") };
    fill(this.root,
      screenHead({
        title: row.name, back: back(context),
        lead: "Its settings are the defaults of its instances.",
        actions: [
          button("Edit", { icon: "edit", kind: "primary", run: () => this.#edit(), ...guarded }),
          button("Delete", { icon: "trash", kind: "grave", run: () => this.#remove(), ...guarded }),
        ],
      }),
      h("div", { class: "detail-grid" },
        h("div", { class: "detail-main" },
          panel({
            title: "Instances", flush: true,
            actions: [button("Create instance", { icon: "plus", small: true, run: () => this.#create(), ...guarded })],
          }, this.panels.instances),
          panel({
            title: "Queues", flush: true,
            actions: [button("Declare queue", { icon: "plus", small: true, run: () => context.go(context.href("queues", { app: name, create: 1 })), ...guarded })],
          }, this.panels.queues)),
        h("div", { class: "detail-side" }, panel({ title: "Settings" }, this.panels.settings))));
  }

  #drawInstances() {
    const rows = this.instances;
    const mark = rows.map((row) => [row.name, row.state, row.reason, row.branch, row.queues]);
    refill(this.panels.instances, mark, () => this.#instancesTold(rows));
  }

  #instancesTold(rows) {
    const { href } = this.context;
    if (!rows.length) {
      return empty({
        icon: "instances", title: "No instance yet",
        body: [h("p", {}, "Nothing runs for this app before it has an instance:"), code(`cyme -a ${this.name} instances.add w1`, { copy: true })],
      });
    }
    return [
      h("ul", { class: "row-list" }, rows.slice(0, INSTANCES_SHOWN_MAX).map((row) => h("li", {},
        link(row.name, href("instances", row.name)), stateBadge(row.state, row.reason),
        h("span", { class: "row-note" }, row.state === "running" ? row.queues.join(", ") || "own queue only" : row.reason),
        h("span", { class: "row-end" }, link(row.branch, href("branches", row.branch)))))),
      rows.length > INSTANCES_SHOWN_MAX
        ? h("p", { class: "row-more" }, link(`All ${count(rows.length)} instances`, href("instances", { app: this.name })))
        : null,
    ];
  }

  #drawQueues() {
    const rows = this.queues.map((row) => ({ row, usage: this.context.live.queueUsage(row.app, row.name) }));
    const mark = rows.map(({ row, usage }) => [row.name, usage && [usage.depth, usage.consumers, usage.error]]);
    refill(this.panels.queues, mark, () => this.#queuesTold(rows));
  }

  #queuesTold(rows) {
    const { href } = this.context;
    if (!rows.length) {
      return empty({
        icon: "queues", title: "No queue yet",
        body: [h("p", {}, "A queue is where work waits for the instances that consume from it:"), code(`cyme -a ${this.name} queues.add orders`, { copy: true })],
      });
    }
    return h("ul", { class: "row-list" }, rows.map(({ row, usage }) => (
      h("li", {}, link(row.name, href("queues", row.app, row.name)),
        h("span", { class: "row-note" }, usage?.error || ""),
        h("span", { class: "row-end" }, usage ? `${count(usage.depth)} waiting, ${plural(usage.consumers ?? 0, "consumer")}` : "")))));
  }

  async #edit() {
    const { api, live, session } = this.context;
    const after = await editWorker({ noun: "app", path: api.path(this.name), name: this.name, api, live, session });
    if (!after) return;
    live.apps.put(after);
    toast(`The app ${this.name} was changed`);
  }

  async #create() {
    const name = await createInstance(this.context, { app: this.name });
    if (name) this.context.go(this.context.href("instances", name));
  }

  async #remove() {
    const { api, live, go } = this.context;
    const [instances, queues] = [this.instances, this.queues];
    const isSure = await confirm({
      title: `Delete the app ${this.name}?`,
      body: h("div", {},
        h("p", {}, instances.length || queues.length ? "With it go:" : "It has no instances and no queues."),
        h("ul", { class: "consequences" },
          instances.length ? h("li", { class: "consequence is-grave" }, h("strong", {}, plural(instances.length, "instance")), ": ", namesTold(instances.map((row) => row.name)), ". Their workers end.") : null,
          queues.length ? h("li", { class: "consequence" }, h("strong", {}, plural(queues.length, "declaration of a queue", "declarations of queues")), ": ", namesTold(queues.map((row) => row.name)), ". Messages in the broker stay.") : null)),
      action: "Delete",
      danger: true,
      typed: instances.length || queues.length ? this.name : "",
    });
    if (!isSure) return;
    await api.delete(api.path(this.name), { query: instances.length ? { force: true } : {} });
    for (const row of instances) live.instances.drop(row.name);
    for (const row of queues) live.queues.drop(`${row.app}/${row.name}`);
    live.apps.drop(this.name);
    toast(`The app ${this.name} was deleted`);
    go("apps");
  }
}
