/* What a change of an app or an instance would do: field by field, and to which workers. */

import { canGrow, fieldsOf, maskedUrl, shownValue, textOf } from "./worker-fields.js";

const EFFECTS = {
  restart: "restarts workers",
  live: "taken while it runs",
  "start-stop": "starts or stops workers",
  place: "may need another branch",
  none: "changes nothing",
};

/**
 * The differences between a representation and the values that are to be sent.
 *
 * Args: noun `app` or `instance`; before the representation; changes by name; app that of an
 *   instance, null if it is not known.
 * Returns: `[{ field, from, to, effect, told }]`, from and to as people read them.
 */
export function differences(noun, before, changes, app = null) {
  const pool = "pool" in changes ? changes.pool ?? app?.pool : before.pool;
  return fieldsOf(noun)
    .filter((field) => field.name in changes && isDifferent(field, before, changes[field.name]))
    .map((field) => {
      const after = changes[field.name];
      const effect = effectOf(field, pool, before, after, app);
      const [from, to] = shownPair(field, before, after, app);
      return { field, from, to, effect, told: EFFECTS[effect] };
    });
}

/** Whether an instance says it itself; what an app says is always its own. */
function isOwn(field, row) {
  return row.own === undefined || field.kind === "names" || row.own.includes(field.name);
}

function isDifferent(field, before, after) {
  const isEmpty = after === null || after === undefined;
  if (before.own !== undefined && field.kind !== "names" && isOwn(field, before) === isEmpty) return true;
  return !isSame(field, before[field.name], after);
}

function isSame(field, was, after) {
  if (field.kind === "broker" && after && typeof after === "object" && was) {
    return after.url === was.url && (after.password ?? was.password) === was.password;
  }
  if (field.kind === "names") return textOf(field, was ?? []) === textOf(field, after ?? []);
  return textOf(field, was) === (typeof after === "string" ? after : textOf(field, after));
}

function effectOf(field, pool, before, after, app) {
  const then = after ?? (before.own === undefined ? null : app?.[field.name] ?? null);
  if (before.own !== undefined && then !== null && isSame(field, before[field.name], then)) return "none";
  if (field.effect !== "pool") return field.effect;
  return canGrow(pool) ? "live" : "restart";
}

function shownPair(field, before, after, app) {
  const was = before[field.name];
  if (field.kind === "env") return envPair(was ?? {}, after ?? {});
  const from = isOwn(field, before) ? shownValue(field, was) : `${shownValue(field, was)} (as the app says)`;
  if (after === null && before.own !== undefined) {
    const said = app?.[field.name] ?? null;
    return [from, said === null ? "as the app says" : `${shownValue(field, said)} (as the app says)`];
  }
  if (field.kind === "broker" && typeof after === "string") return [from, maskedUrl(after)];
  return [from, shownValue(field, after)];
}

/** What turns one representation into a later one of the same thing: what somebody else changed. */
export function changesBetween(noun, before, now) {
  const changes = {};
  for (const field of fieldsOf(noun)) {
    const [was, is] = [isOwn(field, before), isOwn(field, now)];
    if (was === is && (!is || isSame(field, before[field.name], now[field.name]))) continue;
    changes[field.name] = is ? now[field.name] : null;
  }
  return changes;
}

/** Two environments, only what differs, names without values. */
function envPair(was, after) {
  const names = [...new Set([...Object.keys(was), ...Object.keys(after)])].sort();
  const from = [];
  const to = [];
  for (const name of names) {
    if (was[name] === after[name]) continue;
    if (name in was) from.push(`${name}=(hidden)`);
    if (name in after) to.push(`${name}=${name in was ? "(another value)" : "(hidden)"}`);
  }
  return [from.join("\n") || "none of these", to.join("\n") || "none of these"];
}

/**
 * What changes do to instances.
 *
 * Args: diffs; instances their representations; ofApp whether the changes are of their app, which
 *   an instance does not follow in what it says itself.
 * Returns: `{ restarting, starting, stopping, adjusting, waiting }`, each a list of names;
 *   `waiting` are those that do not run and take the change at their next start.
 */
export function consequences(diffs, instances, { ofApp }) {
  const found = { restarting: [], starting: [], stopping: [], adjusting: [], waiting: [] };
  const telling = diffs.filter((diff) => diff.effect !== "none");
  for (const instance of instances) {
    const touching = ofApp ? telling.filter((diff) => !isOwn(diff.field, instance)) : telling;
    if (touching.length) found[fate(touching, instance)].push(instance.name);
  }
  return found;
}

function fate(diffs, instance) {
  const enabling = diffs.find((diff) => diff.field.name === "is_enabled");
  if (enabling) return enabling.to.startsWith("no") && !enabling.to.startsWith("not") ? "stopping" : "starting";
  if (!instance.is_enabled) return "waiting";
  return diffs.some((diff) => diff.effect === "restart") ? "restarting" : "adjusting";
}
