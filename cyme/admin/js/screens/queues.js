/* Queues: the list at /admin/queues/, one of them at /admin/queues/<app>/<name>/. */

import { mountDetail } from "./queues/detail.js";
import { mountList } from "./queues/list.js";

export const title = "Queues";

export function mount(root, context) {
  return context.params.length > 1 ? mountDetail(root, context) : mountList(root, context);
}
