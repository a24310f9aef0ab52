/* Which rows of a table are selected: only ones that are shown.

   const selection = new RowSelection(order, (keys) => {});     told after each change
   selection.keys                     a Set
   selection.set(keys)   selection.clear()
   selection.toggle(key)              and the next stretch begins there
   selection.extend(key, from)        all from where the last stretch began, or else from `from`
   selection.trim()                   what is not shown any more is not selected
   selection.isWhole                  all that is shown is selected */

export class RowSelection {
  keys = new Set();
  #anchor = null;
  #order;
  #told;

  constructor(order, told) {
    this.#order = order;
    this.#told = told;
  }

  get isWhole() {
    return this.keys.size > 0 && this.keys.size === this.#order.keys.length;
  }

  set(keys) {
    this.keys = new Set([...keys].filter((key) => this.#order.has(key)));
    this.#told(this.keys);
  }

  clear() {
    if (this.keys.size) this.set([]);
  }

  toggle(key) {
    if (!this.keys.delete(key)) this.keys.add(key);
    this.#anchor = key;
    this.#told(this.keys);
  }

  extend(key, from = null) {
    this.#anchor ??= from;
    if (this.#anchor === null || !this.#order.has(this.#anchor)) return this.toggle(key);
    const ends = [this.#order.placeOf(this.#anchor), this.#order.placeOf(key)].sort((a, b) => a - b);
    for (const each of this.#order.keys.slice(ends[0], ends[1] + 1)) this.keys.add(each);
    return this.#told(this.keys);
  }

  trim() {
    if ([...this.keys].some((key) => !this.#order.has(key))) this.set(this.keys);
  }
}
