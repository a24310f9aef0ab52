/* What a screen shows of a list, as its address says: `?q=mail&state=running,disabled&label=zone=a`. */

/**
 * Reads filters from an address.
 *
 * Args: query a URLSearchParams; names those that take several values.
 * Returns: `{ q, [name]: [values] }`.
 */
export function readFilters(query, names) {
  const filters = { q: query.get("q") ?? "" };
  for (const name of names) {
    filters[name] = (query.get(name) ?? "").split(",").filter(Boolean);
  }
  return filters;
}

/** Whether anything is left out by the filters. */
export function isFiltering(filters) {
  return Object.values(filters).some((value) => value.length > 0);
}

/** A test of rows: each word of a query must stand somewhere in what textOf says of a row. */
export function wordTest(query, textOf) {
  const words = query.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) return () => true;
  return (row) => {
    const text = textOf(row).toLowerCase();
    return words.every((word) => text.includes(word));
  };
}

/**
 * A test of instances: words of `q` must each stand somewhere, the other filters must name the
 * value; a label filter is `key` or `key=value`.
 */
export function instanceTest(filters) {
  const isNamed = wordTest(filters.q, instanceText);
  const among = (wanted, value) => wanted.length === 0 || wanted.includes(value);
  return (row) =>
    among(filters.state, row.state) &&
    among(filters.app, row.app) &&
    among(filters.branch, row.branch) &&
    filters.label.every((label) => hasLabel(row.labels, label)) &&
    isNamed(row);
}

function instanceText(row) {
  return [row.name, row.app, row.branch, row.state, row.reason, ...row.queues].join(" ");
}

function hasLabel(labels, wanted) {
  const [key, value] = wanted.split("=");
  const has = labels?.[key];
  return has !== undefined && (value === undefined || has === value);
}

/** How often each value of a member occurs, the most frequent first. */
export function tally(rows, member) {
  const counts = new Map();
  for (const row of rows) counts.set(row[member], (counts.get(row[member]) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
