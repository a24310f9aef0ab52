/* A change as a table: what was, what will be, and what that does to the workers. */

import { h } from "./dom.js";

const NAMES_SHOWN_MAX = 12;

/** The table of differences. */
export function diffTable(diffs) {
  return h("table", { class: "diff" },
    h("thead", {}, h("tr", {},
      ...["Setting", "Now", "Then", "Effect"].map((title) => h("th", { scope: "col" }, title)))),
    h("tbody", {}, ...diffs.map((diff) => h("tr", {},
      h("th", { scope: "row" }, diff.field.label),
      h("td", { class: "diff-from", "data-title": "Now" }, h("del", {}, diff.from)),
      h("td", { class: "diff-to", "data-title": "Then" }, h("ins", {}, diff.to)),
      h("td", { class: "diff-effect", "data-title": "Effect" }, diff.told)))));
}

/** What the changes of an app do to its instances, in words. */
export function consequenceList(found) {
  const items = TOLD
    .filter(([member]) => found[member].length > 0)
    .map(([member, words, mark]) => h("li", { class: `consequence ${mark}` },
      h("strong", {}, words(found[member].length)), " ", namesTold(found[member])));
  if (!items.length) return h("p", { class: "quiet-note" }, "No instance is touched by this.");
  return h("ul", { class: "consequences" }, ...items);
}

const instances = (count) => (count === 1 ? "1 instance" : `${count} instances`);

const TOLD = [
  ["stopping", (n) => `${instances(n)} will stop:`, "is-grave"],
  ["restarting", (n) => `${instances(n)} will restart, warmly:`, "is-grave"],
  ["starting", (n) => `${instances(n)} will start:`, ""],
  ["adjusting", (n) => `${instances(n)} will take it without a restart:`, ""],
  ["waiting", (n) => `${instances(n)} will take it at the next start:`, ""],
];

/** Some of many names, and how many more there are. */
export function namesTold(names) {
  const shown = names.slice(0, NAMES_SHOWN_MAX).join(", ");
  const more = names.length - NAMES_SHOWN_MAX;
  return more > 0 ? `${shown} and ${more} more` : shown;
}

/** Two changes of the same thing side by side: what I want, and what somebody else made it. */
export function conflictTable(mine, theirs) {
  const fields = new Map([...mine, ...theirs].map((diff) => [diff.field.name, diff.field]));
  const of = (diffs, name) => diffs.find((diff) => diff.field.name === name)?.to ?? "as it was";
  return h("table", { class: "diff" },
    h("thead", {}, h("tr", {},
      ...["Setting", "Yours", "Theirs, in force now"].map((title) =>
        h("th", { scope: "col" }, title)))),
    h("tbody", {}, ...[...fields].map(([name, field]) => h("tr", {},
      h("th", { scope: "row" }, field.label),
      h("td", { "data-title": "Yours" }, of(mine, name)),
      h("td", { "data-title": "Theirs, in force now" }, of(theirs, name))))));
}
