/* The branches: how each does, and what can be done with it.

   This screen is the model of the others: a head, a table that lives from a store, a bar of filters
   that is kept in the address, deeds in dialogs, and an unmount that ends every subscription. */

import { confirm, openDialog } from "../dialog.js";
import { fill, h, keepFocus } from "../dom.js";
import { bytes, duration, figure, NOTHING, percent, plural } from "../format.js";
import { badge, button, empty, failed, link, liveFacts, notice, outside, panel, screenHead, searchBox, stateBadge, time } from "../parts.js";
import { createTable } from "../table.js";
import { tally } from "../table-bars.js";
import { toast } from "../toast.js";

export const title = "Branches";

export function mount(root, context) {
  return context.params.length ? mountOne(root, context, context.params[0]) : mountAll(root, context);
}

// --- all ----------------------------------------------------------------------------------------

function mountAll(root, { api, live, go, href, query, setQuery, session }) {
  const vitals = (row) => live.vitals.get()?.branches?.[row.id];
  const load = (row) => vitals(row)?.load ?? row.load;
  const lag = (row) => vitals(row)?.hub_lag_s ?? row.hub_lag_s;
  const memory = (row) => vitals(row)?.memory_bytes ?? null;
  const instances = (row) => vitals(row)?.instances ?? row.instances;
  const table = createTable({
    label: "Branches",
    key: (row) => row.id,
    columns: [
      {
        id: "id", label: "Branch", head: true, value: (row) => row.id,
        render: (row) => [link(row.id, href("branches", row.id), { class: "strong" }), row.id === session.branch && badge("this page", "accent")],
      },
      { id: "state", label: "State", value: (row) => row.state, watch: stateWatch, render: stateCell },
      { id: "instances", label: "Instances", align: "end", first: "down", value: instances, render: (row) => link(figure(instances(row)), href("instances", { branch: row.id })) },
      { id: "load", label: "Load", align: "end", first: "down", value: load, render: (row) => figure(load(row)) },
      { id: "lag", label: "Lag", align: "end", first: "down", hide: "medium", value: lag, render: (row) => lagCell(lag(row)) },
      { id: "memory", label: "Own memory", align: "end", first: "down", hide: "medium", value: memory, render: (row) => bytes(memory(row)) },
      { id: "version", label: "Version", hide: "narrow", value: (row) => row.version },
      { id: "heard", label: "Heard", align: "end", hide: "narrow", value: heardValue, render: (row) => (row.id === session.branch ? NOTHING : heardCell(row)) },
      {
        id: "page", label: "", name: "Its own page", align: "end", sortable: false, value: (row) => row.url,
        watch: (row) => row.url && row.state, render: (row) => hasPage(row, session) && outside("Its page", `${row.url}/admin/`),
      },
    ],
    sort: { by: query.get("by") ?? "id", down: query.get("down") === "1" },
    onSort: ({ by, down }) => setQuery({ by: by === "id" ? "" : by, down }),
    open: (row) => go(href("branches", row.id)),
    tone: (row) => ({ failed: "bad", suspect: "warn" })[row.state] ?? "",
    empty: () => (live.failures.branches ? failed(live.failures.branches, () => live.reload()) : empty({ icon: "branches", title: "No branch is known yet" })),
  });
  const many = tally("branch", "branches");
  const search = searchBox({
    label: "Search branches", placeholder: "Search by name, state or label", value: query.get("q") ?? "",
    run: (text) => {
      setQuery({ q: text });
      narrow(text);
    },
  });
  const narrow = (text) => {
    const wanted = text.toLowerCase();
    table.filter(wanted ? (row) => textOf(row).includes(wanted) : null);
    many.update(table);
  };
  const show = () => {
    table.setRows(live.branches.all());
    many.update(table);
    alone.hidden = live.branches.size > 1 || !live.branches.loaded;
  };
  const alone = notice({
    kind: "info",
    title: "One branch so far",
    body: h("p", {}, "Start another, here or on another machine, and the two find each other: ", h("code", {}, "cyme-branch :8001 -i branch2 -D branch2/"), ". Across machines name one that is there with ", h("code", { class: "unbroken" }, "--join"), "."),
  });
  alone.hidden = true;
  root.append(
    screenHead({
      title: "Branches",
      lead: "The machines of the cluster. Each runs one branch, which looks after the workers there.",
      actions: [session.may("operator") && button("Rebalance", { icon: "scale", run: () => rebalance(api) })],
    }),
    h("div", { class: "toolbar" }, search, many.node),
    alone,
    table.node,
    h("p", { class: "footnote" }, `This is the page of ${session.branch}: what you create here is placed on it unless you choose another branch, and everything that is shown is the whole cluster's.`),
  );
  if (query.get("q")) narrow(query.get("q"));
  if (live.branches.loaded) show();
  const ends = [live.branches.subscribe(show), live.vitals.subscribe(() => table.redraw())];
  return () => {
    ends.forEach((end) => end());
    table.destroy();
  };
}

