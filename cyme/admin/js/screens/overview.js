/* How the cluster does, at a glance: what needs somebody, how much is done, what waits. */

import { seriesChart, shareBar } from "../chart.js";
import { fill, h, icon, refill, write } from "../dom.js";
import { eventRow } from "../event-row.js";
import { bytes, count, figure, millis, oldestWait, percent, plural, rate } from "../format.js";
import { firstSteps } from "../first-steps.js";
import { alertList } from "../alert-list.js";
import { link, meter, notice, panel, screenHead } from "../parts.js";
import { createTable } from "../table.js";

export const title = "Overview";

const QUEUES_SHOWN = 8;
const EVENTS_SHOWN = 8;
const STATES = ["running", "starting", "pending", "stopping", "unresponsive", "backoff", "unknown", "disabled", "stopped"];
const STATE_TONES = { running: "ok", starting: "info", pending: "info", stopping: "info", unresponsive: "warn", backoff: "warn", unknown: "warn", disabled: "bad", stopped: "idle" };

export async function mount(root, context) {
  const { live, signal } = context;
  const lead = h("p", { class: "lead" });
  const place = h("div", { class: "stack" });
  const head = screenHead({ title: "Overview" });
  head.querySelector(".screen-title").append(lead);
  root.append(head, place);
  await live.ready;
  if (signal.aborted) return undefined;
  const parts = [steps(context), alerts(context), silent(context), tiles(context), throughput(context), states(context), queues(context), events(context)];
  const [guide, alerting, missing, figures, chart, bar, deepest, latest] = parts;
  fill(
    place, alerting.node, guide.node, missing.node, figures.node, chart.node,
    h("div", { class: "columns" }, h("div", { class: "stack" }, bar.node, deepest.node), latest.node),
  );
  const update = () => {
    for (const part of parts) part.update();
    write(lead, summary(context));
  };
  update();
  const ends = [live.vitals, live.instances, live.apps, live.queues, live.branches, live.events].map((store) => store.subscribe(update));
  return () => {
    ends.forEach((end) => end());
    deepest.table.destroy();
  };
}

function summary({ live, session }) {
  const alive = live.branches.all().filter((branch) => branch.state === "alive").length;
  return `Cluster ${session.cluster}: ${plural(alive, "branch", "branches")} alive, ${plural(live.apps.size, "app")}, ${plural(live.instances.size, "instance")}, ${plural(live.queues.size, "queue")}.`;
}

function steps(context) {
  const guide = firstSteps(context);
  return { node: guide.node, update: guide.update };
}

function alerts({ live, href, session }) {
  const list = alertList({ href, session });
  const node = panel({ title: "Needs attention", flush: true }, list.node);
  node.classList.add("alerts");
  return {
    node,
    update: () => {
      const found = live.vitals.get()?.alerts ?? [];
      node.hidden = found.length === 0;
      list.update(found);
    },
  };
}

/** Tells whose figures did not come, so that nobody takes the sums below for the whole. */
function silent({ live }) {
  const node = h("div", { role: "status" });
  return {
    node,
    update: () => {
      const names = live.vitals.get()?.missing ?? [];
      node.hidden = names.length === 0;
      refill(node, names, () => names.length > 0 && notice({
        kind: "warn",
        title: `No figures came from ${names.join(", ")}`,
        body: "What their workers do is not counted below, and queues that they look after may be left out. The others go on.",
      }));
    },
  };
}

// --- figures ------------------------------------------------------------------------------------

function tiles({ live, href }) {
  const tasks = () => live.vitals.get()?.tasks;
  const running = () => live.instances.all().filter((row) => row.state === "running").length;
  const queued = () => (live.vitals.get()?.queues ?? []).map((row) => row.depth).filter((depth) => depth !== null);
  const usage = () => Object.values(live.vitals.get()?.instances ?? {});
  const memory = () => usage().reduce((sum, each) => sum + (each.memory_bytes ?? 0), 0);
  const cpu = () => usage().reduce((sum, each) => sum + (each.cpu ?? 0), 0);
  const failing = () => {
    const all = tasks();
    const done = (all?.succeeded ?? 0) + (all?.failed ?? 0);
    return done ? all.failed / done : null;
  };
  const made = [
    tile("Tasks a second", href("tasks"), () => figure(tasks()?.rate), () => `${count(tasks()?.succeeded)} done in 10 minutes`),
    tile("Failures", href("tasks", { state: "FAILURE" }), () => (failing() === null ? "–" : percent(failing())), () => `${count(tasks()?.failed)} failed, ${count(tasks()?.retried)} retried`, () => (failing() > 0.05 ? "bad" : "")),
    tile("Instances running", href("instances"), () => `${count(running())} of ${count(live.instances.size)}`, () => `on ${plural(new Set(live.instances.all().map((row) => row.branch)).size, "branch", "branches")}`, () => ""),
    tile("Messages waiting", href("queues"), () => count(queued().reduce((sum, each) => sum + each, 0)), () => `in ${plural(queued().length, "queue")}`),
    tile("Workers use", href("instances", { sort: "cpu", down: 1 }), () => bytes(memory()), () => `${figure(cpu())} processors`),
  ];
  return { node: h("ul", { class: "tiles", aria: { label: "Figures" } }, made.map((each) => each.node)), update: () => made.forEach((each) => each.update()) };
}

