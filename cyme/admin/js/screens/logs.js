/* The logs of one instance or of a few, followed.

   /admin/logs/?instance=w1,w2&lines=200&since=900&q=/timeout|refused/&only=1&wrap=0 */

import { openDialog } from "../dialog.js";
import { fill, h, icon, write } from "../dom.js";
import { download } from "../download.js";
import { wordTest } from "../filters.js";
import { addKey } from "../keys.js";
import { mergedLogs } from "../log-lines.js";
import { LogStream } from "../log-stream.js";
import { LogView } from "../log-view.js";
import { plural, count } from "../format.js";
import { button, code, empty, notice, screenHead, searchBox, select, stateBadge } from "../parts.js";
import { loaded, waiting } from "../waiting.js";

/** A browser keeps six connections to a branch; events and requests need the other two. */
const FOLLOWED_MAX = 4;

/** Several logs are there once all are open and nothing has come for a while, or at last so late. */
const GATHER_MS = 300;
const GATHER_MS_MAX = 4_000;

const LINES = ["100", "500", "1000", "5000", "10000"];
const SINCE = [
  ["", "the last lines"], ["300", "the last 5 minutes"], ["900", "the last 15 minutes"], ["3600", "the last hour"],
  ["86400", "the last day"],
];

export const title = "Logs";

export async function mount(root, context) {
  fill(root, h("div", { class: "logs-screen" }, screenHead({ title, lead: "What the workers write, as they write it." }), waiting()));
  await loaded(context.live, "instances");
  if (context.signal?.aborted) return () => {};
  const names = wanted(context);
  const screen = new Logs(root.firstElementChild, context, names);
  return () => screen.close();
}

/** The instances that the address names, by themselves or by their app. */
function wanted({ query, live }) {
  const named = (query.get("instance") ?? "").split(",").filter(Boolean);
  const app = query.get("app");
  const ofApp = app ? live.instances.all().filter((row) => row.app === app).map((row) => row.name) : [];
  return [...new Set([...named, ...ofApp.sort()])];
}

class Logs {
  #streams = [];
  #states = new Map();
  #keys = [];

  constructor(root, context, names) {
    this.root = root;
    this.context = context;
    this.names = names;
    this.lines = context.query.get("lines") ?? "500";
    this.since = context.query.get("since") ?? "";
    this.query = context.query.get("q") ?? "";
    this.isOnly = context.query.get("only") === "1";
    this.wraps = context.query.get("wrap") !== "0";
    this.#build();
    if (names.length) this.#open();
    this.#keys = [
      addKey("p", "Pause or resume the log", () => this.#toggle(), { group: "Logs" }),
      addKey("w", "Wrap long lines, or not", () => this.wrapButton.click(), { group: "Logs" }),
    ];
  }

