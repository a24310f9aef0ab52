/* The parts that screens are made of.

   screenHead({ title, lead, actions, back })   the head of a screen; back: { href, label }
   panel({ title, actions, note, flush }, ...children)     a framed part of a screen
   button("Start", { kind: "primary" | "danger" | "plain" | "quiet", icon, run, small, title })
                              run may be async: the button is busy meanwhile, trouble is a toast
   iconButton("More", "more", run)
   link("w1", href)   outside("branch2", url)
   badge(word, tone, title)   tone: "ok" | "warn" | "bad" | "info" | "idle"
   stateBadge("running", reason)    the state of an instance, branch or task, as badge
   toneOf("running")          its tone
   notice({ kind: "info" | "warn" | "error", title, body, actions })
   empty({ icon, title, body, actions })        what a screen says when there is nothing
   failed(error, retry)       what it says when something cannot be loaded
   facts([["Branch", node], ...])               a list of names and values
   liveFacts([["Load", () => value, () => mark], ...])      the same, kept fresh: { node, update() };
                              a value is written again when its mark (itself, if a text) changes
   meter(value, max, label)   a bar; -> { node, update(value, max) }
   searchBox({ label, value, placeholder, run(text), ms })      "/" focuses it
   select({ label, value, options, run })       -> label and select in one
   copyButton(() => text, label)
   code(text, { copy: true }) a block of code
   breakable(text)            a text that may break after an @, as in the URL of a broker
   time(at, "ago" | "clock" | "moment")         a <time> that keeps itself fresh when "ago"
   tabs({ label, value, options: [{ value, label, count }], run })
   refreshTimes()             called every few seconds by the shell */

import { debounce, fill, h, icon, uniqueId, write } from "./dom.js";
import { ago, clock, millis, moment, NOTHING } from "./format.js";
import { toast } from "./toast.js";
import { problemBox } from "./dialog.js";

const COPIED_MS = 2000;

const TONES = {
  running: "ok", alive: "ok", success: "ok", succeeded: "ok",
  starting: "info", pending: "info", stopping: "info", received: "info", started: "info", sent: "info", leaving: "info",
  unresponsive: "warn", backoff: "warn", suspect: "warn", unknown: "warn", retried: "warn", retry: "warn",
  disabled: "bad", failed: "bad", failure: "bad", rejected: "bad",
  stopped: "idle", left: "idle", revoked: "idle",
};

export function toneOf(state) {
  return TONES[String(state).toLowerCase()] ?? "idle";
}

export function screenHead({ title, lead, actions = [], back = null, badge: mark = null }) {
  return h(
    "header",
    { class: "screen-head" },
    h(
      "div",
      { class: "screen-title" },
      back && h("a", { class: "back", href: back.href }, icon("chevron", { class: "flipped" }), back.label),
      h("div", { class: "screen-name" }, h("h1", { tabindex: "-1" }, title), mark),
      lead && h("p", { class: "lead" }, lead),
    ),
    h("div", { class: "screen-actions" }, actions),
  );
}

export function panel({ title, actions = [], note = "", flush = false, id, level = 2 } = {}, ...children) {
  const heading = uniqueId("panel");
  return h(
    "section",
    { class: `panel${flush ? " flush" : ""}`, id, aria: title ? { labelledby: heading } : {} },
    title &&
      h(
        "div",
        { class: "panel-head" },
        h(`h${level}`, { id: heading }, title),
        note && h("p", { class: "panel-note" }, note),
        h("div", { class: "panel-actions" }, actions),
      ),
    h("div", { class: "panel-body" }, children),
  );
}

export function button(label, { kind = "plain", icon: symbol, run, small = false, title, disabled, type = "button", pressed, id } = {}) {
  const node = h(
    "button",
    {
      class: `button ${kind}${small ? " small" : ""}`, type, title, disabled, id,
      aria: pressed === undefined ? {} : { pressed: String(pressed) },
    },
    symbol && icon(symbol),
    label && h("span", { class: "button-label" }, label),
  );
  if (run) node.addEventListener("click", (event) => void busyWhile(node, () => run(event)));
  return node;
}

