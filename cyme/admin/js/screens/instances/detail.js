/* One instance: how it fares, what it consumes, how it is run, and what happened to it. */

import { deedButton } from "../../deed-dialogs.js";
import { field } from "../../dialog.js";
import { fill, h, keepFocus, refill, write } from "../../dom.js";
import { bytes, count, duration, figure, NOTHING, plural } from "../../format.js";
import { roleRefusal } from "../../instance-deeds.js";
import {
  breakable, button, empty, facts, failed, iconButton, link, meter, panel, screenHead, select, stateBadge, time,
} from "../../parts.js";
import { toast } from "../../toast.js";
import { loaded, waiting } from "../../waiting.js";
import { editWorker } from "../../worker-edit.js";
import { canGrow, fieldsOf, shownValue } from "../../worker-fields.js";

const EVENTS_SHOWN_MAX = 100;
const NOT_FOUND = 404;

export async function mountDetail(root, context) {
  const name = context.params[0];
  context.setTitle?.(name);
  fill(root, screenHead({ title: name, back: back(context) }), waiting());
  await loaded(context.live, "apps", "instances", "queues");
  if (context.signal?.aborted) return () => {};
  const screen = new InstanceScreen(root, context, name);
  return () => screen.close();
}

const back = ({ href }) => ({ href: href("instances"), label: "Instances" });

class InstanceScreen {
  constructor(root, context, name) {
    Object.assign(this, { root, context, name });
    this.path = null;
    this.drawn = "";
    this.unsubscribe = [
      context.live.instances.subscribe(({ changed, gone }) => {
        if (changed.has(name) || gone.has(name)) this.#draw();
      }),
      context.live.vitals.subscribe(() => this.#drawUsage()),
      context.live.events.subscribe((fresh) => this.#addEvents(fresh)),
      context.live.queues.subscribe(() => this.row && this.#drawQueues()),
    ];
    this.#draw();
  }

  close() {
    for (const each of this.unsubscribe) each();
  }

  get row() {
    return this.context.live.instances.get(this.name);
  }

  #draw() {
    const { row } = this;
    if (!row) {
      this.#drawGone();
      return;
    }
    if (!this.panels) this.#build(row);
    fill(this.mark, stateBadge(row.state));
    write(this.reason, row.reason);
    for (const deed of this.deeds) deed.refresh();
    this.#drawFacts(row);
    const settings = JSON.stringify([row.version, row.branch, row.queues]);
    if (settings !== this.drawn) {
      this.drawn = settings;
      this.#drawQueues();
      this.#drawLimits(row);
      this.#drawSettings(row);
    }
    this.#drawUsage();
  }

  #drawGone() {
    const { context, name } = this;
    this.panels = null;
    this.drawn = "";
    const error = context.live.failures.instances;
    const isLeft = this.root.contains(document.activeElement);
    fill(this.root, screenHead({ title: name, back: back(context) }),
      error && error.status !== NOT_FOUND
        ? failed(error, () => context.live.reload())
        : empty({
          icon: "instances", title: `There is no instance ${name}`,
          body: "It was deleted, or its name is another.",
          actions: [button("All instances", { run: () => context.go("instances") })],
        }));
    // Whoever deleted it here goes on from here.
    if (isLeft) this.root.querySelector("h1").focus({ preventScroll: true });
  }

  #build(row) {
    const { context } = this;
    this.path = context.api.path(row.app, "instances", row.name);
    this.mark = h("span", { class: "instance-state", role: "status" });
    this.reason = h("span", {});
    const rows = () => (this.row ? [this.row] : []);
    this.deeds = ["start", "stop", "restart", "move", "remove"].map((deed) => deedButton(context, deed, rows));
    this.chips = h("div");
    this.adder = h("div");
    this.panels = { facts: h("div"), queues: h("div", {}, this.chips, this.adder), limits: h("div"), settings: h("div"), processes: h("div"), events: h("div") };
    this.editButton = button("Edit", { icon: "edit", small: true, run: () => this.#edit() });
    this.pinButton = button("Pin", { small: true, run: () => this.#pin() });
    for (const each of [this.editButton, this.pinButton]) this.#guard(each);
    fill(this.root,
      screenHead({
        title: row.name, badge: this.mark, lead: this.reason, back: back(context),
        actions: [button("Log", { icon: "logs", run: () => context.go(context.href("logs", { instance: row.name })) }), ...this.deeds],
      }),
      h("div", { class: "detail-grid" },
        h("div", { class: "detail-main" },
          panel({ title: "Now", actions: [this.pinButton] }, this.panels.facts),
          panel({ title: "Queues it consumes" }, this.panels.queues),
          panel({ title: "What happened", note: "The latest first.", flush: true }, this.panels.events)),
        h("div", { class: "detail-side" },
          panel({ title: "Concurrency" }, this.panels.limits),
          panel({ title: "Settings", actions: [this.editButton] }, this.panels.settings),
          panel({ title: "Processes" }, this.panels.processes))));
    void this.#loadEvents();
  }

  #guard(node) {
    const refusal = roleRefusal(this.context.session);
    if (!refusal) return;
    node.disabled = true;
    node.title = refusal;
  }

  #drawFacts(row) {
    const { href } = this.context;
    write(this.pinButton.querySelector(".button-label"), row.pinned ? "Unpin" : "Pin");
    if (!this.pinButton.disabled) this.pinButton.title = row.pinned ? `Let it move away from ${row.branch}` : `Keep it on ${row.branch}`;
    this.usage = {
      uptime: h("span"), cpu: h("span"), memory: h("span"), slots: h("span"), bar: meter(0, 1, "Busy slots"),
    };
    fill(this.panels.facts, facts([
      ["App", link(row.app, href("apps", row.app))],
      ["Branch", h("span", {}, link(row.branch, href("branches", row.branch)), row.pinned ? " (pinned)" : "")],
      [`${row.state[0].toUpperCase()}${row.state.slice(1)} since`, this.#since(row) ? time(this.#since(row)) : NOTHING],
      ["Up", this.usage.uptime],
      ["Restarts", h("span", {}, count(row.restarts))],
      ["CPU", this.usage.cpu],
      ["Memory", this.usage.memory],
      ["Slots", h("span", { class: "slots" }, this.usage.slots, this.usage.bar.node)],
      ["Created", time(row.created_at)],
      ["Changed", time(row.updated_at)],
    ]));
  }

  /** Nothing is known of it since its branch is away; the record tells only when it was created. */
  #since(row) {
    if (row.state !== "unknown") return row.since;
    const branch = this.context.live.branches.get(row.branch);
    return branch && branch.state !== "alive" ? branch.since : null;
  }

  async #pin() {
    const pinned = !this.row.pinned;
    const after = await this.context.api.put(this.path, { body: { pinned } });
    this.context.live.instances.put(after);
    toast(pinned ? `${this.name} stays on ${after.branch}` : `${this.name} may move to other branches`);
  }

  #drawUsage() {
    const { row } = this;
    if (!row || !this.usage) return;
    const vitals = row.pids.length ? this.context.live.usage(this.name) : undefined;
    write(this.usage.uptime, duration(vitals?.uptime_s));
    write(this.usage.cpu, vitals?.cpu === null || vitals?.cpu === undefined ? NOTHING : `${figure(vitals.cpu * 100)} %`);
    write(this.usage.memory, bytes(vitals?.memory_bytes));
    const slots = vitals?.slots ?? null;
    write(this.usage.slots, slots === null ? NOTHING : `${vitals.busy ?? 0} of ${slots} busy`);
    this.usage.bar.node.hidden = slots === null;
    this.usage.bar.update(vitals?.busy ?? 0, slots ?? 1);
    this.#drawProcesses(row, vitals);
    this.#drawWaiting();
  }

