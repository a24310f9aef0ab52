/* What can be said of how workers are run: the parameters of an app and of an instance, how each
   is written in a form, and what a change of it does to a worker that runs.

   Laws:
    - a text that was not touched is never sent: what the branch masked cannot overwrite a secret;
    - an empty text means "as the app says", or for an app "as usual": it resets the parameter. */

export const MASK = "********";

export const POOLS = ["prefork", "threads", "gevent", "eventlet", "solo"];

/** Pools whose limits can be changed while the worker runs. */
const GROWING = new Set(["prefork", "gevent", "eventlet"]);

const NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]*$/;
const VARIABLE = /^[A-Za-z_][A-Za-z0-9_]*$/;
const LABEL_WORD = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,62}$/;
const NAME_CHARS_MAX = 128;

/**
 * One parameter.
 *
 * kind: how it is written; effect: `restart`, `live`, `start-stop`, `place`, or `pool` (live if
 * the pool can grow, a restart if not).
 */
export const FIELDS = [
  { name: "queues", label: "Queues", kind: "names", group: "Work", effect: "live", of: "instance",
    hint: "Names, separated by commas. Each worker also has a queue of its own." },
  { name: "pool", label: "Pool", kind: "choice", choices: POOLS, group: "Work", effect: "restart",
    usual: "prefork", hint: "How tasks run side by side: processes, threads or greenlets." },
  { name: "max_concurrency", label: "Most tasks at a time", kind: "number", group: "Work",
    effect: "pool", usual: "1", hint: "The worker never runs more than so many." },
  { name: "min_concurrency", label: "Slots always ready", kind: "number", group: "Work",
    effect: "pool", usual: "1", hint: "Between this and the most it grows and shrinks by itself." },
  { name: "is_enabled", label: "Enabled", kind: "flag", group: "Work", effect: "start-stop",
    usual: "yes", hint: "Whether the worker is to run at all." },
  { name: "broker", label: "Broker", kind: "broker", group: "Connections", effect: "restart",
    isSecret: true, usual: "the branch's own",
    hint: "Such as amqp://user:password@host:5672/vhost. Leave the asterisks to keep the password." },
  { name: "result_backend", label: "Result backend", kind: "url", group: "Connections",
    effect: "restart", isSecret: true, usual: "as the broker",
    hint: "Only where the broker is not to keep results. With a password, write all of it anew." },
  { name: "arguments", label: "Worker options", kind: "text", group: "Celery", effect: "restart",
    isSecret: false, hint: "As on a command line: --time-limit=300 --max-tasks-per-child=100" },
  { name: "extra_config", label: "Celery settings", kind: "text", group: "Celery",
    effect: "restart", hint: "task_acks_late=true worker_prefetch_multiplier=1" },
  { name: "labels", label: "Labels", kind: "labels", group: "Place", effect: "place",
    hint: "Such as zone=a,disk=ssd: it runs on branches only that have all of them." },
  { name: "celery_app", label: "Celery application", kind: "text", group: "Code", isCode: true,
    effect: "restart", usual: "Cyme's own",
    hint: "Module or module:attribute, as for celery -A: proj.celery:app" },
  { name: "workdir", label: "Working directory", kind: "path", group: "Code", isCode: true,
    effect: "restart", hint: "An absolute path on every machine that may run it." },
  { name: "python", label: "Python", kind: "path", group: "Code", isCode: true, effect: "restart",
    usual: "the branch's own", hint: "The interpreter of a virtual environment: /srv/app/bin/python" },
  { name: "env", label: "Environment", kind: "env", group: "Code", isCode: true, isSecret: true,
    effect: "restart", hint: "One NAME=value a line." },
];

export const GROUPS = ["Work", "Connections", "Celery", "Place", "Code"];

/** The parameters of an app (`app`) or an instance (`instance`). */
export function fieldsOf(noun) {
  return FIELDS.filter((field) => !field.of || field.of === noun);
}

/** Whether a pool's limits can change while it runs. */
export function canGrow(pool) {
  return GROWING.has(pool || "prefork");
}

/**
 * What is wrong with a name of an app, an instance or a queue; '' if nothing is.
 */
