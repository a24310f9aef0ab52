/* Tables of rows that live: sorted, filtered, selected, walked by keys, and drawn only where seen.

   const table = createTable({
     label: "Instances",               read out, not seen
     key: (row) => row.name,
     columns: [{
       id: "state", label: "State",
       value: (row) => row.state,      what is sorted by; a text, a number, or null (last)
       render: (row) => node,          what is shown; the value without it. Node, text, or a list
       watch: (row) => text,           the cell is drawn again when this changes; the value without
                                       it (an object's identity never counts, so name what is shown)
       align: "end",                   for figures
       head: true,                     the row's name: <th scope="row">
       sortable: true, first: "down"   which way the first press on its head sorts
       hide: "narrow" | "medium",      left out where there is little room
       card: "wide" | "none",          on a phone: over the whole width, or left out
       width: "8rem", class: "mono",
     }],
     sort: { by: "name", down: false }, onSort: ({ by, down }) => {},
     selectable: true, onSelect: (keys) => {},        a Set of keys; only rows that are shown
     open: (row) => {},                               Enter, or a press on the row
     tone: (row) => "bad",                            a mark at the row's edge, optional
     empty: () => node,                               there are no rows at all
     nothing: () => node,                             the filter hides them all
   });
   root.append(table.node);
   table.setRows(rows)               all rows; the same keys keep their elements
   table.change(rows, goneKeys)      rows that changed or came, keys that went
   table.filter((row) => true)       null shows all
   table.redraw()                    what cells show beside their row has changed (vitals)
   table.retell()                    so has what the table says when it has no rows
   table.sortBy("name", false)
   table.rows()   table.shown()      all rows; those that pass the filter, in their order
   table.focusRow(key)               draws it if need be
   table.selection   table.select(keys)   table.clearSelection()
   table.destroy()                   when the screen goes

   Keys: arrows, Home, End, PageUp, PageDown; Enter opens, Space or x selects, Shift extends,
   Ctrl or Cmd A selects all, Escape none. Over 100 rows only those in sight have elements.

   Which rows there are and how they are walked is decided here; table-order.js knows their order,
   table-selection.js which are selected, table-sight.js which are in sight, table-head.js and
   table-row.js draw. */

import { fill, h } from "./dom.js";
import { empty as emptyState } from "./parts.js";
import { TableHead } from "./table-head.js";
import { RowOrder } from "./table-order.js";
import { DrawnRow } from "./table-row.js";
import { RowSelection } from "./table-selection.js";
import { Sight } from "./table-sight.js";
import { waiting } from "./waiting.js";

const PAGE_ROWS = 12;
const QUIET = "a, button, input, select, textarea, label, summary, [data-quiet]";

export function createTable(options) {
  return new Table(options);
}

class Table {
  #options;
  #columns;
  #rows = new Map();
  #order = new RowOrder();
  #selection = new RowSelection(this.#order, () => this.#selected());
  #drawn = new Map();
  #filter = null;
  #sort;
  #active = null;
  #isSet = false;
  #told = "";
  #head;
  #body;
  #sight;
  #table;
  #message;

  constructor(options) {
    this.#options = { selectable: false, key: (row) => row.name, ...options };
    this.#columns = options.columns;
    this.#sort = { by: this.#columns[0].id, down: false, ...options.sort };
    this.#build();
  }

