/* The dialog that creates an instance.

   await createInstance(context, { app })   -> the name of the new instance, undefined if none */

import { field, openDialog, problemBox } from "./dialog.js";
import { fill, h } from "./dom.js";
import { toast } from "./toast.js";
import { nameFault } from "./worker-fields.js";
import { WorkerForm } from "./worker-form.js";

const NOT_ACCEPTABLE = 400;
const EXISTS = 412;
const ANYWHERE = "";

export async function createInstance({ api, live, session }, { app = "" } = {}) {
  await live.ready;
  const apps = live.apps.all().map((row) => row.name).sort();
  const lead = leadFields(live, session, apps, app);
  const queues = live.queues.all().filter((row) => row.app === (app || apps[0])).map((row) => row.name);
  const form = new WorkerForm({ noun: "instance", before: {}, app: null, role: session.role, queues, lead: lead.map((each) => each.node) });
  const trouble = h("div", { role: "alert" });
  const opened = openDialog({
    title: "Create an instance",
    size: "large",
    body: [h("p", { class: "lead" }, "One Celery worker that Cyme keeps running. What you leave empty is as its app says."), form.element, trouble],
    actions: [
      { label: "Cancel" },
      { label: "Create", kind: "primary", run: () => create(api, live, lead, form, trouble) },
    ],
  });
  return opened.done;
}

function leadFields(live, session, apps, app) {
  const list = h("datalist", { id: "known-apps" }, apps.map((name) => h("option", { value: name })));
  const home = field({
    name: "app", label: "App", value: app || (apps.length === 1 ? apps[0] : ""), required: true,
    hint: "One that exists, or a new name.", attributes: { list: "known-apps" },
  });
  home.node.append(list);
  const name = field({ name: "name", label: "Name", hint: "Unique in the cluster. Empty: a random one." });
  const branches = live.branches.all().filter((row) => row.state === "alive" && !row.drained);
  const here = session.branch ?? live.hello.get()?.branch ?? "";
  const branch = field({
    name: "branch", label: "Branch", type: "select",
    options: [{ value: ANYWHERE, label: "Wherever it fits best" }, ...branches.map((row) => ({ value: row.id, label: row.id === here ? `${row.id} (this one)` : row.id }))],
    value: branches.some((row) => row.id === here) ? here : ANYWHERE,
    hint: "A named branch keeps it; else it may move.",
  });
  return [home, name, branch];
}

async function create(api, live, [home, name, branch], form, trouble) {
  fill(trouble);
  const [app, wanted] = [home.value().trim(), name.value().trim()];
  home.say(nameFault(app));
  name.say(wanted ? nameFault(wanted) : "");
  const changes = form.changes();
  if (nameFault(app)) return home.input.focus(), false;
  if (wanted && nameFault(wanted)) return name.input.focus(), false;
  if (changes === null) return false;
  if (branch.value() !== ANYWHERE) changes.branch = branch.value();
  try {
    const row = wanted
      // What exists must not be changed by somebody who means to create.
      ? await api.put(api.path(app, "instances", wanted), { body: changes, headers: { "If-None-Match": "*" } })
      : await api.post(api.path(app, "instances"), { body: changes });
    live.instances.put(row);
    toast(`${row.name} was created on ${row.branch}`);
    return row.name;
  } catch (error) {
    return tell(error, { home, name, branch, form, trouble });
  }
}

function tell(error, { home, name, branch, form, trouble }) {
  if (error.status === EXISTS) {
    name.say("There is an instance of this name already: choose another.");
    name.input.focus();
    return false;
  }
  if (error.status !== NOT_ACCEPTABLE || !error.errors.length) throw error;
  const places = { app: home, name, branch };
  const others = error.errors.filter(({ parameter, detail }) => {
    places[parameter]?.say(detail);
    return !places[parameter];
  });
  const homeless = form.showFaults(others);
  if (homeless.length) fill(trouble, problemBox(error));
  return false;
}