  #drawProcesses(row, vitals) {
    const wanted = row.pids.join();
    if (this.pids === wanted) return;
    this.pids = wanted;
    if (!row.pids.length) {
      fill(this.panels.processes, h("p", { class: "quiet-note" }, "None: it does not run."));
      return;
    }
    fill(this.panels.processes,
      h("ul", { class: "process-list" }, row.pids.map((pid, index) => h("li", {},
        h("code", {}, String(pid)), index === 0 ? " main process" : " child"))),
      h("p", { class: "quiet-note" }, `On branch ${row.branch}. ${vitals ? "CPU and memory above count all of them." : ""}`));
  }

  // --- queues ------------------------------------------------------------------------------------

  #drawQueues() {
    const { row, context } = this;
    if (!this.panels) return;
    const refusal = roleRefusal(context.session);
    const known = context.live.queues.all().filter((queue) => queue.app === row.app).map((queue) => queue.name);
    const free = known.filter((name) => !row.queues.includes(name)).sort();
    keepFocus(this.panels.queues, () => {
      refill(this.chips, row.queues, () => (row.queues.length
        ? h("ul", { class: "queue-chips" }, row.queues.map((name) => this.#queueChip(row, name, refusal)))
        : h("p", { class: "quiet-note" }, "None but its own: it gets only what is sent to it by name.")));
      refill(this.adder, free, () => (refusal ? h("p", { class: "quiet-note" }, refusal) : this.#queueAdder(row, free)));
    });
    this.#drawWaiting();
  }

  #drawWaiting() {
    for (const note of this.chips?.querySelectorAll(".chip-note") ?? []) {
      const depth = this.context.live.queueUsage(this.row.app, note.dataset.queue)?.depth ?? null;
      write(note, depth === null ? "" : `${count(depth)} waiting`);
    }
  }

  #queueChip(row, name, refusal) {
    const { href } = this.context;
    return h("li", { class: "queue-chip" },
      link(name, href("queues", row.app, name)),
      h("span", { class: "chip-note", dataset: { queue: name } }),
      refusal ? null : iconButton(`Stop consuming from ${name}`, "close", () => this.#cancel(name)));
  }

  #queueAdder(row, free) {
    if (!free.length) {
      return h("p", { class: "quiet-note" }, "It consumes from every queue of its app. ",
        link("Declare another", this.context.href("queues", { app: row.app, create: 1 })), ".");
    }
    const chosen = this.adder.querySelector("select")?.value;
    const value = free.includes(chosen) ? chosen : free[0];
    const choice = select({ label: "Queue to consume from", options: free, value, run: () => {} });
    return h("div", { class: "inline-form" }, choice,
      button("Consume from it", { icon: "plus", run: () => this.#consume(choice.input.value) }));
  }

  async #consume(queue) {
    await this.#changeConsumer("put", queue, `${this.name} consumes from ${queue}`);
  }

  async #cancel(queue) {
    await this.#changeConsumer("delete", queue, `${this.name} no longer consumes from ${queue}`);
  }

  async #changeConsumer(verb, queue, words) {
    const { api, live } = this.context;
    const { row } = this;
    await api[verb](api.path(row.app, "instances", row.name, "queues", queue));
    live.instances.put(await api.get(this.path));
    toast(words);
  }

  // --- limits ------------------------------------------------------------------------------------

  #drawLimits(row) {
    if (this.panels.limits.contains(document.activeElement)) return;
    const refusal = roleRefusal(this.context.session);
    if (!canGrow(row.pool)) {
      fill(this.panels.limits, h("p", {}, `${plural(row.max_concurrency, "task")} at a time.`),
        h("p", { class: "quiet-note" }, `The pool ${row.pool} cannot change that while it runs: edit the settings, and it restarts.`));
      return;
    }
    const attributes = { min: "1", max: "10000", inputmode: "numeric", disabled: Boolean(refusal) };
    const least = field({ name: "min", label: "Always ready", type: "number", value: row.min_concurrency, attributes });
    const most = field({ name: "max", label: "At most", type: "number", value: row.max_concurrency, attributes });
    const form = h("form", { class: "limits-form", novalidate: true }, least.node, most.node,
      button("Set", { type: "submit", disabled: Boolean(refusal), title: refusal }));
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      void this.#setLimits(least, most);
    });
    fill(this.panels.limits, form, h("p", { class: "quiet-note" }, "Taken at once, without a restart. Between the two the worker grows and shrinks by itself."));
  }

  async #setLimits(least, most) {
    const { api, live } = this.context;
    least.say("");
    most.say("");
    const [min, max] = [least.value(), most.value()];
    const wrong = (value) => !Number.isInteger(value) || value < 1;
    if (wrong(min)) return least.say("A whole number, 1 or more.");
    if (wrong(max)) return most.say("A whole number, 1 or more.");
    if (min > max) return least.say("Not more than the most.");
    try {
      await api.put(api.path(this.row.app, "instances", this.name, "autoscale"), { body: { min, max } });
      live.instances.put(await api.get(this.path));
      toast(`${this.name} runs ${min === max ? max : `${min} to ${max}`} at a time`);
    } catch (error) {
      most.say(error.errors?.[0]?.detail ?? error.detail ?? error.message);
    }
    return undefined;
  }

  // --- settings ----------------------------------------------------------------------------------

  #drawSettings(row) {
    const shown = fieldsOf("instance").filter((each) => !["queues", "min_concurrency", "max_concurrency"].includes(each.name));
    fill(this.panels.settings, facts(shown.map((each) => [each.label, h("span", { class: "setting-value" }, breakable(shownValue(each, row[each.name])))])));
  }

  async #edit() {
    const { api, live, session } = this.context;
    const after = await editWorker({ noun: "instance", path: this.path, name: this.name, api, live, session });
    if (!after) return;
    live.instances.put(after);
    toast(`${this.name} was changed`);
  }

  // --- history -----------------------------------------------------------------------------------

  async #loadEvents() {
    const { api } = this.context;
    const place = this.panels.events;
    try {
      const events = await api.get(`${this.path}events/`);
      this.events = events.toReversed();
      this.#drawEvents();
    } catch (error) {
      fill(place, failed(error, () => this.#loadEvents()));
    }
  }

  #addEvents(fresh) {
    if (!this.events || !this.panels) return;
    const mine = fresh.filter((event) => event.instance === this.name);
    const known = new Set(this.events.map((event) => `${event.at} ${event.kind}`));
    const added = mine.filter((event) => !known.has(`${event.at} ${event.kind}`));
    if (!added.length) return;
    this.events = [...added, ...this.events].slice(0, EVENTS_SHOWN_MAX);
    this.#drawEvents();
  }

  #drawEvents() {
    fill(this.panels.events, this.events.length
      ? h("ol", { class: "event-list" }, this.events.slice(0, EVENTS_SHOWN_MAX).map((event) => h("li", {},
        h("span", { class: "event-kind" }, event.kind.replace("instance.", "")),
        h("span", { class: "event-reason" }, event.reason),
        time(event.at))))
      : h("p", { class: "quiet-note" }, "Nothing yet since its branch started."));
  }
}
