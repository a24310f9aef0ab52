/* What a screen shows until what it needs is there.

   fill(root, head, waiting())
   await loaded(live, "instances", "queues")   these lists are there, or could not be loaded */

import { h } from "./dom.js";

const ROWS = [1, 2, 3, 4];

export function waiting() {
  return h("div", { class: "skeleton", role: "status" }, h("span", { class: "hidden" }, "Loading"),
    ROWS.map(() => h("span", { class: "skeleton-row", aria: { hidden: "true" } })));
}

export async function loaded(live, ...names) {
  const each = names.map((name) => new Promise((resolve) => {
    if (live[name].loaded) return resolve();
    const stop = live[name].subscribe(() => {
      if (!live[name].loaded) return;
      stop();
      resolve();
    });
    return undefined;
  }));
  await Promise.race([live.ready, Promise.all(each)]);
}