  close() {
    clearTimeout(this.gathering);
    for (const stream of this.#streams) stream.close();
    for (const remove of this.#keys) remove();
    this.view?.close();
  }

  #build() {
    this.view = new LogView({ told: (state) => this.#tell(state), faulted: (words) => this.#tellFault(words) });
    this.troubles = h("div", { class: "log-troubles" });
    this.status = h("p", { class: "log-status", role: "status" });
    this.resumeButton = h("button", {
      type: "button", class: "log-resume", hidden: true, onclick: () => this.#toggle(),
    });
    const body = this.names.length
      ? [this.#bar(), this.troubles,
        h("div", { class: "log-frame" }, this.view.element, this.resumeButton), this.status]
      : [this.#nothing()];
    fill(this.root, this.#head(), ...body);
  }

  #head() {
    const many = this.names.length > 3 ? `${this.names.slice(0, 3).join(", ")} and ${this.names.length - 3} more` : this.names.join(", ");
    return screenHead({
      title,
      lead: this.names.length ? many : "What the workers write, as they write it.",
      actions: [
        button("Choose instances", { icon: "instances", kind: this.names.length ? "plain" : "primary", run: () => this.#choose() }),
        this.names.length ? button("Download", { icon: "download", run: () => this.#download() }) : null,
      ],
    });
  }

  #bar() {
    const find = searchBox({
      label: "Find in the log", value: this.query, placeholder: "Find text or /pattern/",
      run: (text) => this.#find(text),
    });
    this.findInput = find.input;
    this.findFault = h("p", { class: "field-fault", role: "alert" });
    this.onlyBox = h("input", { type: "checkbox", checked: this.isOnly, onchange: () => this.#find(this.query) });
    this.pauseButton = button("Pause", { icon: "pause", run: () => this.#toggle(), title: "p" });
    this.wrapButton = button("Wrap", { pressed: this.wraps, title: "w", run: () => this.#wrap() });
    return h("div", { class: "log-bar" },
      h("div", { class: "log-find" }, find),
      this.findFault,
      h("label", { class: "check-line" }, this.onlyBox, "Only lines that match"),
      select({
        label: "Begin with", hideLabel: false, value: this.since,
        options: SINCE.map(([value, label]) => ({ value, label })),
        run: (value) => this.#again({ since: value }),
      }),
      select({
        label: "Lines", hideLabel: false, value: this.lines,
        options: LINES.map((value) => ({ value, label: count(Number(value)) })),
        run: (value) => this.#again({ lines: value }),
      }),
      h("span", { class: "log-bar-buttons" }, this.pauseButton, this.wrapButton,
        button("Clear", { icon: "trash", run: () => this.view.clear() })));
  }

  #nothing() {
    const { live } = this.context;
    if (live.instances.size === 0) {
      return empty({
        icon: "logs", title: "No instance, no log",
        body: [h("p", {}, "Create an instance, and what its worker writes stands here."),
          code("cyme -a shop instances.add w1", { copy: true })],
        actions: [button("Create an instance", { kind: "primary", run: () => this.context.go("instances?create=1") })],
      });
    }
    const rows = live.instances.all().slice(0, 12);
    return empty({
      icon: "logs", title: "Whose log?",
      body: [
        h("p", {}, "Choose one instance or a few. In a terminal the same is:"),
        code(`cyme logs -f ${rows[0].name}`, { copy: true }),
        h("ul", { class: "log-choices" }, rows.map((row) => h("li", {},
          h("a", { href: this.context.href("logs", { instance: row.name }) }, row.name), " ",
          stateBadge(row.state, row.reason)))),
      ],
      actions: [button("Choose instances", { kind: "primary", run: () => this.#choose() })],
    });
  }

  #open() {
    const followed = this.names.slice(0, FOLLOWED_MAX);
    this.view.setSources(followed);
    this.view.setWrap(this.wraps);
    this.#tellFault(this.view.find(this.query, this.isOnly));
    this.#gather(followed);
    this.#streams = followed.map((name) => this.#stream(name)).filter(Boolean);
    this.#tellTroubles();
  }

  #stream(instance) {
    const row = this.context.live.instances.get(instance);
    if (!row) {
      this.#states.set(instance, { state: "failed", problem: { detail: "There is no such instance." } });
      return null;
    }
    return new LogStream({
      api: this.context.api, app: row.app, instance,
      lines: this.since ? LINES.at(-1) : this.lines, since: this.since, follow: true,
      take: (lines) => this.#take(instance, lines),
      told: (state, problem) => {
        this.#states.set(instance, { state, problem });
        this.#tellTroubles();
        this.#tell();
      },
    });
  }

  /** Holds what several logs have already, so that it can be shown in the order of its writing. */
  #gather(names) {
    clearTimeout(this.gathering);
    this.gathered = names.length > 1 ? new Map(names.map((name) => [name, []])) : null;
    this.gatheredUntil = Date.now() + GATHER_MS_MAX;
    this.#gatherOn();
  }

  #gatherOn() {
    if (!this.gathered) return;
    clearTimeout(this.gathering);
    this.gathering = setTimeout(() => this.#showGathered(), Math.min(GATHER_MS, this.gatheredUntil - Date.now()));
  }

  #showGathered() {
    const isOpening = [...this.gathered.keys()].some((name) => (this.#states.get(name)?.state ?? "opening") === "opening");
    if (isOpening && Date.now() < this.gatheredUntil) return this.#gatherOn();
    const runs = mergedLogs(this.gathered);
    this.gathered = null;
    for (const { source, texts } of runs) this.view.add(source, texts);
    return undefined;
  }

  #take(instance, lines) {
    if (!this.gathered) return this.view.add(instance, lines);
    this.gathered.get(instance).push(...lines);
    return this.#gatherOn();
  }

  #tell(state = this.state) {
    this.state = state ?? { paused: false, waiting: 0, shown: 0, kept: 0, dropped: 0 };
    const { paused, waiting, shown, kept, dropped } = this.state;
    const following = [...this.#states.values()].filter((each) => each.state === "following").length;
    const words = [
      paused ? "Paused" : following ? `Following ${plural(following, "log")}` : "Opening the log",
      shown === kept ? plural(kept, "line") : `${count(shown)} of ${plural(kept, "line")} match`,
      dropped ? `${plural(dropped, "older line")} not kept` : "",
    ];
    write(this.status, words.filter(Boolean).join(" · "));
    write(this.pauseButton.querySelector(".button-label"), paused ? "Resume" : "Pause");
    this.pauseButton.querySelector("svg").replaceWith(icon(paused ? "play" : "pause"));
    this.resumeButton.hidden = !paused;
    write(this.resumeButton, waiting ? `${plural(waiting, "new line")} · Resume` : "Paused · Resume");
  }

  #tellTroubles() {
    const rows = [...this.#states].filter(([, { state }]) => state === "failed" || state === "retrying");
    const surplus = this.names.length - FOLLOWED_MAX;
    fill(this.troubles,
      surplus > 0 ? notice({
        kind: "info", title: `The page follows ${FOLLOWED_MAX} logs at a time`,
        body: [h("p", {}, `${plural(surplus, "instance is", "instances are")} left out. The command follows all of them:`),
          code(`cyme -a ${this.#app()} logs -f`, { copy: true })],
      }) : null,
      rows.map(([name, { state, problem }]) => notice({
        kind: state === "failed" ? "error" : "warn",
        title: state === "failed" ? `The log of ${name} cannot be shown` : `The log of ${name} broke off; trying again`,
        body: problem?.detail ?? "The connection ended.",
        actions: state === "failed" ? [button("Try again", { small: true, run: () => this.#again({}) })] : [],
      })));
  }

  #app() {
    return this.context.live.instances.get(this.names[0])?.app ?? "shop";
  }

  #toggle() {
    if (!this.names.length) return;
    if (this.view.isPaused) this.view.resume();
    else this.view.pause();
  }

  #find(text) {
    this.query = text;
    this.isOnly = this.onlyBox.checked;
    const fault = this.view.find(text, this.isOnly);
    this.#tellFault(fault);
    if (!fault) this.context.setQuery({ q: text, only: this.isOnly });
  }

  #tellFault(words) {
    write(this.findFault, words);
    this.findInput.toggleAttribute("aria-invalid", Boolean(words));
  }

  #wrap() {
    this.wraps = !this.wraps;
    this.wrapButton.setAttribute("aria-pressed", String(this.wraps));
    this.view.setWrap(this.wraps);
    this.context.setQuery({ wrap: this.wraps ? "" : "0" });
  }

  /** Reads the logs anew. */
  #again(changes) {
    Object.assign(this, changes);
    this.context.setQuery(changes);
    for (const stream of this.#streams) stream.close();
    this.#states.clear();
    this.view.clear();
    if (this.view.isPaused) this.view.resume();
    this.#open();
  }

  #download() {
    download(`${this.names.slice(0, FOLLOWED_MAX).join("+")}.log`, `${this.view.text()}\n`, "text/plain");
  }

  #choose() {
    return chooseInstances(this.context, this.names.slice(0, FOLLOWED_MAX));
  }
}

const CHOICES_MAX = 100;

/** A dialog to choose instances from; goes to their logs. */
function chooseInstances({ live, go, href }, chosen) {
  const picked = new Set(chosen);
  const list = h("ul", { class: "choice-list" });
  const note = h("p", { class: "quiet-note", role: "status" });
  const show = (text) => {
    const rows = live.instances.all()
      .filter(wordTest(text, (row) => `${row.name} ${row.app} ${row.branch} ${row.state}`))
      .sort((a, b) => picked.has(b.name) - picked.has(a.name) || (a.name < b.name ? -1 : 1));
    fill(list, rows.slice(0, CHOICES_MAX).map(choice));
    tell(rows.length);
  };
  const choice = (row) => h("li", {}, h("label", {},
    h("input", { type: "checkbox", checked: picked.has(row.name), onchange: (event) => pick(row.name, event.target) }),
    h("span", { class: "choice-name" }, row.name), h("span", { class: "choice-app" }, row.app),
    stateBadge(row.state, row.reason)));
  const pick = (name, box) => {
    if (box.checked && picked.size >= FOLLOWED_MAX) box.checked = false;
    if (box.checked) picked.add(name);
    else picked.delete(name);
    tell();
  };
  const tell = (found = list.childElementCount) => {
    const more = found > CHOICES_MAX ? ` The first ${CHOICES_MAX} of ${count(found)} are listed: search for the others.` : "";
    write(note, `${picked.size} of at most ${FOLLOWED_MAX} chosen.${more}`);
  };
  show("");
  const opened = openDialog({
    title: "Whose logs?",
    body: [searchBox({ label: "Search instances", placeholder: "Name, app, branch or state", run: show }), list, note],
    actions: [
      { label: "Cancel" },
      {
        label: "Show", kind: "primary",
        run: () => {
          go(href("logs", { instance: [...picked].join(",") }));
        },
      },
    ],
  });
  return opened.done;
}
