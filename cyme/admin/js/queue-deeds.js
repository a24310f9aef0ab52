/* What people do to queues: declare, change, empty, delete.

   await declareQueue(context, { app, before, tag })   -> the declaration, undefined if none
   await purgeQueue(context, row)                      -> how many messages are gone, or undefined
   await removeQueue(context, row)                     -> true if it is deleted */

import { confirm, field, openDialog, problemBox } from "./dialog.js";
import { namesTold } from "./diff-view.js";
import { fill, h } from "./dom.js";
import { count, duration, plural } from "./format.js";
import { toast } from "./toast.js";
import { nameFault } from "./worker-fields.js";

const CONFLICT = 409;
const EXISTS = 412;
const TYPES = ["direct", "topic", "fanout", "headers"];

export async function declareQueue(context, { app = "", before = null, tag = null } = {}) {
  const { api, live } = context;
  await live.ready;
  const form = declarationForm(live, app, before);
  const trouble = h("div", { role: "alert" });
  const declare = async () => {
    fill(trouble);
    const given = form.read();
    if (!given) return false;
    try {
      const headers = before ? { "If-Match": tag } : { "If-None-Match": "*" };
      const row = await api.put(api.path(given.app, "queues", given.name), { body: given.body, headers });
      live.queues.put({ app: given.app, ...row });
      toast(before ? `The queue ${given.name} was changed` : `The queue ${given.name} was declared`);
      return { app: given.app, ...row };
    } catch (error) {
      if (!form.tell(error)) fill(trouble, problemBox(error));
      return false;
    }
  };
  const opened = openDialog({
    title: before ? `Change ${before.name}` : "Declare a queue",
    body: [
      h("p", { class: "lead" }, before
        ? "Workers that consume from it restart to take a change: a worker keeps to the first declaration that it was told."
        : "For most queues the name is enough: exchange, type and routing key follow from it."),
      form.nodes, trouble,
    ],
    actions: [{ label: "Cancel" }, { label: before ? "Change" : "Declare", kind: "primary", run: declare }],
  });
  return opened.done;
}

function declarationForm(live, app, before) {
  const apps = live.apps.all().map((row) => row.name).sort();
  const fields = {
    app: field({ name: "app", label: "App", type: "select", options: apps, value: app || apps[0] || "" }),
    name: field({ name: "name", label: "Name", required: true, placeholder: "orders", hint: "Unique in its app." }),
    exchange: field({ name: "exchange", label: "Exchange", value: before?.exchange ?? "", placeholder: "as the name" }),
    exchange_type: field({
      name: "exchange_type", label: "Exchange type", type: "select", value: before?.exchange_type ?? "",
      options: [{ value: "", label: "Usual: direct" }, ...TYPES],
    }),
    routing_key: field({ name: "routing_key", label: "Routing key", value: before?.routing_key ?? "", placeholder: "as the name" }),
    options: field({
      name: "options", label: "Options, as JSON", type: "textarea", rows: 3,
      value: before?.options ? JSON.stringify(before.options, null, 2) : "",
      placeholder: '{"durable": true, "max_priority": 9}', hint: "Such as durable, auto_delete, expires, message_ttl, max_length, max_priority.",
    }),
  };
  const more = h("details", { open: Boolean(before) }, h("summary", {}, "Exchange, routing and options"),
    h("div", { class: "form" }, fields.exchange.node, fields.exchange_type.node, fields.routing_key.node, fields.options.node));
  const nodes = before ? [more] : [fields.app.node, fields.name.node, more];
  return {
    nodes: h("div", { class: "form" }, nodes),
    read: () => readDeclaration(fields, before),
    tell: (error) => tellFaults(error, fields, more),
  };
}

function readDeclaration(fields, before) {
  const name = before?.name ?? fields.name.value().trim();
  const fault = nameFault(name);
  fields.name.say(fault);
  if (fault) return fields.name.input.focus(), null;
  const body = {};
  for (const member of ["exchange", "exchange_type", "routing_key"]) {
    const text = fields[member].value().trim();
    if (text !== (before?.[member] ?? "")) body[member] = text || null;
  }
  fields.options.say("");
  const text = fields.options.value().trim();
  try {
    const options = text ? JSON.parse(text) : null;
    if (options !== null && (typeof options !== "object" || Array.isArray(options))) throw new Error("none");
    if (JSON.stringify(options) !== JSON.stringify(before?.options ?? null)) body.options = options;
  } catch {
    fields.options.say('A JSON object, such as {"durable": true}.');
    return fields.options.input.focus(), null;
  }
  return { app: before?.app ?? fields.app.value(), name, body };
}

function tellFaults(error, fields, more) {
  if (error.status === EXISTS && !more.open) {
    fields.name.say("There is a queue of this name in the app already: choose another.");
    fields.name.input.focus();
    return true;
  }
  const told = (error.errors ?? []).filter(({ parameter, detail }) => {
    fields[parameter]?.say(detail);
    if (fields[parameter] && parameter !== "name") more.open = true;
    return fields[parameter];
  });
  return told.length > 0 && told.length === error.errors.length;
}

/** Shows how much waits at this moment; what is confirmed is that count, not whatever comes. */
export async function purgeQueue({ api }, { app, name }) {
  const path = api.path(app, "queues", name);
  const now = await api.get(`${path}stats/`);
  if (now.error) {
    toast(`The queue ${name} cannot be counted`, { kind: "error", detail: now.error });
    return undefined;
  }
  if (!now.depth) {
    toast(`No message waits in ${name}`, { kind: "info", detail: "There is nothing to purge. What workers have taken already is theirs." });
    return undefined;
  }
  const isSure = await confirm({
    title: `Purge ${plural(now.depth, "message")} from ${name}?`,
    body: h("div", {},
      h("p", {}, h("strong", {}, plural(now.depth, "message")), ` ${now.depth === 1 ? "waits" : "wait"} in it at this moment`,
        now.oldest_s === null ? ". " : `, the oldest for ${duration(now.oldest_s)}. `,
        "They are gone for good. What workers have taken already goes on.")),
    action: `Purge ${count(now.depth)}`,
    danger: true,
    typed: name,
  });
  if (!isSure) return undefined;
  try {
    const { purged } = await api.post(`${path}purge/`, { query: { expect: now.depth } });
    toast(`${plural(purged, "message")} purged from ${name}`);
    return purged;
  } catch (error) {
    toast.problem(error, error.status === CONFLICT ? "Nothing was purged: the queue grew meanwhile" : `${name} was not purged`);
    return undefined;
  }
}

export async function removeQueue({ api, live }, { app, name }) {
  const consumers = live.instances.all().filter((row) => row.app === app && row.queues.includes(name));
  const isSure = await confirm({
    title: `Delete the queue ${name}?`,
    body: h("div", {},
      h("p", {}, `Its declaration in the app ${app} is deleted. Messages that wait in the broker stay there.`),
      consumers.length ? h("p", {}, `${plural(consumers.length, "instance stops", "instances stop")} consuming from it: ${namesTold(consumers.map((row) => row.name))}.`) : null),
    action: "Delete",
    danger: true,
    typed: consumers.length ? name : "",
  });
  if (!isSure) return false;
  await api.delete(api.path(app, "queues", name), { query: consumers.length ? { force: true } : {} });
  live.queues.drop(`${app}/${name}`);
  toast(`The queue ${name} was deleted`);
  return true;
}
