/* What stands beside a table: how many rows there are, and what can be done with those selected. */

import { h, uniqueId, write } from "./dom.js";
import { count } from "./format.js";
import { button } from "./parts.js";

/** Returns a line that tells how many rows are shown of how many: { node, update(table) }. */
export function tally(noun, many = `${noun}s`) {
  const node = h("p", { class: "tally", role: "status", aria: { live: "polite" } });
  return {
    node,
    update: (table) => {
      const shown = table.shown().length;
      const all = table.rows().length;
      const words = all === 1 ? noun : many;
      write(node, shown === all ? `${count(all)} ${words}` : `${count(shown)} of ${count(all)} ${words}`);
    },
  };
}

/** Returns the bar of what can be done with the selected rows: { node, update(keys) }. */
export function selectionBar(table, noun, actions) {
  const words = h("strong", { id: uniqueId("selected") });
  const node = h(
    "div",
    { class: "selection-bar", role: "region", aria: { label: "Selected" }, hidden: true },
    words,
    h("div", { class: "selection-actions" }, actions),
    button("Clear", { kind: "quiet", small: true, run: () => table.clearSelection() }),
  );
  return {
    node,
    update: (keys) => {
      node.hidden = keys.size === 0;
      write(words, `${count(keys.size)} ${keys.size === 1 ? noun : `${noun}s`} selected`);
    },
  };
}