function tile(name, address, value, note, tone = () => "") {
  const figureNode = h("span", { class: "tile-value" });
  const noteNode = h("span", { class: "tile-note" });
  const node = h("li", {}, h("a", { class: "tile", href: address }, h("span", { class: "tile-name" }, name), figureNode, noteNode));
  return {
    node,
    update: () => {
      write(figureNode, value());
      write(noteNode, note());
      figureNode.className = `tile-value ${tone()}`;
    },
  };
}

function throughput({ live }) {
  const chart = seriesChart({
    label: "Tasks a second in the last ten minutes", unit: "/s", height: 190,
    series: [{ name: "Failed", tone: "bad" }, { name: "Succeeded", tone: "accent" }],
  });
  const none = h("p", { class: "chart-none" }, "No task has been worked on in the last ten minutes.");
  const node = panel({ title: "Throughput", note: "tasks a second, the last ten minutes" }, chart.node, none);
  return {
    node,
    update: () => {
      const { tasks, as_of } = live.vitals.get() ?? {};
      const step = tasks?.series.length > 1 ? tasks.series[1][0] - tasks.series[0][0] : 10;
      // A span that is not over holds too little, and would be drawn as a fall.
      const series = (tasks?.series ?? []).filter(([at]) => (at + step) * 1000 <= millis(as_of));
      chart.update(series.map(([at, succeeded, failed]) => [at, failed / step, succeeded / step]));
      const isQuiet = series.every(([, succeeded, failed]) => !succeeded && !failed);
      none.hidden = !isQuiet;
      chart.node.hidden = isQuiet;
    },
  };
}

function states({ live, href }) {
  const bar = shareBar({ label: "Instances by state" });
  const none = h("p", { class: "quiet" }, "There are no instances yet.");
  const node = panel({ title: "Instances by state", actions: [link("All instances", href("instances"))] }, bar.node, none);
  return {
    node,
    update: () => {
      const counts = {};
      for (const row of live.instances.all()) counts[row.state] = (counts[row.state] ?? 0) + 1;
      bar.update(STATES.filter((state) => counts[state]).map((state) => ({ name: state, value: counts[state], tone: STATE_TONES[state], href: href("instances", { state }) })));
      none.hidden = live.instances.size > 0;
      bar.node.hidden = live.instances.size === 0;
    },
  };
}

// --- queues and events --------------------------------------------------------------------------

function queues({ live, href, go }) {
  let deepest = 1;
  const table = createTable({
    label: "Deepest queues",
    key: (row) => `${row.app}/${row.name}`,
    columns: [
      { id: "name", label: "Queue", head: true, sortable: false, value: (row) => row.name, render: (row) => [link(row.name, href("queues", row.app, row.name), { class: "strong" }), h("span", { class: "quiet of-app" }, row.app)] },
      { id: "depth", label: "Waiting", align: "end", sortable: false, value: (row) => row.depth, render: (row) => count(row.depth) },
      { id: "bar", label: "", name: "Depth as a bar", sortable: false, hide: "medium", card: "none", width: "16%", value: (row) => `${row.depth}/${deepest}`, render: (row) => meterOf(row, deepest) },
      { id: "oldest", label: "Oldest", align: "end", sortable: false, hide: "medium", value: (row) => row.oldest_s, watch: oldestWait, render: oldestWait },
      { id: "in", label: "In", align: "end", sortable: false, value: (row) => row.in_rate, render: (row) => rate(row.in_rate) },
      { id: "out", label: "Out", align: "end", sortable: false, value: (row) => row.out_rate, render: (row) => rate(row.out_rate) },
      { id: "consumers", label: "Consumers", align: "end", sortable: false, value: (row) => row.consumers, render: (row) => h("span", { class: row.consumers === 0 && row.depth ? "bad" : "" }, count(row.consumers)) },
    ],
    sort: { by: "depth", down: true },
    open: (row) => go(href("queues", row.app, row.name)),
    tone: (row) => (row.error ? "warn" : row.consumers === 0 && row.depth ? "bad" : ""),
    empty: () => h("p", { class: "table-none" }, live.queues.size ? "What waits in the queues is asked for every few seconds; it appears here." : "No queue is declared yet."),
  });
  const node = panel({ title: "Deepest queues", flush: true, actions: [link("All queues", href("queues"))] }, table.node);
  return {
    node,
    table,
    update: () => {
      const rows = [...(live.vitals.get()?.queues ?? [])].sort((a, b) => (b.depth ?? -1) - (a.depth ?? -1)).slice(0, QUEUES_SHOWN);
      deepest = Math.max(1, ...rows.map((row) => row.depth ?? 0));
      table.setRows(rows);
    },
  };
}

function meterOf(row, most) {
  const bar = meter(row.depth, most, `${row.name} holds ${row.depth ?? "an unknown number of"} messages`).node;
  delete bar.dataset.tone;
  return bar;
}

function events({ live, href }) {
  const list = h("ol", { class: "feed" });
  const node = panel({ title: "Latest events", flush: true, actions: [link("All events", href("events"))] }, list);
  let newest = null;
  return {
    node,
    update: () => {
      const latest = live.events.all().slice(0, EVENTS_SHOWN);
      if (latest.length && latest[0] === newest) return;
      newest = latest[0] ?? null;
      fill(list, latest.length ? latest.map((event) => h("li", {}, eventRow(event, href))) : h("li", { class: "table-none" }, icon("events"), " Nothing has happened yet."));
    },
  };
}

