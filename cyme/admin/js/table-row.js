/* One row of a table: a cell is drawn again only when what it shows has changed.

   const drawn = new DrawnRow(key, columns, selectable);
   drawn.node                             its <tr>, which knows its key as `node.cymeKey`
   drawn.update(row, tone)
   drawn.mark(isSelected)   drawn.number(index)      null where all rows are drawn */

import { fill, h, write } from "./dom.js";
import { NOTHING } from "./format.js";

export class DrawnRow {
  #columns;
  #cells;
  #marks = [];
  #box = null;

  constructor(key, columns, selectable) {
    this.#columns = columns;
    this.#cells = columns.map(cellOf);
    if (selectable) this.#box = h("input", { type: "checkbox", aria: { label: `Select ${String(key)}` } });
    this.node = h(
      "tr",
      { role: "row" },
      this.#box && h("td", { class: "tick", role: "cell" }, this.#box),
      this.#cells,
    );
    this.node.cymeKey = key;
  }

  update(row, tone) {
    this.#columns.forEach((column, index) => {
      const mark = String(column.watch ? column.watch(row) : column.value(row));
      if (this.#marks[index] === mark) return;
      this.#marks[index] = mark;
      if (column.render) fill(this.#cells[index], column.render(row));
      else write(this.#cells[index], column.value(row) ?? NOTHING);
    });
    if ((this.node.dataset.tone ?? "") === tone) return;
    if (tone) this.node.dataset.tone = tone;
    else delete this.node.dataset.tone;
  }

  mark(isSelected) {
    if (this.#box) this.#box.checked = isSelected;
    this.node.toggleAttribute("data-selected", isSelected);
  }

  number(index) {
    if (index === null) this.node.removeAttribute("aria-rowindex");
    else if (this.node.getAttribute("aria-rowindex") !== index) this.node.setAttribute("aria-rowindex", index);
  }
}

/** The class that the cells of a column and its head have. */
export function classOf(column) {
  return `${column.align === "end" ? "end " : ""}${column.class ?? ""}`;
}

function cellOf(column) {
  const { head, hide, card } = column;
  return h(head ? "th" : "td", {
    ...(head ? { scope: "row" } : {}),
    role: head ? "rowheader" : "cell",
    class: classOf(column),
    dataset: { label: column.label, column: column.id, ...(hide && { hide }), ...(card && { card }) },
  });
}
