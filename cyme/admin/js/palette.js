/* The palette: Cmd or Ctrl K finds any screen, thing and deed by a few letters of its name.

   const remove = addCommands("instances", () => [{
     title: "Restart w1", group: "Instances", hint: "foo on branch1", keywords: "reboot",
     icon: "restart", href: "/admin/...", run: () => {}, rank: 0 }])
       asked each time the palette opens; either href or run. rank: deeds below things (1).
   openPalette("w1")        opens it, with a text to begin with

   The best 50 that match are shown; letters need not stand side by side. */

import { fill, h, icon, uniqueId } from "./dom.js";
import { go } from "./router.js";
import { toast } from "./toast.js";

const SHOWN_MAX = 50;
const sources = new Map();
let opened = null;

export function addCommands(name, source) {
  sources.set(name, source);
  return () => sources.get(name) === source && sources.delete(name);
}

export function openPalette(text = "") {
  if (opened) return;
  const commands = [...sources.values()].flatMap((source) => source());
  const listId = uniqueId("palette");
  const input = h("input", {
    type: "text", class: "palette-input", placeholder: "Go to a screen, an instance, a queue, or do something …",
    value: text, autocomplete: "off", spellcheck: "false", role: "combobox",
    aria: { label: "Find anything", expanded: "true", controls: listId, autocomplete: "list" },
  });
  const list = h("ul", { class: "palette-list", role: "listbox", id: listId, aria: { label: "Matches" } });
  const count = h("p", { class: "hidden", role: "status" });
  const node = h(
    "dialog",
    { class: "palette", aria: { label: "Find anything" } },
    h("div", { class: "palette-top" }, icon("search"), input, h("kbd", {}, "Esc")),
    list,
    count,
  );
  let matches = [];
  let at = 0;
  const mark = () => {
    [...list.querySelectorAll("[role=option]")].forEach((option, index) => {
      option.setAttribute("aria-selected", String(index === at));
      if (index === at) {
        input.setAttribute("aria-activedescendant", option.id);
        option.scrollIntoView({ block: "nearest" });
      }
    });
    if (!matches.length) input.removeAttribute("aria-activedescendant");
  };
  const choose = (command) => {
    node.close();
    if (command.href) go(command.href);
    else void Promise.resolve().then(command.run).catch((error) => toast.problem(error));
  };
  const find = () => {
    matches = found(commands, input.value);
    at = 0;
    let group = "";
    fill(
      list,
      matches.map((command) => {
        const head = command.group !== group && h("li", { class: "palette-group", role: "presentation" }, command.group);
        group = command.group;
        return [
          head,
          h(
            "li",
            { class: "palette-option", role: "option", id: uniqueId("option"), aria: { selected: "false" }, onclick: () => choose(command), onpointermove: () => point(command) },
            icon(command.icon ?? "chevron"),
            h("span", { class: "palette-title" }, command.title),
            command.hint && h("span", { class: "palette-hint" }, command.hint),
          ),
        ];
      }),
      !matches.length && h("li", { class: "palette-none", role: "presentation" }, `Nothing is called like “${input.value}”.`),
    );
    count.textContent = `${matches.length} matches`;
    mark();
  };
  const point = (command) => {
    const index = matches.indexOf(command);
    if (index === at) return;
    at = index;
    mark();
  };
  input.addEventListener("input", find);
  input.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && matches.length) {
      event.preventDefault();
      at = (at + step + matches.length) % matches.length;
      mark();
    } else if (event.key === "Enter" && matches[at]) {
      event.preventDefault();
      choose(matches[at]);
    }
  });
  node.addEventListener("click", (event) => event.target === node && node.close());
  node.addEventListener("close", () => {
    node.remove();
    opened = null;
  });
  opened = node;
  document.body.append(node);
  node.showModal();
  find();
  input.focus();
}

function found(commands, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const ranked = [];
  for (const command of commands) {
    const score = words.length ? scoreOf(command, words) : command.rank ? 0 : 1;
    if (score > 0) ranked.push([score - (command.rank ?? 0) * 0.5, command]);
  }
  ranked.sort((a, b) => b[0] - a[0]);
  const best = ranked.slice(0, SHOWN_MAX).map(([, command]) => command);
  const groups = [...new Set(best.map((command) => command.group))];
  return groups.flatMap((group) => best.filter((command) => command.group === group));
}

function scoreOf(command, words) {
  const title = command.title.toLowerCase();
  const all = `${title} ${command.group ?? ""} ${command.hint ?? ""} ${command.keywords ?? ""}`.toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (title === word) sum += 12;
    else if (title.startsWith(word)) sum += 8;
    else if (title.includes(` ${word}`)) sum += 6;
    else if (title.includes(word)) sum += 4;
    else if (all.includes(word)) sum += 2;
    else if (hasInOrder(title, word)) sum += 1;
    else return 0;
  }
  return sum;
}

function hasInOrder(text, letters) {
  let at = 0;
  for (const letter of letters) {
    at = text.indexOf(letter, at) + 1;
    if (!at) return false;
  }
  return true;
}
