/* The form that queues a URL.

   const form = taskForm({ api, live, session, href, query, sent(task) {} });   task: { app, uuid, url, method }
   form.node   form.app()   form.close() */

import { field, problemBox } from "./dialog.js";
import { fill, h } from "./dom.js";
import { roleRefusal } from "./instance-deeds.js";
import { button, link, notice } from "./parts.js";

/** What a browser lets a page send; the command can send CONNECT and TRACE too. */
const VERBS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const WITHOUT_BODY = new Set(["GET", "HEAD"]);

const OPTIONS = [
  { name: "countdown", label: "Not before, in seconds", header: "X-Cyme-Countdown", hint: "A worker waits so long from now." },
  { name: "expires", label: "Given up after, in seconds", header: "X-Cyme-Expires", hint: "What no worker took by then is dropped." },
  { name: "priority", label: "Priority, 0 to 9", header: "X-Cyme-Priority", hint: "Where the queue has priorities." },
  { name: "retries", label: "Tries after a failure", header: "X-Cyme-Retries", hint: "0 to 100." },
  { name: "timeout", label: "Time for an answer, in seconds", header: "X-Cyme-Timeout", hint: "Up to 3600." },
];

export function taskForm({ api, live, session, href, query, sent }) {
  const refusal = roleRefusal(session);
  const apps = live.apps.all().map((row) => row.name).sort();
  const first = live.queues.all().map((row) => row.app).sort()[0] ?? apps[0] ?? "";
  const app = field({ name: "app", label: "App", type: "select", options: apps, value: query.get("app") || first });
  const queue = field({ name: "queue", label: "Queue", type: "select", options: [] });
  const method = field({ name: "method", label: "Verb", type: "select", options: VERBS, value: "GET" });
  const url = field({
    name: "url", label: "URL", type: "url", required: true, placeholder: "https://example.com/hook?id=1",
    hint: "A worker of the queue requests it; the query string reaches it as you write it.",
  });
  const body = field({ name: "body", label: "Body", type: "textarea", rows: 3, placeholder: '{"order": 7}' });
  const type = field({ name: "type", label: "Content type", value: "application/json" });
  const options = OPTIONS.map((option) => ({ ...option, ...field({ ...option, attributes: { inputmode: "decimal" } }) }));
  const lack = h("div", { class: "trouble" });
  const trouble = h("div", { role: "alert" });
  const submit = button("Queue it", { kind: "primary", type: "submit" });
  const bodyPart = h("div", { class: "task-body" }, body.node, type.node);
  const form = h("form", { class: "form task-form", novalidate: true },
    h("fieldset", { disabled: Boolean(refusal), class: "bare" },
      h("legend", { class: "hidden" }, "A URL for a worker"),
      h("div", { class: "task-where" }, app.node, queue.node, method.node), lack, url.node, bodyPart,
      h("details", {}, h("summary", {}, "When, and how often"),
        h("div", { class: "task-options" }, options.map((option) => option.node))),
      trouble, h("div", { class: "form-foot" }, submit)));

  const showQueues = () => {
    const names = live.queues.all().filter((row) => row.app === app.value()).map((row) => row.name).sort();
    const before = queue.value() || query.get("queue");
    fill(queue.input, names.map((name) => h("option", { value: name }, name)));
    if (names.includes(before)) queue.input.value = before;
    fill(lack, names.length || refusal ? null : lackOf(app.value(), href));
    submit.disabled = !names.length;
  };
  const showBody = () => {
    bodyPart.hidden = WITHOUT_BODY.has(method.value());
  };
  const send = async () => {
    fill(trouble);
    const fault = urlFault(url.value());
    url.say(fault);
    if (fault) return url.input.focus();
    const hasBody = !bodyPart.hidden && body.value() !== "";
    const headers = Object.fromEntries(
      options.filter((option) => option.value() !== "").map((option) => [option.header, option.value().trim()]));
    if (hasBody) headers["Content-Type"] = type.value().trim() || "text/plain";
    const target = url.value().trim();
    submit.setAttribute("aria-busy", "true");
    try {
      const path = `${api.path(app.value(), "queue", queue.value())}${target}`;
      const reply = await api.request(method.value(), path, { headers, body: hasBody ? body.value() : undefined });
      sent({ app: app.value(), uuid: reply.headers.get("X-Cyme-Task"), url: target, method: method.value() });
    } catch (error) {
      tellFaults(error, options, trouble);
    } finally {
      submit.removeAttribute("aria-busy");
    }
    return undefined;
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    void send();
  });
  app.input.addEventListener("change", showQueues);
  method.input.addEventListener("change", showBody);
  showQueues();
  showBody();
  const close = live.queues.subscribe(showQueues);
  const node = h("div", {}, refusal ? notice({ kind: "info", title: refusal }) : null, form);
  return { node, close, app: () => app.value() };
}

/** What has to be there before anything can be queued, and where it is made. */
function lackOf(app, href) {
  const [title, label, place] = app
    ? [`${app} has no queue yet`, "Declare a queue", href("queues", { app, create: 1 })]
    : ["There is no app yet", "Create an app", href("apps", { create: 1 })];
  return notice({ title, body: "A URL waits in a queue of an app.", actions: [link(label, place, { class: "button small" })] });
}

function urlFault(text) {
  if (!/^https?:\/\/[^/\s]+/i.test(text.trim())) return "A whole URL: it begins with http:// or https://.";
  return text.includes("#") ? "What follows # never leaves a browser: leave it out." : "";
}

function tellFaults(error, options, trouble) {
  const homeless = (error.errors ?? []).filter(({ parameter, detail }) => {
    const place = options.find((option) => option.header.toLowerCase() === parameter.toLowerCase());
    place?.say(detail);
    if (place) place.node.closest("details").open = true;
    return !place;
  });
  if (homeless.length || !error.errors?.length) fill(trouble, problemBox(error));
}
