/* Builds elements. Nothing here, and nothing anywhere else, turns data into markup.

   h("button", { class: "button", onclick: run, disabled: true }, "Start")
   h("div", { dataset: { state: "ok" }, aria: { label: "State" } }, [child, child])
   svg("path", { d: "..." })
   fill(node, ...children)      replaces the children of a node
   refill(node, mark, make)     fills it with what make() returns if the mark, any data, is another one;
                                a focus that was in it stays in it
   keepFocus(node, redraw)      redraws a part; a focus that was in it stays in it
   write(node, text)            sets a text only where it differs
   icon("play")                 one of the page's icons; decoration, so always beside words
   on(node, type, listener)     adds a listener; returns what removes it
   debounce(run, ms)            runs once things have been quiet for so long

   Children: nodes, strings and numbers, lists of them; null, undefined and booleans are left out. */

const SVG = "http://www.w3.org/2000/svg";

export function h(tag, props, ...children) {
  return built(document.createElement(tag), props, children);
}

export function svg(tag, props, ...children) {
  return built(document.createElementNS(SVG, tag), props, children);
}

export function fill(node, ...children) {
  node.replaceChildren(...nodes(children));
  return node;
}

const marks = new WeakMap();

/** What has not changed keeps the focus, and what is chosen in it. */
export function refill(node, mark, make) {
  const told = JSON.stringify(mark);
  if (marks.get(node) === told) return;
  marks.set(node, told);
  keepFocus(node, () => fill(node, make()));
}

/** On what is called the same, or else on what does least when it is pressed once more. */
export function keepFocus(node, redraw) {
  const held = node.contains(document.activeElement) ? document.activeElement : null;
  redraw();
  if (!held || held.isConnected) return;
  const alike = [...node.querySelectorAll(held.tagName)].find((each) => nameOf(each) === nameOf(held));
  (alike ?? node.querySelector("select") ?? node.querySelector("a[href]") ?? node.querySelector("button"))?.focus();
}

const nameOf = (node) => node.getAttribute("aria-label") ?? node.textContent;

export function write(node, text) {
  const wanted = text === null || text === undefined ? "" : String(text);
  if (node.textContent !== wanted) node.textContent = wanted;
  return node;
}

export function on(node, type, listener, options) {
  node.addEventListener(type, listener, options);
  return () => node.removeEventListener(type, listener, options);
}

export function debounce(run, ms) {
  let timer = 0;
  const later = (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => run(...given), ms);
  };
  later.cancel = () => clearTimeout(timer);
  return later;
}

let counted = 0;

/** Returns an id that no other element has. */
export function uniqueId(prefix = "id") {
  counted += 1;
  return `${prefix}-${counted}`;
}

function built(node, props, children) {
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  node.append(...nodes(children));
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name === "dataset") Object.assign(node.dataset, value);
  else if (name === "aria") {
    for (const [each, told] of Object.entries(value)) {
      if (told !== null && told !== undefined) node.setAttribute(`aria-${each}`, String(told));
    }
  } else if (name === "style") {
    // Attributes are barred by the policy of this page; properties set by a script are not.
    for (const [each, told] of Object.entries(value)) node.style.setProperty(each, String(told));
  } else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "value" || name === "checked" || name === "indeterminate") node[name] = value;
  else node.setAttribute(name === "class" ? "class" : name, value === true ? "" : String(value));
}

function nodes(children) {
  const found = [];
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || typeof child === "boolean") continue;
    found.push(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return found;
}