export function nameFault(name) {
  if (!name) return "Give it a name.";
  if (name.length > NAME_CHARS_MAX) return `At most ${NAME_CHARS_MAX} characters.`;
  if (!NAME.test(name)) {
    return "Letters, digits, '.', '_' and '-' only; the first neither '.' nor '-'.";
  }
  return "";
}

/** A value of a representation as a form shows it. */
export function textOf(field, value) {
  if (value === null || value === undefined) return "";
  switch (field.kind) {
    case "flag": return value ? "true" : "false";
    case "names": return value.join(", ");
    case "broker": return value.url ?? "";
    case "labels": return pairs(value).map(([key, text]) => `${key}=${text}`).join(",");
    case "env": return pairs(value).map(([key, text]) => `${key}=${text}`).join("\n");
    default: return String(value);
  }
}

/** A value as people read it in a diff; a secret is never shown. */
export function shownValue(field, value) {
  if (value === null || value === undefined || value === "") {
    return field.usual ? `not set (${field.usual})` : "not set";
  }
  if (field.kind === "env") return pairs(value).map(([key]) => `${key}=${MASK}`).join("\n") || "none";
  if (field.kind === "flag") return value ? "yes" : "no";
  if (field.isSecret) return maskedUrl(textOf(field, value));
  return textOf(field, value) || "none";
}

/** A URL without its password. */
export function maskedUrl(url) {
  return url.replace(/^([a-z][a-z0-9+._-]*:\/\/[^:@/]*):[^@/]*@/i, `$1:${MASK}@`);
}

/**
 * The value that a text of the form stands for, as it is sent.
 *
 * Returns `{ value }`, or `{ fault }` with words that tell what to write instead.
 */
export function readText(field, text, before) {
  const trimmed = text.trim();
  if (trimmed === "") return { value: field.kind === "names" ? [] : null };
  return READERS[field.kind](trimmed, field, before);
}

const READERS = {
  text: (text) => (/[\r\n\t]/.test(text) ? { fault: "One line, please." } : { value: text }),
  choice: (text) => ({ value: text }),
  flag: (text) => ({ value: text === "true" }),
  number: readNumber,
  path: readPath,
  url: readUrl,
  broker: readBroker,
  names: readNames,
  labels: readLabels,
  env: readEnv,
};

function readNumber(text) {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 10000) {
    return { fault: "A whole number from 1 to 10000." };
  }
  return { value };
}

function readPath(text) {
  if (!text.startsWith("/")) return { fault: "An absolute path: it begins with /." };
  if (text.split("/").includes("..")) return { fault: "Without '..', please." };
  return { value: text };
}

function readUrl(text) {
  if (!/^[A-Za-z][A-Za-z0-9+._-]*:\/\/\S*$/.test(text)) {
    return { fault: "A URL such as redis://host:6379/0." };
  }
  if (text.includes(MASK)) return { fault: "Write the password itself in place of the asterisks." };
  return { value: text };
}

function readBroker(text, field, before) {
  if (!text.includes(MASK)) return readUrl(text);
  const password = before?.password;
  if (!password || password === MASK) {
    return { fault: "Write the password itself in place of the asterisks." };
  }
  return { value: { url: text, password } };
}

function readNames(text) {
  const names = [...new Set(text.split(/[,\s]+/).filter(Boolean))];
  const wrong = names.find((name) => nameFault(name));
  if (wrong !== undefined) return { fault: `${wrong}: ${nameFault(wrong)}` };
  return { value: names.sort() };
}

function readLabels(text) {
  const value = {};
  for (const part of text.split(/[,\s]+/).filter(Boolean)) {
    const [key, word, ...rest] = part.split("=");
    if (rest.length || !LABEL_WORD.test(key) || !LABEL_WORD.test(word ?? "")) {
      return { fault: `${part}: write key=value, of letters, digits, '.', '_' and '-'.` };
    }
    value[key] = word;
  }
  return { value };
}

function readEnv(text) {
  const value = {};
  for (const line of text.split("\n").map((each) => each.trimEnd()).filter(Boolean)) {
    const at = line.indexOf("=");
    const name = line.slice(0, at);
    if (at < 1 || !VARIABLE.test(name)) {
      return { fault: `${at < 1 ? line : name}: write NAME=value, the name of letters, digits and _.` };
    }
    value[name] = line.slice(at + 1);
  }
  return { value };
}

function pairs(map) {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1));
}
