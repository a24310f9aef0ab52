/* What stands around every screen: navigation, who and where one is, the state of the stream, and
   the place where screens are put up and taken down. */

import { api } from "./api.js";
import { nextTheme, themeSwitch } from "./appearance.js";
import { addEverything } from "./commands.js";
import { openDialog } from "./dialog.js";
import { fill, h, icon, on, write } from "./dom.js";
import { addKey, keysInUse, shown } from "./keys.js";
import { live } from "./live.js";
import { mark } from "./login.js";
import { openPalette } from "./palette.js";
import { badge, button, failed, iconButton, refreshTimes } from "./parts.js";
import { current, go, href, setQuery, startRouting } from "./router.js";
import { SCREENS, screenNamed } from "./screens.js";
import { session } from "./session.js";
import { toast } from "./toast.js";

const REFRESH_MS = 5_000;
/** A short gap in the stream is not worth a word. */
const LOST_FOR_MS = 1_500;

const CONNECTION = {
  connecting: ["Connecting", "info"],
  live: ["Live", "ok"],
  polling: ["Every 5 s", "warn"],
  lost: ["Reconnecting", "warn"],
};

let isRouting = false;

export class Shell {
  #root;
  #deeds;
  #removers = [];
  #unmount = null;
  #gone = null;
  #turn = 0;
  #positions = new Map();
  #bannerTimer = 0;

  constructor(root, deeds) {
    this.#root = root;
    this.#deeds = deeds;
  }

  start() {
    this.#build();
    this.#keys();
    this.#removers.push(addEverything({ session, deeds: this.#deeds, help: () => this.#help() }));
    this.#removers.push(live.status.subscribe((status) => this.#tellStatus(status)));
    this.#removers.push(live.vitals.subscribe((vitals) => this.#tellAlerts(vitals)));
    const timer = setInterval(refreshTimes, REFRESH_MS);
    this.#removers.push(() => clearInterval(timer));
    this.#tellStatus(live.status.get());
    if (!isRouting) startRouting((how) => route(how));
    isRouting = true;
    route = (how) => void this.#show(how);
    void this.#show({ isFirst: true });
  }

