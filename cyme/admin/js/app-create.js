/* The dialog that creates an app.

   await createApp(context)   -> the name of the new app, undefined if none was made */

import { field, openDialog, problemBox } from "./dialog.js";
import { fill, h } from "./dom.js";
import { toast } from "./toast.js";
import { nameFault } from "./worker-fields.js";
import { WorkerForm } from "./worker-form.js";

const NOT_ACCEPTABLE = 400;
const EXISTS = 412;

export async function createApp({ api, live, session }) {
  const name = field({ name: "name", label: "Name", required: true, placeholder: "shop", hint: "Letters, digits, '.', '_' and '-'." });
  const form = new WorkerForm({ noun: "app", before: {}, role: session.role, lead: [name.node] });
  const trouble = h("div", { role: "alert" });
  const create = async () => {
    fill(trouble);
    const wanted = name.value().trim();
    name.say(nameFault(wanted));
    if (nameFault(wanted)) return name.input.focus(), false;
    const changes = form.changes();
    if (changes === null) return false;
    try {
      const row = await api.put(api.path(wanted), { body: changes, headers: { "If-None-Match": "*" } });
      live.apps.put(row);
      toast(`The app ${row.name} was created`);
      return row.name;
    } catch (error) {
      return tell(error, name, form, trouble);
    }
  };
  const opened = openDialog({
    title: "Create an app",
    size: "large",
    body: [h("p", { class: "lead" }, "What you say here is the default of its instances. All but the name may stay empty."), form.element, trouble],
    actions: [{ label: "Cancel" }, { label: "Create", kind: "primary", run: create }],
  });
  return opened.done;
}

function tell(error, name, form, trouble) {
  if (error.status === EXISTS) {
    name.say("There is an app of this name already: choose another.");
    name.input.focus();
    return false;
  }
  if (error.status !== NOT_ACCEPTABLE || !error.errors.length) throw error;
  const others = error.errors.filter(({ parameter, detail }) => {
    if (parameter === "name") name.say(detail);
    return parameter !== "name";
  });
  if (form.showFaults(others).length) fill(trouble, problemBox(error));
  return false;
}
