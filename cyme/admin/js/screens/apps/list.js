/* All apps, and how many of their instances run. */

import { createApp } from "../../app-create.js";
import { fill, h } from "../../dom.js";
import { wordTest } from "../../filters.js";
import { count } from "../../format.js";
import { roleRefusal } from "../../instance-deeds.js";
import { badge, button, code, empty, failed, link, screenHead, searchBox, time } from "../../parts.js";
import { createTable } from "../../table.js";
import { tally } from "../../table-bars.js";

export function mountList(root, context) {
  const { live, href, go, query, session } = context;
  const counts = new Map();
  const refusal = roleRefusal(session);
  const create = async () => {
    const name = await createApp(context);
    if (name) go(href("apps", name));
  };
  const table = createTable({
    label: "Apps",
    columns: [
      { id: "name", label: "Name", value: (row) => row.name, head: true, render: (row) => link(row.name, href("apps", row.name)) },
      { id: "running", label: "Instances", value: (row) => counts.get(row.name)?.running ?? 0, first: "down", card: "wide", class: "running-cell",
        watch: (row) => JSON.stringify(counts.get(row.name) ?? 0),
        render: (row) => instancesTold(counts.get(row.name), () => href("instances", { app: row.name })) },
      { id: "queues", label: "Queues", value: (row) => counts.get(row.name)?.queues ?? 0, align: "end", first: "down",
        render: (row) => link(count(counts.get(row.name)?.queues ?? 0), href("queues", { app: row.name })) },
      { id: "code", label: "Celery application", value: (row) => row.celery_app ?? "Cyme's own", class: "mono", hide: "medium", card: "wide" },
      { id: "broker", label: "Broker", value: (row) => placeOf(row.broker?.url), class: "mono broker-cell", hide: "medium", card: "wide" },
      { id: "updated", label: "Changed", value: (row) => row.updated_at, watch: (row) => row.updated_at, first: "down", hide: "narrow",
        render: (row) => time(row.updated_at) },
    ],
    sort: { by: "name", down: false },
    open: (row) => go(href("apps", row.name)),
    empty: () => nothingYet(refusal, create),
  });
  const told = tally("app");
  const search = searchBox({
    label: "Search apps", value: query.get("q") ?? "", placeholder: "Name, broker or application",
    run: (text) => {
      context.setQuery({ q: text });
      filter(text);
    },
  });
  const filter = (text) => {
    table.filter(text ? wordTest(text, (row) => `${row.name} ${row.celery_app ?? ""} ${row.broker?.url ?? ""}`) : null);
    told.update(table);
  };
  const trouble = h("div", { class: "trouble" });
  const show = () => {
    const error = live.failures.apps;
    fill(trouble, error ? failed(error, () => live.reload()) : null);
    if (error && !live.apps.loaded) return;
    countUp(counts, live);
    table.setRows(live.apps.all());
    told.update(table);
  };
  fill(root,
    screenHead({
      title: "Apps", lead: "How groups of workers are run: the defaults of their instances.",
      actions: [button("Create app", { kind: "primary", icon: "plus", disabled: Boolean(refusal), title: refusal, run: create })],
    }),
    h("div", { class: "toolbar" }, search, told.node), trouble, table.node);
  filter(query.get("q") ?? "");
  const unsubscribe = [live.apps.subscribe(show), live.instances.subscribe(show), live.queues.subscribe(show)];
  if (live.apps.loaded) show();
  else void live.ready.then(() => !context.signal?.aborted && show());
  if (query.get("create") === "1" && !refusal) {
    // Asked for once: whoever loads the screen again does not mean another.
    context.setQuery({ create: "" });
    void create();
  }
  return () => {
    for (const each of unsubscribe) each();
    table.destroy();
  };
}

function countUp(counts, live) {
  counts.clear();
  const of = (app) => {
    if (!counts.has(app)) counts.set(app, { running: 0, all: 0, bad: 0, queues: 0 });
    return counts.get(app);
  };
  for (const row of live.instances.all()) {
    const mine = of(row.app);
    mine.all += 1;
    if (row.state === "running") mine.running += 1;
    if (["disabled", "backoff", "unresponsive"].includes(row.state)) mine.bad += 1;
  }
  for (const row of live.queues.all()) of(row.app).queues += 1;
}

/** Where a broker is; who logs in to it tells nothing in a list. */
function placeOf(url = "") {
  return url.replace(/\/\/[^/@]*@/, "//");
}

function instancesTold(mine, address) {
  if (!mine?.all) return h("span", { class: "quiet-note" }, "none");
  return [
    link(`${count(mine.running)} of ${count(mine.all)} running`, address()),
    mine.bad ? [" ", badge(`${mine.bad} in trouble`, "bad")] : null,
  ];
}

function nothingYet(refusal, create) {
  return empty({
    icon: "apps", title: "No app yet",
    body: [
      h("p", {}, "An app says how a group of workers is run: their broker, their pool, their code. Its instances and queues live in it. Make one here, or with:"),
      code(`cyme apps.add shop\ncurl -X PUT ${location.origin}/shop/`, { copy: true }),
    ],
    actions: refusal ? [] : [button("Create app", { kind: "primary", icon: "plus", run: create })],
  });
}
