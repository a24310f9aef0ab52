/* The head of a table: what its columns are called, which one it is sorted by, and a box for all rows.

   const head = new TableHead({ label, columns, selectable, sorted, selected });
   head.node                              its <tr>
   sorted(column)  selected(isChecked)    are called when somebody presses
   head.markSort({ by, down })   head.markSelected({ all, some }) */

import { h, icon } from "./dom.js";
import { classOf } from "./table-row.js";

export class TableHead {
  #box = null;

  constructor({ label, columns, selectable, sorted, selected }) {
    if (selectable) {
      this.#box = h("input", {
        type: "checkbox", aria: { label: `Select all ${label.toLowerCase()}` },
        onchange: () => selected(this.#box.checked),
      });
    }
    this.node = h(
      "tr",
      { role: "row" },
      this.#box && h("th", { scope: "col", role: "columnheader", class: "tick" }, this.#box),
      columns.map((column) => headOf(column, sorted)),
    );
  }

  markSort({ by, down }) {
    for (const head of this.node.children) {
      if (head.dataset.column === by) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
    }
  }

  markSelected({ all, some }) {
    if (!this.#box) return;
    this.#box.checked = all;
    this.#box.indeterminate = some && !all;
  }
}

function headOf(column, sorted) {
  const name = column.sortable === false
    ? column.label || h("span", { class: "hidden" }, column.name ?? "Actions")
    : h("button", { type: "button", class: "sort", onclick: () => sorted(column) }, column.label, icon("up", { class: "sort-mark" }));
  return h("th", {
    scope: "col", role: "columnheader", class: classOf(column),
    dataset: { column: column.id, ...(column.hide && { hide: column.hide }) },
    style: column.width ? { width: column.width } : {},
  }, name);
}