/** Whether there is a page of its own to go to: not of this one, and not of one that is gone. */
const hasPage = (row, session) => row.url && row.id !== session.branch && ["alive", "suspect"].includes(row.state);

/** Whoever is alive is heard all the time; of the others it counts when that was last. */
const heardValue = (row) => (row.state === "alive" ? Number.MAX_SAFE_INTEGER : row.heard_at);

function heardCell(row) {
  return row.state === "alive" ? "just now" : time(row.heard_at, "ago");
}

const stateWatch = (row) => `${row.state} ${row.drained} ${row.accused_by}`;

function stateCell(row) {
  return [stateBadge(row.state, row.accused_by ? `Accused by ${row.accused_by}` : ""), row.drained && badge("drained", "warn", "It takes no instances")];
}

function lagCell(lag) {
  if (lag === null || lag === undefined) return NOTHING;
  return h("span", { class: lag > 0.5 ? "bad" : lag > 0.1 ? "warn" : "" }, duration(lag));
}

function textOf(row) {
  const labels = Object.entries(row.labels ?? {}).map(([name, value]) => `${name}=${value}`);
  return [row.id, row.state, row.version, row.drained ? "drained" : "", ...labels].join(" ").toLowerCase();
}

// --- one ----------------------------------------------------------------------------------------

async function mountOne(root, { api, live, href, session, setTitle, signal }, id) {
  setTitle(id);
  const place = h("div", { class: "stack" });
  const buttons = h("div", { class: "button-row" });
  root.append(screenHead({ title: id, back: { href: href("branches"), label: "Branches" }, actions: [buttons] }), place);
  await live.ready;
  if (signal.aborted) return undefined;
  const branch = () => live.branches.get(id);
  const news = h("div", { class: "stack" });
  const parts = branch() ? detailsOf(branch, { live, href, session }) : [];
  let mark = null;
  const show = () => {
    for (const part of parts) part.update();
    const row = branch();
    const now = row ? `${row.state} ${row.drained} ${row.accused_by} ${row.url}` : "none";
    if (now === mark) return;
    mark = now;
    keepFocus(buttons, () => fill(buttons, row ? deeds(row, { api, session, live }) : []));
    fill(news, row ? story(row) : absent(id, href));
  };
  fill(place, news, parts.length > 0 && h("div", { class: "columns" }, parts.map((part) => part.panel)));
  show();
  const ends = [live.branches.subscribe(show), live.vitals.subscribe(show)];
  return () => ends.forEach((end) => end());
}

function absent(id, href) {
  return empty({
    icon: "branches", title: `No branch is called ${id}`, body: "It may have left the cluster for good.",
    actions: [link("All branches", href("branches"), { class: "button" })],
  });
}

function deeds(branch, { api, session, live }) {
  if (!session.may("operator")) return [];
  return [
    hasPage(branch, session) && outside("Open its page", `${branch.url}/admin/`, { class: "button" }),
    branch.drained
      ? button("Undrain", { icon: "drain", run: () => undrain(live.branches.get(branch.id), api, live) })
      : button("Drain", { icon: "drain", run: () => drain(live.branches.get(branch.id), api, live) }),
  ];
}

function story(branch) {
  if (branch.state === "failed") {
    return notice({ kind: "error", title: "This branch has failed", body: "The others have not heard of it. Its instances are taken over by other branches unless they are pinned to it; once it comes back, they return. Look at the machine, and at the branch's log on it." });
  }
  if (branch.state === "suspect") {
    return notice({ kind: "warn", title: "This branch is silent", body: `Others wait for a sign of it${branch.accused_by ? `, ${branch.accused_by} among them` : ""}. If none comes within seconds it is held to have failed.` });
  }
  if (branch.state === "left") return notice({ title: "This branch was stopped", body: "Its workers run on, and it is expected back." });
  if (branch.drained) return notice({ kind: "warn", title: "This branch is drained", body: "It takes no instances, and those that it had move away. Undrain it once its machine may work again." });
  return null;
}