  stop() {
    route = () => {};
    clearTimeout(this.#bannerTimer);
    this.#takeDown();
    for (const remove of this.#removers.splice(0)) remove();
    fill(this.#root);
  }

  // --- building ----------------------------------------------------------------------------------

  #build() {
    this.connection = badge("Connecting", "info");
    this.alerts = h("span", { class: "nav-count", hidden: true });
    this.banner = h("div", { class: "banner", role: "status", hidden: true });
    this.main = h("main", { id: "main", class: "main", tabindex: "-1", dataset: { scroll: "" } });
    this.nav = h("nav", { id: "nav", class: "nav", aria: { label: "Screens" } }, this.#links());
    this.menu = iconButton("Menu", "menu", () => this.#drawer(!this.#root.firstElementChild.hasAttribute("data-drawer")), { class: "icon-button menu-button", aria: { label: "Menu", expanded: "false", controls: "side" } });
    const bar = h(
      "header",
      { class: "topbar" },
      this.menu,
      h("a", { class: "brand small", href: href(), aria: { label: "Cyme, overview" } }, mark()),
      h("div", { class: "where" }, h("span", { class: "where-cluster", title: "The cluster" }, session.cluster), h("span", { class: "where-branch", title: "The branch that serves this page; what is made here is placed on it by default" }, session.branch)),
      h("button", { type: "button", class: "find", onclick: () => openPalette(), aria: { keyshortcuts: "Control+K Meta+K" } }, icon("search"), h("span", {}, "Find anything"), h("kbd", { aria: { hidden: "true" } }, shown("mod+k"))),
      this.connection,
      this.#who(),
    );
    const side = h(
      "aside",
      { class: "side", id: "side", aria: { label: "Cyme" } },
      h("a", { class: "brand", href: href() }, mark(), h("span", {}, "Cyme")),
      this.nav,
      h("div", { class: "side-foot" }, themeSwitch(), h("span", { class: "version" }, `Cyme ${session.version}`)),
    );
    fill(
      this.#root,
      h(
        "div",
        { class: "shell" },
        h("a", { class: "skip", href: "#main", onclick: (event) => this.#skip(event) }, "Skip to the screen"),
        side,
        h("div", { class: "scrim", onclick: () => this.#drawer(false) }),
        h("div", { class: "body" }, bar, this.banner, this.main),
      ),
    );
    this.side = side;
    side.addEventListener("keydown", (event) => event.key === "Escape" && this.#drawer(false));
  }

  #links() {
    const groups = [...new Set(SCREENS.map((screen) => screen.group))];
    return groups.map((group) => [
      h("h2", { class: "nav-group" }, group),
      h(
        "ul",
        {},
        SCREENS.filter((screen) => screen.group === group).map((screen) =>
          h("li", {}, h("a", { class: "nav-link", href: href(screen.name === "overview" ? "" : screen.name), dataset: { screen: screen.name } }, icon(screen.icon), h("span", {}, screen.label), screen.name === "overview" && this.alerts)),
        ),
      ),
    ]);
  }

  #who() {
    const label = session.isLoggedIn ? session.name : "Local operator";
    const node = h(
      "details",
      { class: "who", onkeydown: (event) => closeOnEscape(event), onfocusout: ({ relatedTarget }) => relatedTarget && !node.contains(relatedTarget) && (node.open = false) },
      h("summary", { aria: { label: `${label}, ${session.role}` } }, icon("user"), h("span", { class: "who-name" }, label)),
      h(
        "div",
        { class: "who-menu" },
        h("p", {}, h("strong", {}, label), h("span", { class: "quiet" }, ` ${session.role}`)),
        !session.isLoggedIn && h("p", { class: "quiet" }, "This branch takes everybody on this machine for an operator. To choose what code runs, and to make tokens, log in as an administrator."),
        session.isLoggedIn
          ? button("Log out", { icon: "out", run: () => this.#deeds.onLogOut() })
          : button("Log in with a token", { icon: "tokens", run: () => this.#deeds.onLogIn({ canGoBack: true }) }),
        button("Keys", { icon: "keyboard", kind: "quiet", run: () => this.#help() }),
      ),
    );
    this.#removers.push(on(document, "click", ({ target }) => {
      if (!node.querySelector("summary").contains(target) && !target.closest?.(".who-menu p")) node.open = false;
    }));
    return node;
  }

  #keys() {
    const add = (...given) => this.#removers.push(addKey(...given));
    add("mod+k", "Find anything", () => openPalette());
    add("/", "Search on this screen", () => this.#search());
    add("?", "Show the keys", () => this.#help());
    add("g d", "Light, dark, or as the system has it", () => toast(nextTheme(), { kind: "info", timeoutMs: 1500 }));
    for (const screen of SCREENS) {
      add(`g ${screen.key}`, screen.label, () => go(href(screen.name === "overview" ? "" : screen.name)), { group: "Go to" });
    }
  }

  // --- screens -----------------------------------------------------------------------------------

  async #show({ isFirst = false, isBack = false }) {
    const { screen: name, params, query } = current();
    const turn = ++this.#turn;
    this.#takeDown();
    // What was asked on a screen is not asked on the one before.
    if (isBack) for (const dialog of document.querySelectorAll("dialog[open]")) dialog.close();
    this.#drawer(false);
    const screen = screenNamed(name);
    for (const each of this.nav.querySelectorAll(".nav-link")) {
      if (each.dataset.screen === name) each.setAttribute("aria-current", "page");
      else each.removeAttribute("aria-current");
    }
    this.main.setAttribute("aria-busy", "true");
    const root = h("div", { class: "screen", dataset: { screen: name } });
    this.#title(screen?.label ?? "Not found");
    let module;
    try {
      module = screen ? await screen.load() : await import("./screens/missing.js");
      if (turn !== this.#turn) return;
      fill(this.main, root);
      await this.#mount(module, root, { params, query }, turn);
    } catch (error) {
      if (turn !== this.#turn || error.name === "AbortError") return;
      console.error(`The screen ${name} failed`, error);
      fill(this.main, broken(error, name, () => void this.#show({})));
    }
    if (turn !== this.#turn) return;
    this.main.removeAttribute("aria-busy");
    this.main.scrollTop = isBack ? (this.#positions.get(location.pathname + location.search) ?? 0) : 0;
    if (!isFirst && !this.main.contains(document.activeElement)) (this.main.querySelector("h1") ?? this.main).focus({ preventScroll: true });
  }

  async #mount(module, root, address, turn) {
    const gone = new AbortController();
    this.#gone = gone;
    const screen = module.default ?? module;
    if (screen.title) this.#title(typeof screen.title === "function" ? screen.title(address.params) : screen.title);
    const unmount = await screen.mount(root, {
      ...address, api, live, go, href, setQuery, session,
      setTitle: (title) => this.#title(title),
      logIn: () => this.#deeds.onLogIn({ canGoBack: true }),
      signal: gone.signal,
    });
    if (turn === this.#turn) this.#unmount = unmount;
    else unmount?.();
  }

  #takeDown() {
    this.#positions.set(this.#at, this.main?.scrollTop ?? 0);
    this.#at = location.pathname + location.search;
    this.#gone?.abort();
    this.#gone = null;
    const unmount = this.#unmount;
    this.#unmount = null;
    try {
      unmount?.();
    } catch (error) {
      console.error("A screen did not go well", error);
    }
  }

  #at = "";

  #title(title) {
    document.title = `${title} · ${session.branch} · Cyme`;
  }

  // --- small things ------------------------------------------------------------------------------

  #skip(event) {
    event.preventDefault();
    this.main.focus();
  }

  #search() {
    const input = this.main.querySelector("[data-search]");
    if (input) {
      input.focus();
      input.select();
    } else openPalette();
  }

  #drawer(isOpen) {
    const shell = this.#root.firstElementChild;
    if (!shell || shell.hasAttribute("data-drawer") === isOpen) return;
    shell.toggleAttribute("data-drawer", isOpen);
    this.menu.setAttribute("aria-expanded", String(isOpen));
    if (isOpen) this.side.querySelector("a, button")?.focus();
    else this.menu.focus();
  }

  #tellStatus(status) {
    const [word, tone] = CONNECTION[status];
    const fresh = badge(word, tone, TOLD[status]);
    fresh.classList.add("connection");
    this.connection.replaceWith(fresh);
    this.connection = fresh;
    clearTimeout(this.#bannerTimer);
    if (status !== "lost") {
      this.banner.hidden = true;
      return;
    }
    this.#bannerTimer = setTimeout(() => {
      this.banner.hidden = false;
      fill(
        this.banner,
        icon("warn"),
        h("p", {}, h("strong", {}, `Branch ${session.branch} does not answer. `), "What you see is as old as that. The workers run on without it; this page goes on by itself once the branch is back."),
        this.#others(),
      );
    }, LOST_FOR_MS);
  }

  #others() {
    const others = live.branches.all().filter((branch) => branch.id !== session.branch && branch.url && branch.state === "alive");
    return others.length ? h("a", { class: "button small", href: `${others[0].url}/admin/`, rel: "noopener" }, `Open ${others[0].id}`) : null;
  }

  #tellAlerts(vitals) {
    const number = vitals?.alerts?.length ?? 0;
    this.alerts.hidden = number === 0;
    write(this.alerts, number);
    this.alerts.setAttribute("title", `${number} alerts`);
  }

  #help() {
    const keys = keysInUse();
    const groups = [...new Set(keys.map((each) => each.group))];
    openDialog({
      title: "Keys",
      size: "large",
      body: h(
        "div",
        { class: "keys" },
        groups.map((group) => [h("h3", {}, group), h("dl", {}, keys.filter((each) => each.group === group).map((each) => h("div", {}, h("dt", {}, keyCaps(each.keys)), h("dd", {}, each.label))))]),
      ),
    });
  }
}

const TOLD = {
  connecting: "The stream of events is being opened.",
  live: "Everything here is as it is at this moment.",
  polling: "There is no stream of events, so this page looks every few seconds.",
  lost: "The branch does not answer; trying again.",
};

let route = () => {};

export function keyCaps(keys) {
  return shown(keys).split(" ").map((each) => (each === "then" ? h("span", { class: "quiet" }, " then ") : h("kbd", {}, each)));
}

function broken(error, name, retry) {
  return h(
    "div",
    { class: "screen" },
    h("h1", { tabindex: "-1" }, "This screen failed"),
    h("p", { class: "lead" }, `The screen “${name}” met an error; the others work.`),
    failed(error, retry),
  );
}

function closeOnEscape(event) {
  if (event.key !== "Escape" || !event.currentTarget.open) return;
  event.currentTarget.open = false;
  event.currentTarget.querySelector("summary").focus();
  event.stopPropagation();
}
