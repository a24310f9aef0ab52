/* What people do to instances, one or many: asked where it matters, told how it went.

   await doTo(context, "restart", [row, ...])    -> true if anything was done
   deedButton(context, "restart", () => rows)    a button that says why it cannot be pressed */

import { confirm, field, openDialog } from "./dialog.js";
import { namesTold } from "./diff-view.js";
import { fill, h, write } from "./dom.js";
import { plural } from "./format.js";
import { inTurn } from "./in-turn.js";
import { DEEDS, roleRefusal } from "./instance-deeds.js";
import { button, meter } from "./parts.js";
import { toast } from "./toast.js";

/** From so many on a deletion must be confirmed by typing. */
const TYPED_FROM = 2;
const FAILURES_SHOWN_MAX = 20;

export function deedButton(context, name, rows, props = {}) {
  const deed = DEEDS[name];
  const node = button(deed.title, {
    icon: deed.icon, kind: name === "remove" ? "grave" : "plain", ...props,
    run: () => {
      const refusal = deedRefusal(context, name, rows());
      if (refusal) return toast(refusal, { kind: "warn" });
      return doTo(context, name, rows());
    },
  });
  node.refresh = () => {
    const refusal = deedRefusal(context, name, rows());
    // Still focusable, so that everybody can learn why.
    if (refusal) node.setAttribute("aria-disabled", "true");
    else node.removeAttribute("aria-disabled");
    node.title = refusal;
  };
  node.refresh();
  return node;
}

function deedRefusal({ session }, name, rows) {
  const refusal = roleRefusal(session);
  if (refusal || !rows.length) return refusal;
  const refusals = rows.map((row) => DEEDS[name].refusal(row));
  return refusals.every(Boolean) ? refusals[0] : "";
}

export async function doTo(context, name, rows) {
  const deed = DEEDS[name];
  const fit = rows.filter((row) => !deed.refusal(row));
  const options = await asked(context, name, fit);
  if (options === null || !fit.length) return false;
  return fit.length === 1 ? one(context, deed, fit[0], options) : many(context, deed, fit, options);
}

/** Asks what is to be known or confirmed first; null if it is not to be done. */
async function asked(context, name, rows) {
  if (name === "move") return askWhere(context, rows);
  if (name === "remove") return (await confirmRemoval(rows)) ? {} : null;
  if (name === "start" || rows.length === 1) return {};
  const deed = DEEDS[name];
  const isSure = await confirm({
    title: `${deed.title} ${plural(rows.length, "instance")}?`,
    body: h("div", {}, h("p", {}, WARNINGS[name]), h("p", { class: "quiet-note" }, namesTold(rows.map((row) => row.name)))),
    action: deed.title,
    danger: name === "stop",
  });
  return isSure ? {} : null;
}

const WARNINGS = {
  stop: "Their workers finish what they do and end; they stay stopped until they are started again.",
  restart: "Their workers finish what they do, end, and are started again.",
};

function confirmRemoval(rows) {
  const isOne = rows.length === 1;
  return confirm({
    title: isOne ? `Delete ${rows[0].name}?` : `Delete ${rows.length} instances?`,
    body: h("div", {},
      h("p", {}, isOne
        ? "Its worker finishes what it does and ends. Its settings and its history are gone; its queues and their messages stay."
        : "Their workers finish what they do and end. Their settings and histories are gone; their queues and the messages stay."),
      isOne ? null : h("p", { class: "quiet-note" }, namesTold(rows.map((row) => row.name)))),
    action: "Delete",
    danger: true,
    typed: rows.length >= TYPED_FROM ? `delete ${rows.length}` : "",
  });
}

async function askWhere({ live }, rows) {
  const here = rows.length === 1 ? rows[0].branch : null;
  const branches = live.branches.all().filter((row) => row.state === "alive" && !row.drained && row.id !== here);
  const where = field({
    name: "branch", label: "Branch", type: "select",
    options: [{ value: "", label: "Any other branch that is fit" }, ...branches.map((row) => ({ value: row.id, label: `${row.id} (${plural(row.instances, "instance")})` }))],
    hint: "The worker runs there before it ends here.",
  });
  const opened = openDialog({
    title: rows.length === 1 ? `Move ${rows[0].name}` : `Move ${plural(rows.length, "instance")}`,
    size: "small",
    body: branches.length ? where.node : h("p", {}, "There is no other branch that is alive and takes instances. Start one on another machine with ", h("code", { class: "unbroken" }, "cyme-branch --join"), "."),
    actions: branches.length
      ? [{ label: "Cancel" }, { label: "Move", kind: "primary", run: () => ({ branch: where.value() }) }]
      : [{ label: "Close" }],
  });
  return (await opened.done) ?? null;
}

async function one({ api, live }, deed, row, options) {
  try {
    const reply = await deed.run(api, row, options);
    keep(live, deed, row, reply);
    toast(`${row.name}: ${deed.done}`);
    return true;
  } catch (error) {
    toast.problem(error, `${row.name} was not ${PAST[deed.title]}`);
    return false;
  }
}

const PAST = { Start: "started", Stop: "stopped", Restart: "restarted", Move: "moved", Delete: "deleted" };

function keep(live, deed, row, reply) {
  if (deed === DEEDS.remove) live.instances.drop(row.name);
  else if (reply?.name === row.name && reply.state) live.instances.put(reply);
}

/** Does it to many, a few at a time, in a dialog that tells how far it is and what failed. */
async function many({ api, live }, deed, rows, options) {
  const stop = new AbortController();
  const bar = meter(0, rows.length, "Progress");
  const words = h("p", { role: "status" }, `${deed.doing} ${plural(rows.length, "instance")}…`);
  const list = h("ul", { class: "failure-list" });
  const opened = openDialog({
    title: `${deed.title} ${plural(rows.length, "instance")}`,
    size: "small",
    body: [words, bar.node, list],
    actions: [{ label: "Stop here", run: (close) => (stop.signal.aborted ? close() : (stop.abort(), false)) }],
    onClose: () => stop.abort(),
    busy: false,
  });
  const outcome = await inTurn(rows, async (row) => keep(live, deed, row, await deed.run(api, row, options)), {
    signal: stop.signal,
    told: (done, failures) => {
      bar.update(done + failures, rows.length);
      write(words, `${done} of ${rows.length} ${deed.done}${failures ? `, ${failures} failed` : ""}`);
    },
  });
  stop.abort();
  if (!outcome.failed.length && opened.node.open) opened.close();
  else showFailures(opened, list, outcome);
  if (outcome.done.length) toast(`${plural(outcome.done.length, "instance")} ${deed.done}`);
  return outcome.done.length > 0;
}

function showFailures(opened, list, { failed, left }) {
  if (!opened.node.open) return;
  fill(list, failed.slice(0, FAILURES_SHOWN_MAX).map(({ item, error }) => h("li", {},
    h("strong", {}, item.name), " ", error.detail ?? error.message)),
  failed.length > FAILURES_SHOWN_MAX ? h("li", {}, `and ${failed.length - FAILURES_SHOWN_MAX} more`) : null,
  left.length ? h("li", {}, `${plural(left.length, "instance")} left as they were.`) : null);
  write(opened.node.querySelector(".dialog-foot .button"), "Close");
}