/** Returns the two panels of facts, each kept fresh by its update. */
function detailsOf(latest, { live, href, session }) {
  let kept = latest();
  const row = () => {
    kept = latest() ?? kept;
    return kept;
  };
  const vitals = () => live.vitals.get()?.branches?.[row().id];
  const instances = () => vitals()?.instances ?? row().instances;
  const lag = () => vitals()?.hub_lag_s ?? row().hub_lag_s;
  const doing = liveFacts([
    ["State", () => stateCell(row()), () => stateWatch(row())],
    ["Since", () => time(row().since, "ago"), () => row().since],
    ["Load", () => figure(vitals()?.load ?? row().load)],
    ["Lag of its hub", () => lagCell(lag()), () => duration(lag())],
    ["Own memory", () => bytes(vitals()?.memory_bytes)],
    ["Memory of its workers", () => bytes(vitals() ? workersMemory(live, row().id) : null)],
    ["Instances", () => link(plural(instances(), "instance"), href("instances", { branch: row().id })), instances],
    ["Room", () => (row().capacity ? `${plural(row().capacity, "instance")}, ${percent(instances() / row().capacity)} used` : NOTHING)],
    ["Events", () => link("What happened here", href("events", { branch: row().id })), () => ""],
  ]);
  const being = liveFacts([
    ["Version", () => row().version],
    ["URL", () => quoted(row().url), () => row().url],
    ["Address in the cluster", () => quoted(row().address), () => row().address],
    ["Log file", () => (row().logfile ? quoted(row().logfile) : "standard error"), () => row().logfile],
    ["Log level", () => row().loglevel],
    ["Looks at its workers every", () => duration(row().sup_interval)],
    ["Labels", () => labelsOf(row()), () => JSON.stringify(row().labels)],
    ["Started", () => plural(row().boot, "time")],
    ["This page", () => (row().id === session.branch ? "is served by it" : "is served by another branch")],
  ]);
  return [
    { panel: panel({ title: "How it does" }, doing.node), update: doing.update },
    { panel: panel({ title: "What it is" }, being.node), update: being.update },
  ];
}

function workersMemory(live, id) {
  const all = live.instances.all().filter((each) => each.branch === id && each.pids.length);
  const told = all.map((each) => live.usage(each.name)?.memory_bytes).filter((each) => each !== null && each !== undefined);
  return all.length && !told.length ? null : told.reduce((sum, each) => sum + each, 0);
}

function quoted(text) {
  return text ? h("code", {}, text) : NOTHING;
}

function labelsOf(branch) {
  const labels = Object.entries(branch.labels ?? {});
  return labels.length ? labels.map(([name, value]) => h("code", { class: "label" }, `${name}=${value}`)) : NOTHING;
}

// --- deeds --------------------------------------------------------------------------------------

async function drain(branch, api, live) {
  const sure = await confirm({
    title: `Drain ${branch.id}?`,
    body: h("div", {}, h("p", {}, `Its ${plural(branch.instances, "instance")} move to other branches, each without a gap: the new worker starts before the old one stops.`), h("p", {}, "It takes no new instances until it is undrained. Instances that are pinned to it stay.")),
    action: "Drain",
  });
  if (!sure) return;
  const moves = await api.put(api.path("branches", branch.id, "drain"));
  live.branches.put({ ...branch, drained: true });
  tellMoves(moves, `${branch.id} drains`);
}

async function undrain(branch, api, live) {
  await api.put(api.path("branches", branch.id, "undrain"));
  live.branches.put({ ...branch, drained: false });
  toast(`${branch.id} takes instances again`, { detail: "What moved away stays where it is; Rebalance spreads it anew." });
}

async function rebalance(api) {
  const moves = await api.put("/cluster/rebalance/", { query: { dry_run: "true" } });
  if (!moves.some((move) => move.target)) {
    toast("The branches are about equally full", { kind: "info", detail: "Nothing has to move." });
    return;
  }
  openDialog({
    title: "Rebalance the cluster",
    body: [h("p", { class: "lead" }, "These instances would move. Each new worker starts before the old one stops."), moveTable(moves)],
    size: "large",
    actions: [
      { label: "Cancel" },
      {
        label: `Move ${plural(moves.filter((move) => move.target).length, "instance")}`,
        kind: "primary",
        run: async () => tellMoves(await api.put("/cluster/rebalance/"), "Rebalancing"),
      },
    ],
  });
}

function moveTable(moves) {
  return h(
    "div",
    { class: "scroll-box", tabindex: "0", role: "region", aria: { label: "Moves" } },
    h(
      "table",
      { class: "plain-table" },
      h("thead", {}, h("tr", {}, ["Instance", "From", "To", "Why"].map((each) => h("th", { scope: "col" }, each)))),
      h("tbody", {}, moves.map((move) => h("tr", {}, h("th", { scope: "row" }, move.instance), h("td", {}, move.source), h("td", {}, move.target ?? "stays"), h("td", {}, move.reason)))),
    ),
  );
}

function tellMoves(moves, what) {
  const staying = moves.filter((move) => !move.target);
  const moving = moves.length - staying.length;
  if (!staying.length) {
    toast(what, { detail: moving ? `${plural(moving, "instance")} ${moving === 1 ? "moves" : "move"}.` : "It has no instances to move." });
    return;
  }
  openDialog({ title: what, size: "large", body: [h("p", {}, `${plural(moving, "instance")} move; ${plural(staying.length, "instance")} cannot.`), moveTable(moves)], actions: [{ label: "Close", kind: "primary" }] });
}