export function iconButton(label, symbol, run, props = {}) {
  const node = h("button", { class: "icon-button", type: "button", title: label, aria: { label }, ...props }, icon(symbol));
  if (run) node.addEventListener("click", (event) => void busyWhile(node, () => run(event)));
  return node;
}

async function busyWhile(node, run) {
  if (node.getAttribute("aria-busy") === "true") return;
  let answer;
  try {
    answer = run();
    if (answer instanceof Promise) {
      node.setAttribute("aria-busy", "true");
      await answer;
    }
  } catch (error) {
    toast.problem(error);
  } finally {
    node.removeAttribute("aria-busy");
  }
}

export function link(label, href, props = {}) {
  return h("a", { href, ...props }, label);
}

/** A link to another server: a new tab that knows nothing of this one. */
export function outside(label, url, props = {}) {
  return h("a", { href: url, target: "_blank", rel: "noopener noreferrer", ...props }, label, icon("outside", { class: "after" }), h("span", { class: "hidden" }, " (opens in a new tab)"));
}

export function badge(word, tone = "idle", title = "") {
  return h("span", { class: "badge", dataset: { tone }, title: title || null }, h("span", { class: "dot", aria: { hidden: "true" } }), word);
}

export function stateBadge(state, reason = "") {
  return badge(state ?? NOTHING, toneOf(state), reason);
}

export function notice({ kind = "info", title, body, actions = [] }) {
  const symbol = { info: "about", warn: "warn", error: "alert", ok: "check" }[kind];
  return h(
    "div",
    { class: "notice", dataset: { kind }, role: kind === "error" ? "alert" : null },
    icon(symbol),
    h("div", { class: "notice-text" }, title && h("strong", {}, title), typeof body === "string" ? h("p", {}, body) : body),
    actions.length > 0 && h("div", { class: "notice-actions" }, actions),
  );
}

export function empty({ icon: symbol = "about", title, body = "", actions = [] }) {
  return h(
    "div",
    { class: "empty" },
    h("div", { class: "empty-icon" }, icon(symbol)),
    h("h2", {}, title),
    typeof body === "string" ? body && h("p", {}, body) : body,
    actions.length > 0 && h("div", { class: "empty-actions" }, actions),
  );
}

export function failed(error, retry) {
  return h("div", { class: "failed" }, problemBox(error), retry && button("Try again", { icon: "restart", run: retry }));
}

export function facts(pairs) {
  return h(
    "dl",
    { class: "facts" },
    pairs.filter(Boolean).map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value ?? NOTHING))),
  );
}

export function liveFacts(pairs) {
  const kept = pairs.filter(Boolean).map(([name, value, markOf = value]) => ({ value, markOf, mark: null, place: h("dd"), name }));
  const node = h("dl", { class: "facts" }, kept.map((each) => h("div", {}, h("dt", {}, each.name), each.place)));
  const update = () => {
    for (const each of kept) {
      const mark = String(each.markOf());
      if (mark === each.mark) continue;
      each.mark = mark;
      fill(each.place, each.value() ?? NOTHING);
    }
  };
  update();
  return { node, update };
}

export function meter(value, max, label) {
  const fillBar = h("span", { class: "meter-fill" });
  const node = h("span", { class: "meter", role: "meter", aria: { label, valuemin: "0" } }, fillBar);
  const update = (now, most) => {
    const part = most > 0 && now !== null && now !== undefined ? Math.min(1, Math.max(0, now / most)) : 0;
    fillBar.style.setProperty("--part", String(part));
    node.dataset.tone = part >= 0.95 ? "bad" : part >= 0.8 ? "warn" : "ok";
    node.setAttribute("aria-valuenow", String(now ?? 0));
    node.setAttribute("aria-valuemax", String(most || 1));
  };
  update(value, max);
  return { node, update };
}

