/* Keys that work everywhere.

   const remove = addKey("g i", "Go to instances", run, { group: "Go to" })
   addKey("/", ...), addKey("?", ...), addKey("mod+k", ...)   "mod" is Cmd on a Mac, Ctrl elsewhere
   keysInUse()      [{ keys, label, group }] for the list of keys
   shown("mod+k")   how it is written for people: "Ctrl K" or "⌘ K"

   Keys without mod are not heard while somebody types, nor behind an open dialog; a screen's own
   keys are removed with it. Two keys in a row have a second and a half. */

const PAUSE_MS = 1500;
const bindings = new Map();
const isMac = /Mac|iPhone|iPad/.test(navigator.platform);

let first = "";
let timer = 0;

export function addKey(keys, label, run, { group = "Everywhere", hidden = false } = {}) {
  const before = bindings.get(keys);
  const binding = { keys, label, run, group, hidden };
  bindings.set(keys, binding);
  return () => {
    if (bindings.get(keys) !== binding) return;
    if (before) bindings.set(keys, before);
    else bindings.delete(keys);
  };
}

export function keysInUse() {
  return [...bindings.values()].filter((each) => !each.hidden);
}

export function shown(keys) {
  return keys
    .split(" ")
    .map((each) => each.replace("mod+", isMac ? "⌘ " : "Ctrl ").replace(/(^|\s)([a-z])$/, (_, gap, key) => gap + (each.includes("+") ? key.toUpperCase() : key)))
    .join(" then ");
}

export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing) return;
    const mod = isMac ? event.metaKey : event.ctrlKey;
    if (mod && !event.altKey && !event.shiftKey) {
      press(`mod+${event.key.toLowerCase()}`, event);
      return;
    }
    if (mod || event.altKey || event.ctrlKey || event.metaKey) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
    if (first) {
      const pair = `${first} ${event.key}`;
      forget();
      if (press(pair, event)) return;
    }
    if (press(event.key, event)) return;
    if ([...bindings.keys()].some((each) => each.startsWith(`${event.key} `))) {
      first = event.key;
      timer = setTimeout(forget, PAUSE_MS);
    }
  });
}

function press(keys, event) {
  const binding = bindings.get(keys);
  if (!binding) return false;
  event.preventDefault();
  binding.run(event);
  return true;
}

function forget() {
  first = "";
  clearTimeout(timer);
}

function isTyping(target) {
  return target.isContentEditable || target.matches?.("textarea, select, input:not([type=checkbox], [type=radio], [type=button])");
}
