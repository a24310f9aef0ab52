/* The order of a table's rows: by the values of a column, then by their keys.

   const order = new RowOrder();
   order.update(rows, { column, down, passes })      rows: a Map by key; passes null lets all through
   order.keys      the keys of the rows that pass, in their order
   order.has(key)  order.placeOf(key)

   Laws:
    - a row without a value comes last, whichever way the column is sorted;
    - figures in words count as figures: w9 comes before w10;
    - news that change no place leave the order alone, for finding it costs most. */

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

export class RowOrder {
  keys = [];
  #places = new Map();
  #pairs = [];
  #mark = "";
  #ranks = new Map();

  has(key) {
    return this.#places.has(key);
  }

  placeOf(key) {
    return this.#places.get(key);
  }

  update(rows, { column, down, passes }) {
    const pairs = [];
    for (const [key, row] of rows) if (!passes || passes(row)) pairs.push([column.value(row), key]);
    const mark = `${column.id} ${down}`;
    if (mark === this.#mark && isSame(pairs, this.#pairs)) return;
    this.#mark = mark;
    this.#pairs = pairs;
    this.#rank([...rows.keys()]);
    this.keys = this.#sorted([...pairs], column.compare ?? compare, down ? -1 : 1);
    this.#places = new Map(this.keys.map((key, place) => [key, place]));
  }

  #sorted(pairs, order, sign) {
    pairs.sort(([a, keyOfA], [b, keyOfB]) => {
      const missing = Number(isMissing(a)) - Number(isMissing(b));
      if (missing) return missing;
      const isKey = a === keyOfA && b === keyOfB && order === compare;
      const apart = isKey ? 0 : sign * order(a, b);
      return apart || (isKey ? sign : 1) * (this.#ranks.get(keyOfA) - this.#ranks.get(keyOfB));
    });
    return pairs.map(([, key]) => key);
  }

  /** Notes the place of every key among the keys, once: comparing words is slow. */
  #rank(keys) {
    if (keys.length === this.#ranks.size && keys.every((key) => this.#ranks.has(key))) return;
    keys.sort((a, b) => collator.compare(String(a), String(b)));
    this.#ranks = new Map(keys.map((key, place) => [key, place]));
  }
}

function isSame(pairs, before) {
  return pairs.length === before.length
    && pairs.every(([value, key], place) => value === before[place][0] && key === before[place][1]);
}

function isMissing(value) {
  return value === null || value === undefined;
}

function compare(a, b) {
  if (a === b || isMissing(a)) return 0;
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "boolean" && typeof b === "boolean") return Number(a) - Number(b);
  return collator.compare(String(a), String(b));
}
