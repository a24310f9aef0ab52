/* Editing an app or an instance: a form, then what the change would do, then the change.

   await editWorker({ noun: "app", path, name, api, live, session })   -> the new representation,
   or undefined if nothing was changed.

   What is written is written only over what was read: if somebody else was faster, both changes
   are shown side by side. */

import { openDialog } from "./dialog.js";
import { conflictTable, consequenceList, diffTable } from "./diff-view.js";
import { h } from "./dom.js";
import { changesBetween, consequences, differences } from "./worker-diff.js";
import { WorkerForm } from "./worker-form.js";

const CONFLICT = 412;
const NOT_ACCEPTABLE = 400;

export async function editWorker({ noun, path, name, api, live, session }) {
  const read = await api.request("GET", path);
  const app = noun === "instance" ? live.apps.get(read.data.app) ?? null : null;
  const form = new WorkerForm({
    noun, before: read.data, app, role: session.role, queues: queueNames(live, read.data, noun),
  });
  const note = h("p", { class: "worker-form-note", role: "status" });
  const edit = { noun, path, name, app, api, live, form, note, tag: read.tag, before: read.data };
  const opened = openDialog({
    title: `Edit ${name}`,
    size: "large",
    body: [form.element, note],
    busy: false,
    actions: [
      { label: "Cancel" },
      { label: "Review changes", kind: "primary", run: (close) => review(edit, close) },
    ],
  });
  return opened.done;
}

function queueNames(live, row, noun) {
  const app = noun === "app" ? row.name : row.app;
  return live.queues.all().filter((queue) => queue.app === app).map((queue) => queue.name);
}

/** Shows what the form asks for; closes the form once that is done. */
async function review(edit, closeForm) {
  const changes = edit.form.changes();
  if (changes === null) return false;
  const diffs = differences(edit.noun, edit.before, changes, edit.app);
  edit.note.textContent = diffs.length ? "" : "Nothing is changed yet.";
  if (!diffs.length) return false;
  const opened = openDialog({
    title: `Change ${edit.name}?`,
    size: "large",
    body: [diffTable(diffs), consequenceList(fate(edit, diffs))],
    actions: [
      { label: "Back" },
      {
        label: "Apply",
        kind: "primary",
        run: (close) => apply(edit, changes, diffs, close),
      },
    ],
  });
  const outcome = await opened.done;
  if (outcome && typeof outcome === "object") closeForm(outcome);
  return false;
}

function fate(edit, diffs) {
  if (edit.noun === "instance") return consequences(diffs, [edit.before], { ofApp: false });
  const rows = edit.live.instances.all().filter((row) => row.app === edit.name);
  return consequences(diffs, rows, { ofApp: true });
}

async function apply(edit, changes, diffs, close) {
  try {
    return await edit.api.put(edit.path, { body: changes, ifMatch: edit.tag });
  } catch (error) {
    if (error.status === CONFLICT) return settle(edit, changes, diffs);
    if (error.status === NOT_ACCEPTABLE && error.errors.length) {
      // First, as what closes gives the focus back to where it was.
      close();
      edit.note.textContent = edit.form.showFaults(error.errors).join("; ");
      return false;
    }
    throw error;
  }
}

/** Somebody else was faster: shows both changes, and asks which is to be. */
async function settle(edit, changes, mine) {
  const now = await edit.api.request("GET", edit.path);
  const theirs = differences(edit.noun, edit.before, changesBetween(edit.noun, edit.before, now.data), edit.app);
  const opened = openDialog({
    title: "Somebody changed it meanwhile",
    size: "large",
    body: [
      h("p", {}, `While you edited, ${edit.name} was changed by somebody else. Nothing of yours is written yet.`),
      theirs.length
        ? conflictTable(mine, theirs)
        : h("p", {}, "What they changed is none of these settings; yours can be applied as it stands."),
    ],
    actions: [
      { label: "Back to the form" },
      { label: "Keep theirs", value: { keep: now.data } },
      {
        label: "Apply mine over it",
        kind: "primary",
        run: () => edit.api.put(edit.path, { body: changes, ifMatch: now.tag }),
      },
    ],
  });
  const outcome = await opened.done;
  if (outcome?.keep) return outcome.keep;
  if (outcome && typeof outcome === "object") return outcome;
  Object.assign(edit, { before: now.data, tag: now.tag });
  return false;
}