export function searchBox({ label = "Search", value = "", placeholder = "Search", run, ms = 80 }) {
  const input = h("input", {
    type: "search", class: "input", value, placeholder, autocomplete: "off", spellcheck: "false",
    aria: { label, keyshortcuts: "/" }, dataset: { search: "" },
  });
  const later = debounce(() => run(input.value.trim()), ms);
  input.addEventListener("input", later);
  input.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && input.value) {
      event.preventDefault();
      input.value = "";
      later.cancel();
      run("");
    } else if (event.key === "Escape") input.blur();
    else if (event.key === "Enter" && !event.isComposing) {
      event.preventDefault();
      later.cancel();
      run(input.value.trim());
    }
  });
  const node = h("div", { class: "search" }, icon("search"), input, h("kbd", { aria: { hidden: "true" } }, "/"));
  node.input = input;
  return node;
}

export function select({ label, value = "", options, run, hideLabel = true }) {
  const input = h(
    "select",
    { class: "input", aria: hideLabel ? { label } : {}, onchange: () => run(input.value) },
    options.map((each) => {
      const option = typeof each === "string" ? { value: each, label: each } : each;
      return h("option", { value: option.value }, option.label);
    }),
  );
  input.value = value;
  const node = h("label", { class: "select" }, !hideLabel && h("span", {}, label), input);
  node.input = input;
  return node;
}

export function tabs({ label, value, options, run }) {
  const node = h("div", { class: "tabs", role: "group", aria: { label } });
  const made = options.map((option) => {
    const number = h("span", { class: "tab-count" }, option.count ?? "");
    const tab = h(
      "button",
      { type: "button", class: "tab", aria: { pressed: String(option.value === value) }, onclick: () => choose(option.value) },
      option.label,
      number,
    );
    return { option, tab, number };
  });
  const choose = (wanted, silent = false) => {
    for (const { option, tab } of made) tab.setAttribute("aria-pressed", String(option.value === wanted));
    if (!silent) run(wanted);
  };
  node.append(...made.map((each) => each.tab));
  node.choose = choose;
  node.counts = (counts) => {
    for (const { option, number } of made) write(number, counts[option.value] ?? "");
  };
  return node;
}

export function copyButton(text, label = "Copy") {
  // Said on the button itself: messages in the corner are behind a dialog.
  const node = button(label, {
    icon: "copy", small: true,
    run: async () => {
      await copy(typeof text === "function" ? text() : text);
      write(words, "Copied");
      clearTimeout(timer);
      timer = setTimeout(() => write(words, label), COPIED_MS);
    },
  });
  let timer = 0;
  const words = node.querySelector(".button-label");
  return node;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without TLS browsers keep the clipboard to themselves; the older way still works.
    const area = h("textarea", { class: "hidden", value: text, aria: { hidden: "true" } });
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("The browser does not let this page copy; select the text and copy it.");
  }
}

export function code(text, { copy: canCopy = false } = {}) {
  return h("div", { class: "code" }, h("pre", { tabindex: "0" }, h("code", {}, text)), canCopy && copyButton(text));
}

export function breakable(text) {
  return text.split(/(?<=@)/).map((part, index) => [index > 0 && h("wbr"), part]);
}

const times = new Set();

export function time(at, form = "ago") {
  const ms = millis(at);
  if (Number.isNaN(ms)) return h("span", {}, NOTHING);
  const node = h("time", { datetime: new Date(ms).toISOString(), title: moment(ms / 1000) });
  const words = { ago, clock, moment }[form];
  write(node, words(ms / 1000));
  if (form === "ago") times.add(new WeakRef(Object.assign(node, { at: ms / 1000 })));
  return node;
}

export function refreshTimes() {
  for (const kept of times) {
    const node = kept.deref();
    if (!node) times.delete(kept);
    else if (node.isConnected) write(node, ago(node.at));
  }
}