  rows() {
    return [...this.#rows.values()];
  }

  shown() {
    return this.#order.keys.map((key) => this.#rows.get(key));
  }

  setRows(rows) {
    this.#rows.clear();
    this.change(rows);
  }

  change(rows, gone = []) {
    for (const row of rows) this.#rows.set(this.#options.key(row), row);
    for (const key of gone) this.#rows.delete(key);
    this.#isSet = true;
    this.#refresh();
  }

  filter(passes) {
    this.#filter = passes;
    this.#refresh();
  }

  redraw() {
    this.#refresh();
  }

  retell() {
    this.#told = "";
    this.#tell();
  }

  sortBy(by, down = false) {
    this.#sort = { by, down };
    this.#refresh();
  }

  get sort() {
    return { ...this.#sort };
  }

  get selection() {
    return this.#selection.keys;
  }

  select(keys) {
    this.#selection.set(keys);
  }

  clearSelection() {
    this.#selection.clear();
  }

  focusRow(key) {
    if (!this.#order.has(key)) return;
    this.#active = key;
    if (!this.#drawn.has(key)) this.#sight.scrollTo(this.#order.placeOf(key));
    this.#markActive();
    const node = this.#drawn.get(key)?.node;
    node?.focus({ preventScroll: true });
    node?.scrollIntoView({ block: "nearest" });
  }

  destroy() {
    this.#sight.close();
  }

  // --- building ----------------------------------------------------------------------------------

  #build() {
    const { label, selectable } = this.#options;
    this.#head = new TableHead({
      label, columns: this.#columns, selectable,
      sorted: (column) => this.#sortPressed(column),
      selected: (isChecked) => this.select(isChecked ? this.#order.keys : []),
    });
    this.#body = h("tbody", { role: "rowgroup" });
    this.#message = h("div", { class: "table-message" });
    this.node = h("div", { class: "table-wrap" });
    this.#sight = new Sight({
      node: this.node, body: this.#body, span: this.#head.node.children.length, layout: () => this.#layout(),
    });
    this.#table = h(
      "table",
      { class: "table", role: "table" },
      h("caption", { class: "hidden" }, label),
      h("thead", { role: "rowgroup" }, this.#head.node),
      this.#sight.above,
      this.#body,
      this.#sight.below,
    );
    this.node.append(this.#table, this.#message);
    this.#table.addEventListener("keydown", (event) => this.#press(event));
    this.#body.addEventListener("click", (event) => this.#click(event));
    this.#body.addEventListener("focusin", (event) => {
      const row = event.target.closest("tr");
      if (!row) return;
      this.#active = row.cymeKey;
      this.#markActive();
    });
    this.#head.markSort(this.#sort);
  }

  #sortPressed(column) {
    const down = this.#sort.by === column.id ? !this.#sort.down : column.first === "down";
    this.#options.onSort?.({ by: column.id, down });
    this.sortBy(column.id, down);
  }

  // --- which rows --------------------------------------------------------------------------------

  #refresh() {
    const { by, down } = this.#sort;
    const column = this.#columns.find((each) => each.id === by) ?? this.#columns[0];
    this.#order.update(this.#rows, { column, down, passes: this.#filter });
    if (!this.#order.has(this.#active)) this.#active = null;
    this.#selection.trim();
    this.#markSelected();
    this.#head.markSort(this.#sort);
    this.#tell();
    this.#layout();
  }

  #tell() {
    const { empty, nothing } = this.#options;
    const rows = this.#order.keys.length ? "rows" : this.#rows.size ? "nothing" : "empty";
    const state = this.#isSet ? rows : "waiting";
    if (this.#told === state) return;
    this.#told = state;
    this.#table.hidden = state === "empty" || state === "nothing";
    this.node.dataset.state = state;
    fill(this.#message, {
      waiting, rows: () => null, nothing: nothing ?? nothingMatches, empty: empty ?? nothingYet,
    }[state]());
  }

  // --- drawing -----------------------------------------------------------------------------------

  #layout() {
    const { keys } = this.#order;
    const isLong = this.#sight.isLong(keys.length);
    const range = this.#sight.range(keys.length);
    const isMoved = this.#draw(keys.slice(...range), isLong ? range[0] : null);
    this.#sight.pad(range, keys.length);
    this.#table.toggleAttribute("data-virtual", isLong);
    if (isLong) this.#table.setAttribute("aria-rowcount", String(keys.length + 1));
    else this.#table.removeAttribute("aria-rowcount");
    // Asking for a height makes the browser reckon the whole layout: only where rows came.
    if (isLong && isMoved) this.#sight.measure();
  }

  /** Draws these rows and no others; tells whether one came. `from` is the first one's place. */
  #draw(keys, from) {
    const held = document.activeElement;
    const focused = held?.closest?.("tr")?.cymeKey;
    const wanted = new Set(keys);
    for (const [key, drawn] of this.#drawn) {
      if (wanted.has(key)) continue;
      drawn.node.remove();
      this.#drawn.delete(key);
    }
    let isMoved = false;
    let next = this.#body.firstElementChild;
    keys.forEach((key, index) => {
      let drawn = this.#drawn.get(key);
      if (!drawn) {
        isMoved = true;
        drawn = new DrawnRow(key, this.#columns, this.#options.selectable);
        this.#drawn.set(key, drawn);
      }
      const row = this.#rows.get(key);
      drawn.update(row, this.#options.tone?.(row) ?? "");
      drawn.mark(this.selection.has(key));
      drawn.number(from === null ? null : String(from + index + 2));
      if (drawn.node === next) next = next.nextElementSibling;
      else this.#body.insertBefore(drawn.node, next);
    });
    this.#markActive();
    if (focused !== undefined && document.activeElement === document.body) this.#focusAgain(held, this.#drawn.get(focused));
    return isMoved;
  }

  /** What is moved loses the focus; where the row is gone the keys still walk from where it was. */
  #focusAgain(held, drawn) {
    if (!drawn) this.#focusTable();
    else (held.isConnected ? held : drawn.node).focus({ preventScroll: true });
  }

  #focusTable() {
    this.#table.tabIndex = -1;
    this.#table.focus({ preventScroll: true });
  }

  #selected() {
    for (const [key, drawn] of this.#drawn) drawn.mark(this.selection.has(key));
    this.#markSelected();
    this.#options.onSelect?.(this.selection);
  }

  #markSelected() {
    this.#head.markSelected({ all: this.#selection.isWhole, some: this.selection.size > 0 });
  }

  /** One row alone is reached by the tabulator: the active one, or else the first. */
  #markActive() {
    if (!this.#options.open && !this.#options.selectable) return;
    const active = this.#active ?? this.#body.firstElementChild?.cymeKey;
    for (const [key, { node }] of this.#drawn) {
      const index = key === active ? 0 : -1;
      if (node.tabIndex !== index) node.tabIndex = index;
    }
  }

  // --- pointing and walking ----------------------------------------------------------------------

  #click(event) {
    const row = event.target.closest("tr");
    if (!row) return;
    const key = row.cymeKey;
    if (event.target.closest("td.tick")) {
      event.preventDefault();
      // The box shows what is selected once the press is over.
      setTimeout(() => (event.shiftKey ? this.#selection.extend(key) : this.#selection.toggle(key)));
    } else if (!event.target.closest(QUIET)) {
      if (event.shiftKey && this.#options.selectable) {
        getSelection()?.removeAllRanges();
        this.#selection.extend(key);
      } else if (getSelection()?.isCollapsed !== false) this.#options.open?.(this.#rows.get(key));
    }
  }

  #press(event) {
    if (!this.#order.keys.length || event.target.closest("thead")) return;
    const isOnRow = event.target === this.#table || event.target.tagName === "TR";
    if (this.#walk(event) || this.#selectByKey(event, isOnRow)) event.preventDefault();
    else if (event.key === "Enter" && isOnRow && this.#active !== null && this.#options.open) {
      event.preventDefault();
      this.#options.open(this.#rows.get(this.#active));
    }
  }

  #walk(event) {
    const { keys } = this.#order;
    const at = this.#active === null ? -1 : this.#order.placeOf(this.#active);
    const place = {
      ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + PAGE_ROWS, PageUp: at - PAGE_ROWS, Home: 0, End: keys.length - 1,
    }[event.key];
    if (place === undefined || event.altKey || event.metaKey) return false;
    const key = keys[Math.max(0, Math.min(keys.length - 1, place))];
    if (event.shiftKey && this.#options.selectable) this.#selection.extend(key, this.#active ?? key);
    this.focusRow(key);
    return true;
  }

  #selectByKey(event, isOnRow) {
    if (!this.#options.selectable) return false;
    if ((event.ctrlKey || event.metaKey) && event.key === "a") this.select(this.#order.keys);
    else if (event.key === "Escape" && this.selection.size) this.clearSelection();
    else if ((event.key === " " || event.key === "x") && isOnRow && this.#active !== null) {
      if (event.shiftKey) this.#selection.extend(this.#active);
      else this.#selection.toggle(this.#active);
    } else return false;
    return true;
  }
}

function nothingYet() {
  return emptyState({ title: "Nothing here yet" });
}

function nothingMatches() {
  return emptyState({ icon: "filter", title: "Nothing matches", body: "No row passes the filter. Change it, or clear it." });
}