/* Drawn on a grid of 16 x 16, as strokes. */
const ICONS = {
  overview: ["M2.5 9.500l3-3.500 2.500 2.500 5.500-6", "M2.500 13.500h11"],
  branches: ["M4.500 5.500v5", "M11.500 5.500c0 3-7 2-7 5", "C:4.500,4,1.500", "C:11.500,4,1.500", "C:4.500,12,1.500"],
  apps: ["M2.500 2.500h4.500v4.500h-4.500z", "M9 2.500h4.500v4.500h-4.500z", "M2.500 9h4.500v4.500h-4.500z", "M9 9h4.500v4.500h-4.500z"],
  instances: ["M2.500 3h11v4h-11z", "M2.500 9h11v4h-11z", "M5 5h.01", "M5 11h.01"],
  queues: ["M2.500 4h11", "M2.500 8h11", "M2.500 12h6"],
  tasks: ["M2.500 4l1.200 1.200 2-2.200", "M8 4.500h5.500", "M2.500 10.500l1.200 1.200 2-2.200", "M8 11h5.500"],
  logs: ["M3.500 1.500h6l3 3v10h-9z", "M5.500 7.500h5", "M5.500 10.500h5"],
  events: ["C:8,8,6", "M8 4.500v3.500l2.500 1.500"],
  tokens: ["C:5,11,2.500", "M7 9l6-6", "M10.500 5.500l2 2"],
  about: ["C:8,8,6", "M8 7.500v3.500", "M8 5h.01"],
  search: ["C:7,7,4.500", "M10.500 10.500l3.500 3.500"],
  menu: ["M2.500 4h11", "M2.500 8h11", "M2.500 12h11"],
  close: ["M4 4l8 8", "M12 4l-8 8"],
  sun: ["C:8,8,3", "M8 1.500v1", "M8 13.500v1", "M1.500 8h1", "M13.500 8h1", "M3.400 3.400l.7.7", "M11.900 11.900l.7.7", "M3.400 12.600l.7-.7", "M11.900 4.100l.7-.7"],
  moon: ["M13.500 9.500a6 6 0 0 1-7-7 6 6 0 1 0 7 7z"],
  system: ["M2 3h12v8h-12z", "M6 13.500h4"],
  play: ["M5 3l7.500 5-7.500 5z"],
  stop: ["M4 4h8v8h-8z"],
  pause: ["M5.500 3.500v9", "M10.500 3.500v9"],
  restart: ["M13 8a5 5 0 1 1-1.600-3.700", "M13.200 1.800v3h-3"],
  move: ["M2.500 8h10.500", "M9.500 4.500l3.500 3.500-3.500 3.500"],
  plus: ["M8 3v10", "M3 8h10"],
  trash: ["M2.500 4.500h11", "M6 4.500v-2h4v2", "M4 4.500l.7 9h6.600l.7-9"],
  copy: ["M5.500 5.500h8v8h-8z", "M10.500 5.500v-3h-8v8h3"],
  download: ["M8 2v8", "M4.500 7l3.500 3.500 3.500-3.500", "M2.500 13.500h11"],
  edit: ["M3 13l.7-3 7-7 2.300 2.300-7 7z"],
  filter: ["M2 3.500h12l-4.500 5v4.500l-3-1.500v-3z"],
  more: ["M3.500 8h.01", "M8 8h.01", "M12.500 8h.01"],
  check: ["M3 8.500l3.500 3.500 6.500-8"],
  warn: ["M8 2l6.500 11.500h-13z", "M8 6.500v3", "M8 11.500h.01"],
  alert: ["C:8,8,6", "M8 4.500v4", "M8 11h.01"],
  out: ["M6 3h-3v10h3", "M7 8h7", "M11 5l3 3-3 3"],
  outside: ["M6 3h-3v10h10v-3", "M9 2.500h4.500v4.500", "M13.500 2.500l-6 6"],
  chevron: ["M6 3.500l4.500 4.500-4.500 4.500"],
  down: ["M3.500 6l4.500 4.500 4.500-4.500"],
  up: ["M3.500 10l4.500-4.500 4.500 4.500"],
  scale: ["M3 13v-3", "M6.500 13v-5", "M10 13v-7", "M13.500 13v-10"],
  link: ["M6.500 9.500l3-3", "M7 4.500l1.500-1.500a3 3 0 0 1 4.500 4.500l-1.500 1.500", "M9 11.500l-1.500 1.500a3 3 0 0 1-4.500-4.500l1.500-1.500"],
  drain: ["M8 2c2.500 3.300 4 5 4 7.500a4 4 0 0 1-8 0c0-2.500 1.500-4.200 4-7.500z"],
  user: ["C:8,5.500,2.800", "M2.800 14c.6-3 2.700-4.300 5.200-4.300s4.600 1.300 5.200 4.300"],
  keyboard: ["M1.500 4h13v8.500h-13z", "M4.500 7h.01", "M7 7h.01", "M9.500 7h.01", "M12 7h.01", "M5 10h6"],
};

export function icon(name, props = {}) {
  const parts = (ICONS[name] ?? ICONS.about).map((part) => {
    if (!part.startsWith("C:")) return svg("path", { d: part });
    const [cx, cy, r] = part.slice(2).split(",");
    return svg("circle", { cx, cy, r });
  });
  return svg(
    "svg",
    { viewBox: "0 0 16 16", class: `icon ${props.class ?? ""}`, aria: { hidden: "true" }, focusable: "false" },
    parts,
  );
}
